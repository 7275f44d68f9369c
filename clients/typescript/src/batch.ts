import { isOfTheLedger, problemOf, type ProblemCode, supersedesEarlierAttempts, WalletProblem } from "./errors.js";
import { isObject, parsed } from "./json.js";
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
  earlierAttempt?: { idempotencyKey: string; outcomeUnknown: boolean };
}

/** The same type with `earlierAttempt` in refused operations of a batch. */
export type WithEarlierTries<T> = T extends Refused
  ? T & EarlierAttempt
  : T extends object
    ? { [K in keyof T]: WithEarlierTries<T[K]> }
    : T;

const PATH = /\/api\/v1\/transactions\/batch$/;

const TOKENS = /"(?:[^"\\]+|\\.)*"|[{}[\]]/g;

/** The refusal of an operation of a batch, as the error that `ok` throws for a single operation. */
export function refusalOf(result: Refused & EarlierAttempt): WalletProblem {
  const { status, code, detail, retryable, requestId, facts } = problemOf(result.problem, Number(result.problem.status));
  const { idempotencyKey, outcomeUnknown } = result.earlierAttempt ?? {};
  return new WalletProblem(status, code, detail, retryable, requestId, facts, idempotencyKey, outcomeUnknown);
}

/**
 * The response to a batch after an earlier attempt without a response: refused operations get `earlierAttempt`. Any other response is
 * returned unchanged. undefined: it is not a response to this batch.
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
    const earlierAttempt = { idempotencyKey, outcomeUnknown: !isOfTheLedger(problem?.code) };
    return status === "refused" && !supersedesEarlierAttempts(problem) ? `"earlierAttempt":${JSON.stringify(earlierAttempt)},` : "";
  });
  const { status, statusText } = answer;
  const headers = new Headers(answer.headers);
  headers.delete("Content-Length");
  return new Response(withMembers(text, members), { status, statusText, headers });
}

/** The text with these members added to its results. The rest is unchanged: JSON.parse would round its numbers. */
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
      name = token; // it may be a value, but never the one before a "["
    }
    return token;
  });
}
