import { withEarlierTries } from "./batch.js";
import {
  isOfTheLedger,
  NoAnswer,
  OutcomeUnknown,
  problemOf,
  type ProblemCode,
  supersedesEarlierAttempts,
  WalletProblem,
} from "./errors.js";
import { isObject, parsed } from "./json.js";

export interface RetryOptions {
  /** The longest time of a call, with all attempts and waits, in milliseconds. Default 30,000. */
  budgetMs?: number;
  /**
   * The longest time of a call while no attempt has reached the service, because nothing listens at its address, in milliseconds.
   * Default 3,000. After an attempt that reached it, only `budgetMs` counts.
   */
  connectBudgetMs?: number;
  /** The longest time of one attempt, in milliseconds. Default 10,000. */
  timeoutMs?: number;
  /** The maximum number of retries. Default 5. */
  maxRetries?: number;
  /** Called with a line of text before each retry: the path without its ids, and why the attempt failed. Default: nothing is logged. */
  log?: (line: string) => void;
}

const AGAIN = new Set([408, 429, 502, 503, 504]);
const BASE_MS = 100;
const LONGEST_MS = 5000;
const READS = new Set(["GET", "HEAD"]);

// Refusals with which the attempt certainly changed nothing, although their status may be 5xx.
const NOTHING_DONE = new Set<ProblemCode>(["rate_limited", "overloaded", "wallet_busy", "upstream_unavailable", "vault_unavailable"]);
// EHOSTUNREACH and similar codes are not here, because a host can become unreachable in the middle of a request.
const UNSENT = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "UND_ERR_CONNECT_TIMEOUT"]);
const NOT_JSON = /^(text\/csv|application\/x-ndjson)\b/; // a statement, an import

type Fetch = (request: Request) => Promise<Response>;
/** Sends a request; the route names it in the log. */
type Send = (request: Request, route: string) => Promise<Response>;
/** The end of an attempt: a response, which is a refusal if it has `problem`; or no usable response. */
type Attempt = { response: Response; problem?: WalletProblem } | { error: unknown; sent: boolean; again: boolean };

/**
 * A fetch that retries a request when that is safe and can help: after a lost connection, a timeout, status 408, 429, 502, 503 or
 * 504, and incomplete JSON. All attempts of a POST have the same idempotency key, so it is done once. They name their call and
 * their number, so that no attempt is done after a later one was refused.
 *
 * It throws NoAnswer, OutcomeUnknown, a WalletProblem if an attempt before the refusal got no response, a TypeError if the key
 * is empty, or the reason with which the caller's signal was aborted.
 */
export function retrying(fetch: Fetch, options: RetryOptions = {}): Send {
  const { budgetMs = 30_000, connectBudgetMs = 3000, timeoutMs = 10_000, maxRetries = 5, log } = options;
  return async (request, route) => {
    const started = performance.now();
    const deadline = started + budgetMs;
    const body = request.method === "POST" ? await request.clone().text() : "";
    const key = named(request, body);
    const writes = !READS.has(request.method) && memberOf(body, "dry_run") !== true;
    const first = key === undefined ? 0 : attemptOf(request);
    let open = false;
    let reached = false;
    for (let retries = 0; ; retries++) {
      if (key !== undefined) {
        request.headers.set("Idempotency-Attempt", String(first + retries));
      }
      const leftMs = Math.max(1, Math.ceil(Math.min(timeoutMs, deadline - performance.now())));
      const attempt = await once(fetch, request, leftMs);
      request.signal.throwIfAborted();
      if ("response" in attempt && !attempt.problem) {
        const answer = open ? await withEarlierTries(request, attempt.response, key, body) : attempt.response;
        return answer ?? ended(request, key, open, { error: new Error("not a response to this batch"), sent: true, again: false });
      }
      open ||= writes && mayHaveDone(attempt);
      reached ||= "response" in attempt || attempt.sent;
      const latest = reached ? deadline : Math.min(deadline, started + connectBudgetMs);
      const waitMs = afterMs(attempt) + Math.random() * Math.min(LONGEST_MS, BASE_MS * 2 ** retries);
      if (!mayHelp(attempt) || retries >= maxRetries || performance.now() + waitMs >= latest) {
        return ended(request, key, open, attempt);
      }
      log?.(`${route}: ${causeOf(attempt)}; attempt ${retries + 2} follows in ${Math.round(waitMs)} ms`);
      await wait(waitMs, request.signal);
    }
  };
}

/** The result of a call after its last attempt: a response, or an error that is thrown. */
function ended(request: Request, key: string | undefined, open: boolean, attempt: Attempt): Response {
  const { origin, pathname } = new URL(request.url);
  const where = `${request.method} ${origin}${pathname}`;
  if ("response" in attempt) {
    if (!open || supersedesEarlierAttempts(attempt.problem?.facts)) {
      return attempt.response;
    }
    const { status, code, detail, retryable, requestId, facts } = attempt.problem as WalletProblem;
    if (key !== undefined && isOfTheLedger(code)) {
      throw new WalletProblem(status, code, detail, retryable, requestId, facts, key);
    }
  }
  const cause = "response" in attempt ? attempt.problem : attempt.error;
  if (open) {
    throw new OutcomeUnknown(`${where}: the outcome is unknown (${causeOf(attempt)})`, key, { cause });
  }
  throw new NoAnswer(`${where}: no response (${causeOf(attempt)})`, { cause });
}

