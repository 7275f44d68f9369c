/** The members of requests that are amounts. */
export type AmountMember = "amount" | "initial_balance" | "credit_limit";
/** The same type without numbers for amounts, because numbers are not exact: 0.1 + 0.2 is 0.30000000000000004. */
export type ExactAmounts<T> = T extends object ? {
    [K in keyof T]: K extends AmountMember ? Exclude<T[K], number> : ExactAmounts<T[K]>;
} : T;
/**
 * Refuse a body that has a number as an amount. The types forbid it, but a cast can hide it.
 *
 * @throws TypeError with the name of the member.
 */
export declare function refuseNumbers(body: unknown): void;
