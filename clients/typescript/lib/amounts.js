const AMOUNTS = new Set(["amount", "initial_balance", "credit_limit"]);
/**
 * Refuse a body that has a number as an amount. The types forbid it, but a cast can hide it.
 *
 * @throws TypeError with the name of the member.
 */
export function refuseNumbers(body) {
    if (typeof body !== "object" || body === null) {
        return;
    }
    for (const [name, value] of Object.entries(body)) {
        if (AMOUNTS.has(name) && typeof value === "number") {
            throw new TypeError(`${name} is a number, which can't hold every amount exactly: send text, "${value}"`);
        }
        if (name === "operations" && Array.isArray(value)) {
            value.forEach(refuseNumbers);
        }
    }
}
