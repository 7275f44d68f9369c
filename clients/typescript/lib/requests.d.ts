import type { CommonInit, ParseAs } from "./calls.js";
type Value = string | number | boolean | null | undefined;
/** What a call was given, without the types of its path. */
export interface AnyInit extends CommonInit {
    params?: {
        path?: Record<string, Value>;
        query?: Record<string, Value | Value[]>;
        header?: Record<string, Value>;
    };
    body?: unknown;
    parseAs?: ParseAs;
}
/**
 * The request of a call.
 *
 * @throws TypeError a value can't be sent: an amount as a number, a number that is not exact, a name that can't be in a path.
 */
export declare function requestOf(baseUrl: string, apiKey: string, method: string, path: string, init: AnyInit): Request;
/** The result of a call, from its response. */
export declare function resultOf(response: Response, parseAs: ParseAs): Promise<{
    data?: unknown;
    error?: unknown;
    response: Response;
}>;
export {};
