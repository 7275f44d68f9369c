/**
 * A number of `metadata` with a fraction that a `number` can't hold, such as 0.12345678901234567890. It can be sent again as it is.
 * Integers that a `number` can't hold are of the type `bigint`.
 */
export declare class LongDecimal {
    /** The number with all its digits, as JSON has it. */
    readonly digits: string;
    constructor(
    /** The number with all its digits, as JSON has it. */
    digits: string);
    toString(): string;
}
/** The value of a JSON text; undefined if the text is not JSON. */
export declare function parsed(text: string): unknown;
/**
 * The value of a JSON text. A number that a `number` can't hold becomes a `bigint` or a `LongDecimal`.
 *
 * @throws SyntaxError the text is not JSON.
 */
export declare function exactly(text: string): unknown;
/**
 * The JSON of a value, with each `bigint` and `LongDecimal` as a number.
 *
 * @throws TypeError a number is not finite, or is an integer beyond 2^53: it may have lost digits before it came here.
 */
export declare function written(value: unknown): string;
/** Whether the value is a JSON object. An array is not one. */
export declare function isObject(value: unknown): value is object;
