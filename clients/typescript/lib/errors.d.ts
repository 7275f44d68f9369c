import type { components } from "../schema.js";
/** The code of a refusal. Codes are stable: use them for decisions in code. */
export type ProblemCode = components["schemas"]["Problem"]["code"];
/**
 * Whether only the ledger refuses with this code, after it has checked the key: then no earlier attempt was posted before. Other
 * refusals can come before the check of the key, so an earlier attempt may have been posted.
 */
export declare function isOfTheLedger(code: ProblemCode | undefined): boolean;
/** Whether no earlier attempt of the call can be posted any more: the ledger made sure of it when it refused this one. */
export declare function supersedesEarlierAttempts(problem: object | undefined): boolean;
interface ValueFault {
    in: string;
    pointer: string;
    detail: string;
    code: string;
}
/** Facts that any refusal may have. */
export interface CommonFacts {
    /** The ledger refused a later attempt of the call than the first, and no earlier one can be posted any more. */
    supersedes_earlier_attempts?: boolean;
    /** Of an atomic batch: the place of the refused operation, from 0. */
    index?: number;
    /** Of an atomic batch: the refusals of its operations. */
    results?: {
        status: "refused";
        problem: components["schemas"]["Problem"];
    }[];
    /** Of an import whose body can't be read to its end: the last line that was imported. */
    last_line_done?: number;
}
/**
 * The facts of a refusal, by its code; a code that is not listed has only those that any may have. Amounts are texts, in units of the
 * wallet's currency.
 */
