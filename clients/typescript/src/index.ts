import type { WalletClient } from "./calls.js";
import { problemOf } from "./errors.js";
import { type AnyInit, requestOf, resultOf } from "./requests.js";
import { retrying, type RetryOptions } from "./retry.js";
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
export function walletClient(options: WalletClientOptions = {}): WalletClient {
  const { baseUrl, apiKey, fetch = (request) => globalThis.fetch(request), ...retries } = options;
  const url = baseUrl ?? fromEnvironment("baseUrl", "WALLET_URL");
  const key = apiKey ?? fromEnvironment("apiKey", "WALLET_API_KEY");
  const send = retrying(fetch, retries);
  const calls = (method: string) => async (path: string, init: AnyInit = {}) =>
    resultOf(await send(requestOf(url, key, method, path, init), `${method} ${path}`), init.parseAs ?? "json");
  // The types of the calls are those of the service's document; at run time they are alike.
  return { GET: calls("GET"), POST: calls("POST"), PUT: calls("PUT"), PATCH: calls("PATCH"), DELETE: calls("DELETE") } as unknown as WalletClient;
}

/**
 * The data of a successful response.
 *
 * @throws WalletProblem the call was refused.
 */
export async function ok<T>(
  call: Promise<{ data?: T; error?: unknown; response: Response }>,
): Promise<Exclude<T, undefined>> {
  const { data, error, response } = await call;
  if (!response.ok) {
    throw problemOf(error, response.status);
  }
  return data as Exclude<T, undefined>;
}

function fromEnvironment(option: string, variable: string): string {
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } }; // a browser has none
  const value = process?.env?.[variable];
  if (!value) {
    throw new TypeError(`${option} is missing: give it, or set the environment variable ${variable}`);
  }
  return value;
}
