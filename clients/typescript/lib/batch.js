import { isOfTheLedger, problemOf, supersedesEarlierAttempts, WalletProblem } from "./errors.js";
import { isObject, parsed } from "./json.js";
const PATH = /\/api\/v1\/transactions\/batch$/;
const TOKENS = /"(?:[^"\\]+|\\.)*"|[{}[\]]/g;
/** The refusal of an operation of a batch, as the error that `ok` throws for a single operation. */
export function refusalOf(result) {
    const { status, code, detail, retryable, requestId, facts } = problemOf(result.problem, Number(result.problem.status));
    const { idempotencyKey, outcomeUnknown } = result.earlierAttempt ?? {};
    return new WalletProblem(status, code, detail, retryable, requestId, facts, idempotencyKey, outcomeUnknown);
}
/**
 * The response to a batch after an earlier attempt without a response: refused operations get `earlierAttempt`. Any other response is
 * returned unchanged. undefined: it is not a response to this batch.
 */
export async function withEarlierTries(request, answer, key, sent) {
    if (key === undefined || !PATH.test(new URL(request.url).pathname)) {
        return answer;
    }
    const { operations } = JSON.parse(sent);
    const text = await answer.text();
    const { results } = (parsed(text) ?? {});
    if (!Array.isArray(results) || results.length !== operations.length || !results.every(isObject)) {
        return undefined;
    }
    const members = results.map(({ status, problem }, index) => {
        const idempotencyKey = operations[index]?.idempotency_key ?? `${key}/${index}`;
        const earlierAttempt = { idempotencyKey, outcomeUnknown: !isOfTheLedger(problem?.code) };
        return status === "refused" && !supersedesEarlierAttempts(problem) ? `"earlierAttempt":${JSON.stringify(earlierAttempt)},` : "";
    });
    const { status, statusText } = answer;
    const headers = new Headers(answer.headers);
    headers.delete("Content-Length");
    return new Response(withMembers(text, members), { status, statusText, headers });
}
/** The text with these members added to its results. The rest is unchanged: JSON.parse would round its numbers. */
function withMembers(text, members) {
    let depth = 0;
    let name = "";
    let index = 0;
    return text.replace(TOKENS, (token) => {
        if (token === "}" || token === "]") {
            depth -= 1;
        }
        else if (token === "{" || token === "[") {
            depth += 1;
            return depth === 3 && name === '"results"' ? token + (members[index++] ?? "") : token;
        }
        else if (depth === 1) {
            name = token; // it may be a value, but never the one before a "["
        }
        return token;
    });
}