export interface Facts {
    alert_limit: {
        wallet_id: string;
        set_by: "operator" | "owner";
        limit: number;
    };
    alert_not_found: {
        alert_id: string;
    };
    alert_not_own: {
        alert_id: string;
        set_by: "operator" | "owner";
    };
    amount_invalid: {
        errors?: ValueFault[];
    };
    amount_precision: {
        currency: string;
        exponent: number;
    };
    balance_limit: {
        wallet_id: string;
        errors?: ValueFault[];
    };
    balance_unchanged: {
        wallet_id: string;
    };
    book_exists: {
        book_id: string;
    };
    book_not_found: {
        book_id?: string;
        user_id?: string;
        organization_id?: string;
        wallet_id?: string;
    };
    budget_limit: {
        limit: number;
    };
    budget_not_found: {
        budget_id: string;
    };
    batch_aborted: {
        index?: number;
    };
    credit_limit_in_use: {
        wallet_id: string;
    };
    conversion_off: {
        wallet_id: string;
    };
    currency_mismatch: {
        currency: string;
        to_currency?: string;
    };
    currency_unknown: {
        currency: string;
        closest?: string;
    };
    cursor_expired: {
        oldest_number?: number;
        oldest_cursor?: string;
    };
    entries_unbalanced: {
        wallet_id: string;
        counter_account: string;
    };
    entry_not_found: {
        wallet_id: string;
        wallet_version: number;
    };
    entry_pending: {
        wallet_id: string;
        wallet_version: number;
    };
    file_incomplete: {
        size_bytes: number;
        sha256?: string;
    };
    file_quota_exceeded: {
        quota_bytes: number;
        used_bytes: number;
    };
    /**
     * `scope` or `scopes`: what the caller lacks. `max_amount` with `amount`, `allowed` with `counter_account`, `user_id`,
     * `organization_id`: what the key is restricted to, and what was sent. `wallet_id`: of an organization without the caller.
     */
    forbidden: {
        scope?: string;
        scopes?: string[];
        wallet_id?: string;
        user_id?: string;
        organization_id?: string;
        amount?: string;
        max_amount?: string;
        counter_account?: string;
        allowed?: string[];
    };
    grant_ended: {
        grant_id: string;
        state: string;
    };
    grant_limit: {
        wallet_id: string;
        limit: number;
    };
    grant_not_found: {
        grant_id: string;
    };
    grant_schedule_limit: {
        wallet_id: string;
        limit: number;
    };
    grant_schedule_not_found: {
        schedule_id: string;
    };
    grants_not_usable: {
        wallet_id: string;
        currency: string;
        shortfall: string;
        not_usable: string;
    };
    headers_too_large: {
        limit_bytes?: number;
        limit?: number;
        header?: string;
    };
    hold_ended: {
        hold_id: string;
        state: "captured" | "voided" | "expired";
    };
    /** `available`: what the wallet has beside its holds. */
    hold_exceeded: {
        hold_id: string;
        wallet_id: string;
        currency: string;
        remaining: string;
        available: string;
        excess: string;
    };
    hold_limit: {
        wallet_id: string;
        limit: number;
    };
    hold_not_found: {
        hold_id: string;
    };
    idempotency_key_reused: {
        transaction_id?: string;
    };
    insufficient_funds: {
        shortfall: string;
        wallet_id: string;
        currency?: string;
    };
    job_status: {
        job_id: string;
        job_status: string;
    };
    label_cycle: {
        label_id: string;
    };
    label_depth: {
        label_id: string;
        depth: number;
        limit: number;
    };
    label_exists: {
        label_id: string;
    };
    label_fixed: {
        label_id: string;
    };
    label_in_use: {
        label_id: string;
        uses: Record<string, number>;
    };
    label_merged: {
        label_id: string;
        merged_into: string;
    };
    label_not_found: {
        label_id: string;
    };
    /** `resets_at`: the earliest moment at which the same debit fits, if nothing else is spent; null: waiting does not help. */
    limit_exceeded: {
        wallet_id: string;
        limit_id: string;
        set_by: "operator" | "owner";
        period: "transaction" | "day" | "week" | "month" | "rolling";
        counter_account: string | null;
        limit_amount: string;
        used: string;
        reserved: string;
        remaining: string;
        resets_at: string | null;
    };
    meter_exists: {
        meter: string;
    };
    meter_not_found: {
        meter: string;
    };
    not_refundable: {
        transaction_id: string;
    };
    pair_exists: {
        pair_id: string;
    };
    pair_not_found: {
        pair_id: string;
    };
    parts_unbalanced: {
        wallet_id: string;
        wallet_version?: number;
        amount: string;
        sum: string;
    };
    payload_too_large: {
        limit_bytes: number;
    };
    price_not_found: {
        meter: string;
        currency: string | null;
        dimensions: Record<string, string>;
        timestamp: string;
        rate_card_id: string | null;
    };
    rate_card_ended: {
        rate_card_id: string;
        ends_at: string;
    };
    rate_card_not_found: {
        rate_card_id: string;
        version?: number;
    };
    rate_card_overlap: {
        meter: string;
        currency: string;
        rate_card_id: string;
        starts_at: string;
        ends_at: string | null;
    };
    rate_limited: {
        scope: "client" | "user" | "address";
        limit: number;
        window_s: number;
    };
    rate_version_limit: {
        rate_card_id: string;
        limit: number;
    };
    rate_version_overlap: {
        rate_card_id: string;
        version: number;
        effective_at: string;
    };
    quote_expired: {
        quote_id: string;
        expires_at: string;
    };
    quote_not_found: {
        quote_id: string;
    };
    rate_missing: {
        from: string;
        to: string;
    };
    rate_stale: {
        from: string;
        to: string;
        rated_on: string;
        max_age_h: number;
    };
    refund_exceeds: {
        transaction_id: string;
        refundable: string;
    };
    rule_limit: {
        book_id: string;
        limit: number;
    };
    rule_not_found: {
        rule_id: string;
    };
    rules_changed: {
        book_id: string;
        rules: number;
    };
    run_not_found: {
        run_id: string;
    };
    same_wallet: {
        wallet_id: string;
    };
    timestamp_refused: {
        timestamp: string;
        earliest: string;
        latest: string;
    };
    top_up_not_found: {
        top_up_id: string;
    };
    top_up_rule_not_found: {
        wallet_id: string;
    };
    top_up_under_way: {
        wallet_id: string;
        top_up_id: string;
    };
    transaction_not_found: {
        transaction_id?: string;
    };
    transaction_superseded: {
        transaction_id?: string;
    };
    upstream_unavailable: {
        upstream?: string;
    };
    /** Another event of the same id was accepted; `source` is null where the event named none. */
    usage_event_conflict: {
        event_id: string;
        source: string | null;
    };
    usage_not_found: {
        usage_id: string;
    };
    uri_too_long: {
        limit_bytes: number;
    };
    user_unknown: {
        user_id?: string;
    };
    validation_failed: {
        errors: ValueFault[];
    };
    vault_unavailable: {
        key_id?: string;
    };
    version_mismatch: {
        wallet_id?: string;
        book_id?: string;
        label_id?: string;
        rule_id?: string;
        budget_id?: string;
        version?: number;
        wallet_version?: number;
        etag?: string;
    };
    wallet_closed: {
        wallet_id: string;
    };
    wallet_exists: {
        wallet_id: string;
    };
    wallet_frozen: {
        wallet_id: string;
    };
    wallet_mirrored: {
        wallet_id?: string;
    };
    wallet_not_empty: {
        wallet_id: string;
    };
    wallet_not_found: {
        wallet_id?: string;
        user_id?: string;
        currency?: string;
    };
    webhook_limit: {
        limit: number;
    };
}
type FactsOf<C extends ProblemCode> = CommonFacts & (C extends keyof Facts ? Facts[C] : Record<string, unknown>);
/** A refusal by the service, or (without a code) by a proxy before it. */
export declare class WalletProblem<C extends ProblemCode = ProblemCode> extends Error {
    readonly status: number;
    readonly code: C | undefined;
    readonly detail: string;
    /** Whether the same request can succeed later without a change. */
    readonly retryable: boolean;
    /** The id of the request in the service's log. */
    readonly requestId: string | undefined;
    readonly facts: FactsOf<C>;
    /** The idempotency key of the request, if an earlier attempt got no response. */
    readonly idempotencyKey?: string | undefined;
    /**
     * Whether the earlier attempt may have been posted, because the ledger did not decide this refusal. Only for an operation of a
     * batch: a single call throws OutcomeUnknown then.
     */
    readonly outcomeUnknown: boolean;
    readonly name = "WalletProblem";
    constructor(status: number, code: C | undefined, detail: string, 
    /** Whether the same request can succeed later without a change. */
    retryable: boolean, 
    /** The id of the request in the service's log. */
    requestId: string | undefined, facts: FactsOf<C>, 
    /** The idempotency key of the request, if an earlier attempt got no response. */
    idempotencyKey?: string | undefined, 
    /**
     * Whether the earlier attempt may have been posted, because the ledger did not decide this refusal. Only for an operation of a
     * batch: a single call throws OutcomeUnknown then.
     */
    outcomeUnknown?: boolean);
    /**
     * Whether an earlier attempt was sent, got no response, and can still be posted: the creation of a wallet, a refusal by another part
     * than the ledger, or a service of release 0.1.0. It was not posted before the refusal (but see `outcomeUnknown`). Send the same
     * request again with `idempotencyKey`, or read the history.
     */
    get earlierAttemptOpen(): boolean;
}
/** There was no response from the service, and nothing was changed: the request was not sent, or it only reads. */
export declare class NoAnswer extends Error {
    readonly name = "NoAnswer";
}
/**
 * There was no response, and the request may have been done. Send it again with the same body and with `idempotencyKey` as the
 * header `Idempotency-Key`: it is done once. Without a key (a change or the closing of a wallet), read the wallet to find out.
 */
export declare class OutcomeUnknown extends Error {
    readonly idempotencyKey: string | undefined;
    readonly name = "OutcomeUnknown";
    constructor(message: string, idempotencyKey: string | undefined, options: ErrorOptions);
}
/** Whether the error is a refusal with this code. If so, its facts have the types of that code. */
export declare function isProblem<C extends ProblemCode>(error: unknown, code: C): error is WalletProblem<C>;
/** The refusal in a problem document. A body that is not one comes from a proxy. */
export declare function problemOf(document: unknown, status: number): WalletProblem;
export {};
