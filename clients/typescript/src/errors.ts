import type { components } from "./schema.js";

/** A stable code of a refusal; decide by it. */
export type ProblemCode = components["schemas"]["Problem"]["code"];

const OF_THE_LEDGER = new Set<ProblemCode>([
  "amount_precision",
  "balance_limit",
  "currency_mismatch",
  "currency_unknown",
  "idempotency_key_reused",
  "insufficient_funds",
  "not_refundable",
  "refund_exceeds",
  "same_wallet",
  "transaction_not_found",
  "transaction_superseded",
  "wallet_closed",
  "wallet_exists",
  "wallet_frozen",
  "wallet_not_found",
]);

/**
 * Whether only the ledger says this, after it has looked at the key: no earlier try was done until then. All else can be said
 * before anybody looks at the key, and tells nothing of an earlier try.
 */
export function isOfTheLedger(code: ProblemCode | undefined): boolean {
  return code !== undefined && OF_THE_LEDGER.has(code);
}

/** What a refusal says beside its code, where the code says more than that it is refused. Amounts are text. */
export interface Facts {
  insufficient_funds: { shortfall: string; wallet_id: string };
  wallet_exists: { wallet_id: string };
  forbidden: { scope?: string };
  payload_too_large: { limit_bytes: number };
  refund_exceeds: { transaction_id: string; refundable: string };
  version_mismatch: { wallet_id: string; version: number };
  rate_limited: { scope: "client" | "user"; limit: number; window_s: number };
  validation_failed: { errors: { in: string; pointer: string; detail: string; code: string }[] };
}

type FactsOf<C extends ProblemCode> = C extends keyof Facts ? Facts[C] : Record<string, unknown>;

/** A refusal of the service, or (without a code) of something that stands before it. */
export class WalletProblem<C extends ProblemCode = ProblemCode> extends Error {
  override readonly name = "WalletProblem";

  constructor(
    readonly status: number,
    readonly code: C | undefined,
    readonly detail: string,
    /** Whether the same request can succeed later without a change. */
    readonly retryable: boolean,
    /** Under which the service's log knows it. */
    readonly requestId: string | undefined,
    readonly facts: FactsOf<C>,
    /** The key that it was sent with, where an earlier try is open. */
    readonly idempotencyKey?: string,
    /**
     * Whether the earlier try may have done it already: the refusal is not the ledger's. Only of an operation of a batch, for of a
     * single call that is an OutcomeUnknown.
     */
    readonly outcomeUnknown = false,
  ) {
    const open = outcomeUnknown ? "; an earlier try may have done it" : "; an earlier try of it may still be done";
    const known = `${detail} [${code ?? status}${requestId ? `, request ${requestId}` : ""}]`;
    super(idempotencyKey === undefined ? known : known + open);
  }

  /**
   * Whether a try before the refused one was sent and never answered. It was not done until the refusal (but see `outcomeUnknown`);
   * if it is still on its way it can be, since a refusal spends no key. Send the same again with `idempotencyKey`, or look into the
   * history.
   */
  get earlierTryOpen(): boolean {
    return this.idempotencyKey !== undefined;
  }
}

/** Nothing of the service's was heard, and nothing was done: the request was not sent, or it only reads. */
export class NoAnswer extends Error {
  override readonly name = "NoAnswer";
}

/**
 * The request may have been done, and no answer says so. Send it again with the same body and `idempotencyKey` as the header
 * `Idempotency-Key`: it is done once. Without a key (a change or a closing of a wallet) read the wallet and see.
 */
export class OutcomeUnknown extends Error {
  override readonly name = "OutcomeUnknown";

  constructor(
    message: string,
    readonly idempotencyKey: string | undefined,
    options: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Whether it is a refusal with this code; its facts are then those of the code. */
export function isProblem<C extends ProblemCode>(error: unknown, code: C): error is WalletProblem<C> {
  return error instanceof WalletProblem && error.code === code;
}

/** The refusal that a problem document tells of; what is none comes from a proxy. */
export function problemOf(document: unknown, status: number): WalletProblem {
  if (typeof document !== "object" || document === null || !("code" in document)) {
    const detail = `Not the service, something before it answered ${status}`;
    return new WalletProblem(status, undefined, detail, status === 429 || status >= 502, undefined, {});
  }
  const { type, title, status: _, instance, code, detail, retryable, request_id, ...facts } =
    document as components["schemas"]["Problem"] & Record<string, unknown>;
  return new WalletProblem(status, code, detail, retryable, request_id, facts as FactsOf<ProblemCode>);
}
