export interface RetryOptions {
    /** The longest time of a call, with all attempts and waits, in milliseconds. Default 30,000. */
    budgetMs?: number;
    /**
     * The longest time of a call while no attempt has reached the service, because nothing listens at its address, in milliseconds.
     * Default 3,000. After an attempt that reached it, only `budgetMs` counts.
     */
    connectBudgetMs?: number;
    /** The longest time of one attempt, in milliseconds. Default 10,000. */
    timeoutMs?: number;
    /** The maximum number of retries. Default 5. */
    maxRetries?: number;
    /** Called with a line of text before each retry: the path without its ids, and why the attempt failed. Default: nothing is logged. */
    log?: (line: string) => void;
}
type Fetch = (request: Request) => Promise<Response>;
/** Sends a request; the route names it in the log. */
type Send = (request: Request, route: string) => Promise<Response>;
/**
 * A fetch that retries a request when that is safe and can help: after a lost connection, a timeout, status 408, 429, 502, 503 or
 * 504, and incomplete JSON. All attempts of a POST have the same idempotency key, so it is done once. They name their call and
 * their number, so that no attempt is done after a later one was refused.
 *
 * It throws NoAnswer, OutcomeUnknown, a WalletProblem if an attempt before the refusal got no response, a TypeError if the key
 * is empty, or the reason with which the caller's signal was aborted.
 */
export declare function retrying(fetch: Fetch, options?: RetryOptions): Send;
/** A new UUIDv7. Later ones sort after earlier ones. */
export declare function newKey(): string;
export {};
