import { problemOf, WalletProblem } from "./errors.js";
import type { components } from "./schema.js";

/** What the service says of an operation of a batch that it refused. */
export type Refused = components["schemas"]["BatchRefused"];

/**
 * What the client adds to a refused operation where a try of the batch before the answered one was sent and never answered. The
 * operation was not done until the refusal; if that try is still on its way it can be, since a refusal spends no key. Send the
 * operation again with its `idempotencyKey`, alone or in a batch, or look into the history.
 */
export interface EarlierTry {
  earlierTry?: { idempotencyKey: string };
}

/** The same type, in which refused operations of a batch say whether an earlier try is open. */
export type WithEarlierTries<T> = T extends Refused
  ? T & EarlierTry
  : T extends object
    ? { [K in keyof T]: WithEarlierTries<T[K]> }
    : T;

const PATH = /\/api\/v1\/transactions\/batch$/;

/** The refusal of an operation of a batch, as `ok` would throw it of a call of its own. */
export function refusalOf(result: Refused & EarlierTry): WalletProblem {
  const { status, code, detail, retryable, requestId, facts } = problemOf(result.problem, Number(result.problem.status));
  return new WalletProblem(status, code, detail, retryable, requestId, facts, result.earlierTry?.idempotencyKey);
}

/** The answer to a batch of which an earlier try is open, in which what was refused says so; any other answer as it is. */
export async function withEarlierTries(request: Request, answer: Response, key: string | undefined): Promise<Response> {
  if (key === undefined || !PATH.test(new URL(request.url).pathname)) {
    return answer;
  }
  const sent = (await request.clone().json()) as { operations: { idempotency_key?: string | null }[] };
  const document = (await answer.json()) as components["schemas"]["BatchAnswer"];
  const results = document.results.map((result, index) =>
    result.status === "refused"
      ? { ...result, earlierTry: { idempotencyKey: sent.operations[index]?.idempotency_key ?? `${key}/${index}` } }
      : result,
  );
  const { status, statusText } = answer;
  const headers = new Headers(answer.headers);
  headers.delete("Content-Length");
  return new Response(JSON.stringify({ ...document, results }), { status, statusText, headers });
}
