/** Texts, which are left as they are, and numbers. */
const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
/** A number that a `number` may not hold has 16 digits or more, or an exponent. */
const LONG = /\d[\d.]{15}|\d[eE]/;
/** Stands for a number in JSON. It is random, so no text of a caller or of the service can begin with it. */
const MARK = `${crypto.randomUUID()}:`;
const MARKED = new RegExp(`"${MARK}([^"]+)"`, "g");
/**
 * A number of `metadata` with a fraction that a `number` can't hold, such as 0.12345678901234567890. It can be sent again as it is.
 * Integers that a `number` can't hold are of the type `bigint`.
 */
export class LongDecimal {
    digits;
    constructor(
    /** The number with all its digits, as JSON has it. */
    digits) {
        this.digits = digits;
        if (!/^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(digits)) {
            throw new TypeError(`"${digits}" is not a number of JSON`);
        }
    }
    toString() {
        return this.digits;
    }
}
/** The value of a JSON text; undefined if the text is not JSON. */
export function parsed(text) {
    try {
        return JSON.parse(text);
    }
    catch {
        return undefined;
    }
}
/**
 * The value of a JSON text. A number that a `number` can't hold becomes a `bigint` or a `LongDecimal`.
 *
 * @throws SyntaxError the text is not JSON.
 */
export function exactly(text) {
    if (!LONG.test(text)) {
        return JSON.parse(text);
    }
    const marked = text.replace(TOKENS, (token) => (token.startsWith('"') || isExact(token) ? token : `"${MARK}${token}"`));
    return JSON.parse(marked, (_, value) => {
        if (typeof value !== "string" || !value.startsWith(MARK)) {
            return value;
        }
        const digits = value.slice(MARK.length);
        return /^-?\d+$/.test(digits) ? BigInt(digits) : new LongDecimal(digits);
    });
}
/**
 * The JSON of a value, with each `bigint` and `LongDecimal` as a number.
 *
 * @throws TypeError a number is not finite, or is an integer beyond 2^53: it may have lost digits before it came here.
 */
export function written(value) {
    let isMarked = false;
    const text = JSON.stringify(value, (name, item) => {
        if (typeof item === "bigint" || item instanceof LongDecimal) {
            isMarked = true;
            return MARK + String(item);
        }
        if (typeof item === "number" && !(Number.isFinite(item) && (!Number.isInteger(item) || Number.isSafeInteger(item)))) {
            const right = Number.isFinite(item) ? "a bigint, or text" : "a finite number";
            throw new TypeError(`${name || "the body"} is the number ${item}, which does not hold its exact value: send ${right}`);
        }
        return item;
    });
    return isMarked ? text.replace(MARKED, "$1") : text;
}
/** Whether the value is a JSON object. An array is not one. */
export function isObject(value) {
    return typeof value === "object" && value !== null && !Array.isArray(value);
}
/** Whether a `number` holds exactly what a JSON number says. */
function isExact(token) {
    const value = Number(token);
    if (/^-?\d+$/.test(token)) {
        return Number.isSafeInteger(value);
    }
    return Number.isFinite(value) && canonical(token) === canonical(String(value));
}
/** The number without its sign: its digits without zeros at either end, and the power of ten of the last one. */
function canonical(number) {
    const [mantissa = "", exponent = "0"] = number.toLowerCase().replace(/^-/, "").split("e");
    const [whole = "", fraction = ""] = mantissa.split(".");
    const digits = (whole + fraction).replace(/^0+/, "");
    const significant = digits.replace(/0+$/, "");
    return significant && `${significant}e${Number(exponent) - fraction.length + digits.length - significant.length}`;
}
