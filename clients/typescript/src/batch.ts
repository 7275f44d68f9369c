import { isOfTheLedger, problemOf, type ProblemCode, WalletProblem } from "./errors.js";
import { isObject, parsed } from "./json.js";
import type { components } from "./schema.js";

/** What the service says of an operation of a batch that it refused. */
export type Refused = components["schemas"]["BatchRefused"];

/**
 * What the client adds to a refused operation where a try of the batch before the answered one was sent and never answered. The
 * operation was not done until the refusal, unless `outcomeUnknown`: then the refusal is not the ledger's, and that try may have
 * done it. If it is still on its way it can be done yet, since a refusal spends no key. Send the operation again with its
 * `idempotencyKey`, alone or in a batch, or look into the history.
 */
export interface EarlierTry {
  earlierTry?: { idempotencyKey: string; outcomeUnknown: boolean };
}

/** The same type, in which refused operations of a batch say whether an earlier try is open. */
export type WithEarlierTries<T> = T extends Refused
  ? T & EarlierTry
  : T extends object
    ? { [K in keyof T]: WithEarlierTries<T[K]> }
    : T;

const PATH = /\/api\/v1\/transactions\/batch$/;

const TOKENS = /"(?:[^"\\]+|\\.)*"|[{}[\]]/g;

/** The refusal of an operation of a batch, as `ok` would throw it of a call of its own. */
export function refusalOf(result: Refused & EarlierTry): WalletProblem {
  const { status, code, detail, retryable, requestId, facts } = problemOf(result.problem, Number(result.problem.status));
  const { idempotencyKey, outcomeUnknown } = result.earlierTry ?? {};
  return new WalletProblem(status, code, detail, retryable, requestId, facts, idempotencyKey, outcomeUnknown);
}

/**
 * The answer to a batch of which an earlier try is open, in which what was refused says so; any other answer as it is.
 * undefined: it is no answer to this batch.
 */
export async function withEarlierTries(
  request: Request,
  answer: Response,
  key: string | undefined,
  sent: string,
): Promise<Response | undefined> {
  if (key === undefined || !PATH.test(new URL(request.url).pathname)) {
    return answer;
  }
  const { operations } = JSON.parse(sent) as { operations: { idempotency_key?: string | null }[] };
  const text = await answer.text();
  const { results } = (parsed(text) ?? {}) as { results?: { status?: string; problem?: { code?: ProblemCode } }[] };
  if (!Array.isArray(results) || results.length !== operations.length || !results.every(isObject)) {
    return undefined;
  }
  const members = results.map(({ status, problem }, index) => {
    const idempotencyKey = operations[index]?.idempotency_key ?? `${key}/${index}`;
    const earlierTry = { idempotencyKey, outcomeUnknown: !isOfTheLedger(problem?.code) };
    return status === "refused" ? `"earlierTry":${JSON.stringify(earlierTry)},` : "";
  });
  const { status, statusText } = answer;
  const headers = new Headers(answer.headers);
  headers.delete("Content-Length");
  return new Response(withMembers(text, members), { status, statusText, headers });
}

/** The text with these members in its results. What else it says stays as it is: JSON.parse would round its numbers. */
function withMembers(text: string, members: string[]): string {
  let depth = 0;
  let name = "";
  let index = 0;
  return text.replace(TOKENS, (token) => {
    if (token === "}" || token === "]") {
      depth -= 1;
    } else if (token === "{" || token === "[") {
      depth += 1;
      return depth === 3 && name === '"results"' ? token + (members[index++] ?? "") : token;
    } else if (depth === 1) {
      name = token; // or a value, but not before a "["
    }
    return token;
  });
}
