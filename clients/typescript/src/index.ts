import createClient, { type Client } from "openapi-fetch";

import { type ExactAmounts, refuseNumbers } from "./amounts.js";
import type { WithEarlierTries } from "./batch.js";
import { problemOf } from "./errors.js";
import { retrying, type RetryOptions } from "./retry.js";
import type { components, paths } from "./schema.js";

export { type EarlierAttempt, type Refused, refusalOf } from "./batch.js";
export { isProblem, NoAnswer, OutcomeUnknown, WalletProblem, type Facts, type ProblemCode } from "./errors.js";
export { newKey, type RetryOptions } from "./retry.js";
export type { components, operations, paths } from "./schema.js";

export type Wallet = components["schemas"]["Wallet"];
export type Transaction = components["schemas"]["Transaction"];

export interface WalletClientOptions extends RetryOptions {
  /** The address of the service, without /api/v1. */
  baseUrl: string;
  /** An API key of the service, or a user token. */
  apiKey: string;
  /** The function that sends a request. Default: the global fetch. */
  fetch?: (request: Request) => Promise<Response>;
}

/** Typed GET, POST, PATCH and DELETE for every path of the service. */
export type WalletClient = Client<Paths>;

type Paths = WithEarlierTries<ExactAmounts<paths>>;

/** A client of openapi-fetch that retries requests when that is safe, and refuses numbers as amounts. */
export function walletClient(options: WalletClientOptions): WalletClient {
  const { baseUrl, apiKey, fetch = (request) => globalThis.fetch(request), ...retries } = options;
  return createClient<Paths>({
    baseUrl,
    redirect: "manual",
    headers: { Authorization: `Bearer ${apiKey}`, "User-Agent": "wallet-client-typescript" },
    fetch: retrying(fetch, retries),
    bodySerializer: (body) => {
      refuseNumbers(body);
      return typeof body === "string" ? body : JSON.stringify(body);
    },
  });
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
