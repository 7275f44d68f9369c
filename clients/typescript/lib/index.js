import { problemOf } from "./errors.js";
import { requestOf, resultOf } from "./requests.js";
import { retrying } from "./retry.js";
export { refusalOf } from "./batch.js";
export { isProblem, NoAnswer, OutcomeUnknown, WalletProblem } from "./errors.js";
export { LongDecimal } from "./json.js";
export { newKey } from "./retry.js";
/**
 * A client that retries requests when that is safe, and refuses numbers that are not exact.
 *
 * @throws TypeError the address or the key is neither given nor in the environment.
 */
export function walletClient(options = {}) {
    const { baseUrl, apiKey, fetch = (request) => globalThis.fetch(request), ...retries } = options;
    const url = baseUrl ?? fromEnvironment("baseUrl", "WALLET_URL");
    const key = apiKey ?? fromEnvironment("apiKey", "WALLET_API_KEY");
    const send = retrying(fetch, retries);
    const calls = (method) => async (path, init = {}) => resultOf(await send(requestOf(url, key, method, path, init), `${method} ${path}`), init.parseAs ?? "json");
    // The types of the calls are those of the service's document; at run time they are alike.
    return { GET: calls("GET"), POST: calls("POST"), PUT: calls("PUT"), PATCH: calls("PATCH"), DELETE: calls("DELETE") };
}
/**
 * The data of a successful response.
 *
 * @throws WalletProblem the call was refused.
 */
export async function ok(call) {
    const { data, error, response } = await call;
    if (!response.ok) {
        throw problemOf(error, response.status);
    }
    return data;
}
function fromEnvironment(option, variable) {
    const { process } = globalThis; // a browser has none
    const value = process?.env?.[variable];
    if (!value) {
        throw new TypeError(`${option} is missing: give it, or set the environment variable ${variable}`);
    }
    return value;
}
