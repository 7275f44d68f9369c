import { WalletProblem } from "./errors.js";
import type { components } from "../schema.js";
/** The result of an operation of a batch that was refused. */
export type Refused = components["schemas"]["BatchRefused"];
/**
 * The client adds this to a refused operation when an earlier attempt of the batch was sent, got no response, and can still post it:
 * the refusal is not the ledger's, or the service is of release 0.1.0. The operation was not posted before the refusal, unless
 * `outcomeUnknown` is true: then the ledger did not decide, and the earlier attempt may have posted it. Send the operation again with
 * its `idempotencyKey`, alone or in a batch, or read the history.
 */
export interface EarlierAttempt {
    earlierAttempt?: {
        idempotencyKey: string;
        outcomeUnknown: boolean;
    };
}
/** The same type with `earlierAttempt` in refused operations of a batch. */
export type WithEarlierTries<T> = T extends Refused ? T & EarlierAttempt : T extends object ? {
    [K in keyof T]: WithEarlierTries<T[K]>;
} : T;
/** The refusal of an operation of a batch, as the error that `ok` throws for a single operation. */
export declare function refusalOf(result: Refused & EarlierAttempt): WalletProblem;
/**
 * The response to a batch after an earlier attempt without a response: refused operations get `earlierAttempt`. Any other response is
 * returned unchanged. undefined: it is not a response to this batch.
 */
export declare function withEarlierTries(request: Request, answer: Response, key: string | undefined, sent: string): Promise<Response | undefined>;
