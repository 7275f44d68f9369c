import type { WalletClient } from "./calls.js";
import { type RetryOptions } from "./retry.js";
import type { components } from "../schema.js";
export { type EarlierAttempt, type Refused, refusalOf } from "./batch.js";
export type { CommonInit, ParseAs, Result, WalletClient } from "./calls.js";
export { isProblem, NoAnswer, OutcomeUnknown, WalletProblem, type CommonFacts, type Facts, type ProblemCode } from "./errors.js";
export { LongDecimal } from "./json.js";
export { newKey, type RetryOptions } from "./retry.js";
export type { components, operations, paths } from "../schema.js";
export type Wallet = components["schemas"]["Wallet"];
export type Transaction = components["schemas"]["Transaction"];
export type Job = components["schemas"]["Job"];
export interface WalletClientOptions extends RetryOptions {
    /** The address of the service, without /api/v1. Default: the environment variable WALLET_URL. */
    baseUrl?: string;
    /** An API key of the service, or a user token. Default: the environment variable WALLET_API_KEY. */
    apiKey?: string;
    /** The function that sends a request. Default: the global fetch. */
    fetch?: (request: Request) => Promise<Response>;
}
/**
 * A client that retries requests when that is safe, and refuses numbers that are not exact.
 *
 * @throws TypeError the address or the key is neither given nor in the environment.
 */
export declare function walletClient(options?: WalletClientOptions): WalletClient;
/**
 * The data of a successful response.
 *
 * @throws WalletProblem the call was refused.
 */
export declare function ok<T>(call: Promise<{
    data?: T;
    error?: unknown;
    response: Response;
}>): Promise<Exclude<T, undefined>>;
