const OF_THE_LEDGER = new Set([
    "alert_limit",
    "alert_not_found",
    "alert_not_own",
    "amount_precision",
    "balance_limit",
    "balance_unchanged",
    "book_exists",
    "conversion_off",
    "budget_limit",
    "currency_mismatch",
    "currency_unknown",
    "entries_unbalanced",
    "grant_ended",
    "grant_limit",
    "grant_not_found",
    "grants_not_usable",
    "hold_ended",
    "hold_exceeded",
    "hold_limit",
    "hold_not_found",
    "idempotency_key_reused",
    "insufficient_funds",
    "label_depth",
    "label_exists",
    "label_not_found",
    "limit_exceeded",
    "not_refundable",
    "parts_unbalanced",
    "quote_expired",
    "quote_not_found",
    "rate_missing",
    "rate_stale",
    "refund_exceeds",
    "same_wallet",
    "timestamp_refused",
    "top_up_under_way",
    "transaction_not_found",
    "transaction_superseded",
    "wallet_closed",
    "wallet_exists",
    "wallet_frozen",
    "wallet_mirrored",
    "wallet_not_found",
]);
/**
 * Whether only the ledger refuses with this code, after it has checked the key: then no earlier attempt was posted before. Other
 * refusals can come before the check of the key, so an earlier attempt may have been posted.
 */
export function isOfTheLedger(code) {
    return code !== undefined && OF_THE_LEDGER.has(code);
}
/** Whether no earlier attempt of the call can be posted any more: the ledger made sure of it when it refused this one. */
export function supersedesEarlierAttempts(problem) {
    return problem !== undefined && "supersedes_earlier_attempts" in problem && problem.supersedes_earlier_attempts === true;
}
/** A refusal by the service, or (without a code) by a proxy before it. */
export class WalletProblem extends Error {
    status;
    code;
    detail;
    retryable;
    requestId;
    facts;
    idempotencyKey;
    outcomeUnknown;
    name = "WalletProblem";
    constructor(status, code, detail, 
    /** Whether the same request can succeed later without a change. */
    retryable, 
    /** The id of the request in the service's log. */
    requestId, facts, 
    /** The idempotency key of the request, if an earlier attempt got no response. */
    idempotencyKey, 
    /**
     * Whether the earlier attempt may have been posted, because the ledger did not decide this refusal. Only for an operation of a
     * batch: a single call throws OutcomeUnknown then.
     */
    outcomeUnknown = false) {
        const open = outcomeUnknown ? "; an earlier attempt may have been posted" : "; an earlier attempt may still be posted";
        const known = `${detail} [${code ?? status}${requestId ? `, request ${requestId}` : ""}]`;
        super(idempotencyKey === undefined ? known : known + open);
        this.status = status;
        this.code = code;
        this.detail = detail;
        this.retryable = retryable;
        this.requestId = requestId;
        this.facts = facts;
        this.idempotencyKey = idempotencyKey;
        this.outcomeUnknown = outcomeUnknown;
    }
    /**
     * Whether an earlier attempt was sent, got no response, and can still be posted: the creation of a wallet, a refusal by another part
     * than the ledger, or a service of release 0.1.0. It was not posted before the refusal (but see `outcomeUnknown`). Send the same
     * request again with `idempotencyKey`, or read the history.
     */
    get earlierAttemptOpen() {
        return this.idempotencyKey !== undefined;
    }
}
/** There was no response from the service, and nothing was changed: the request was not sent, or it only reads. */
export class NoAnswer extends Error {
    name = "NoAnswer";
}
/**
 * There was no response, and the request may have been done. Send it again with the same body and with `idempotencyKey` as the
 * header `Idempotency-Key`: it is done once. Without a key (a change or the closing of a wallet), read the wallet to find out.
 */
export class OutcomeUnknown extends Error {
    idempotencyKey;
    name = "OutcomeUnknown";
    constructor(message, idempotencyKey, options) {
        super(message, options);
        this.idempotencyKey = idempotencyKey;
    }
}
/** Whether the error is a refusal with this code. If so, its facts have the types of that code. */
export function isProblem(error, code) {
    return error instanceof WalletProblem && error.code === code;
}
/** The refusal in a problem document. A body that is not one comes from a proxy. */
export function problemOf(document, status) {
    if (typeof document !== "object" || document === null || !("code" in document)) {
        const detail = `Status ${status} from a proxy, not from the service`;
        return new WalletProblem(status, undefined, detail, status === 429 || status >= 502, undefined, {});
    }
    const { type, title, status: _, instance, code, detail, retryable, request_id, ...facts } = document;
    return new WalletProblem(status, code, detail, retryable, request_id, facts);
}
