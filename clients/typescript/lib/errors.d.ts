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
/** The facts of a refusal, by its code. Amounts are texts, in units of the wallet's currency. */
export interface Facts {
    insufficient_funds: {
        shortfall: string;
        wallet_id: string;
        currency?: string;
    };
    amount_precision: {
        currency: string;
        exponent: number;
    };
    currency_unknown: {
        currency: string;
        closest?: string;
    };
    wallet_exists: {
        wallet_id: string;
    };
    forbidden: {
        scope?: string;
    };
    payload_too_large: {
        limit_bytes: number;
    };
    uri_too_long: {
        limit_bytes: number;
    };
    headers_too_large: {
        limit_bytes?: number;
        limit?: number;
        header?: string;
    };
    refund_exceeds: {
        transaction_id: string;
        refundable: string;
    };
    version_mismatch: {
        wallet_id: string;
        version: number;
    };
    rate_limited: {
        scope: "client" | "user" | "address";
        limit: number;
        window_s: number;
    };
    validation_failed: {
        errors: {
            in: string;
            pointer: string;
            detail: string;
            code: string;
        }[];
    };
}
type FactsOf<C extends ProblemCode> = C extends keyof Facts ? Facts[C] : Record<string, unknown>;
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