/** Why an attempt failed: the problem's code, or what the system reported, such as "connect ECONNREFUSED 127.0.0.1:8208". */
function causeOf(attempt: Attempt): string {
  if ("response" in attempt) {
    return attempt.problem?.code ?? `status ${attempt.response.status}`;
  }
  let error = attempt.error as { message?: string; cause?: unknown; errors?: unknown[] } | undefined;
  while (error?.cause ?? error?.errors?.[0]) {
    error = (error?.cause ?? error?.errors?.[0]) as typeof error; // fetch has the reason as its cause, one for each address
  }
  return error?.message || String(attempt.error);
}

async function once(fetch: Fetch, request: Request, timeoutMs: number): Promise<Attempt> {
  const signal = AbortSignal.any([request.signal, AbortSignal.timeout(timeoutMs)]);
  try {
    const answer = await fetch(new Request(request.clone(), { signal }));
    // The body is read here, so that an attempt with an incomplete response is repeated.
    const body = await answer.arrayBuffer();
    const { status, statusText, headers } = answer;
    const response = new Response(body.byteLength ? body : null, { status, statusText, headers });
    return checked(request, response, new TextDecoder().decode(body));
  } catch (error) {
    return { error, sent: !unsent((error as Error | undefined)?.cause), again: true };
  }
}

/** The response, if it is one of the service. A page of a proxy does not mean that the request was done. */
function checked(request: Request, response: Response, body: string): Attempt {
  if (!response.ok) {
    return { response, problem: problemOf(parsed(body), response.status) };
  }
  const type = response.headers.get("Content-Type") ?? "no content";
  const isJson = /^application\/json\b/.test(type);
  if (isJson ? isObject(parsed(body)) : NOT_JSON.test(type) || new URL(request.url).pathname.endsWith("/metrics")) {
    return { response };
  }
  const error = new Error(`status ${response.status}, ${type}: not a response of the service`);
  return { error, sent: true, again: isJson && parsed(body) === undefined };
}

/** Whether the request certainly did not reach the service. There is an error for each address that was used. */
function unsent(cause: unknown): boolean {
  const { code, syscall, errors } = (cause ?? {}) as { code?: string; syscall?: string; errors?: unknown[] };
  return errors?.length ? errors.every(unsent) : syscall === "connect" || (code !== undefined && UNSENT.has(code));
}

/** Whether the attempt may have changed something although it failed. */
function mayHaveDone(attempt: Attempt): boolean {
  if ("error" in attempt) {
    return attempt.sent;
  }
  const { status, code } = attempt.problem as WalletProblem;
  return status >= 500 && !(code !== undefined && NOTHING_DONE.has(code));
}

/** Whether the same request may succeed a moment later. */
function mayHelp(attempt: Attempt): boolean {
  return "error" in attempt ? attempt.again : AGAIN.has(attempt.response.status) && attempt.problem?.retryable === true;
}

/** The idempotency key of a POST: the one in its header or body, or a new one, which is added as a header. */
function named(request: Request, body: string): string | undefined {
  if (request.method !== "POST") {
    return undefined;
  }
  const given = request.headers.get("Idempotency-Key") ?? memberOf(body, "idempotency_key");
  if (given === "") {
    throw new TypeError("The idempotency key is empty, so no retry would be safe. Leave it out, and the client creates one");
  }
  if (typeof given === "string") {
    return given;
  }
  const key = newKey();
  request.headers.set("Idempotency-Key", key);
  return key;
}

/** The number of the first attempt. The call gets a name, unless the caller continues one that has a name. */
function attemptOf(request: Request): number {
  if (request.headers.has("Idempotency-Call")) {
    return Number(request.headers.get("Idempotency-Attempt") ?? 1);
  }
  request.headers.set("Idempotency-Call", newKey());
  return 1;
}

function memberOf(body: string, name: "idempotency_key" | "dry_run"): unknown {
  const document = parsed(body); // undefined: CSV, or lines
  return isObject(document) ? (document as { [member: string]: unknown })[name] : undefined;
}

/** A new UUIDv7. Later ones sort after earlier ones. */
export function newKey(): string {
  const time = Date.now().toString(16).padStart(12, "0");
  const random = crypto.randomUUID().slice(15);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${random}`;
}

/** `Retry-After`, which has seconds or a date, as milliseconds from now. */
function afterMs(attempt: Attempt): number {
  const value = ("response" in attempt && attempt.response.headers.get("Retry-After")) || "0";
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Math.max(0, ms || 0);
}

function wait(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const aborted = () => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", aborted);
      resolve();
    }, ms);
    signal.addEventListener("abort", aborted, { once: true });
  });
}
