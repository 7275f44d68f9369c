import { withEarlierTries } from "./batch.js";
import { isOfTheLedger, NoAnswer, OutcomeUnknown, problemOf, type ProblemCode, WalletProblem } from "./errors.js";
import { isObject, parsed } from "./json.js";

export interface RetryOptions {
  /** How long a call may take with all its tries and waits. Default 30,000. */
  budgetMs?: number;
  /** How long one try may take. Default 10,000. */
  timeoutMs?: number;
  /** Tries after the first. Default 5. */
  maxRetries?: number;
}

const AGAIN = new Set([429, 502, 503, 504]);
const BASE_MS = 100;
const LONGEST_MS = 5000;
const READS = new Set(["GET", "HEAD"]);

// Of the refusals with 5xx, those of a try that surely did nothing.
const NOTHING_DONE = new Set<ProblemCode>(["rate_limited", "overloaded", "wallet_busy", "upstream_unavailable"]);
// A host can become unreachable in the middle of a request as well, so that EHOSTUNREACH and the like are not here.
const UNSENT = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "UND_ERR_CONNECT_TIMEOUT"]);
const NOT_JSON = /^(text\/csv|application\/x-ndjson)\b/; // a statement, an import

type Fetch = (request: Request) => Promise<Response>;
/** What came of a try: an answer, a refusal if `problem` is there; or none that can be used. */
type Try = { response: Response; problem?: WalletProblem } | { error: unknown; sent: boolean; again: boolean };

/**
 * A fetch that sends a request again while that is safe and can help: after a lost connection, a timeout, 429, 502, 503 and
 * 504, and after JSON that breaks off. A POST is sent under an idempotency key, made once before the first try, so that it is
 * done once.
 *
 * It throws NoAnswer, OutcomeUnknown, a WalletProblem where a try before the refusal is still open, a TypeError where the key
 * is empty, or what the caller's own signal was aborted with.
 */
export function retrying(fetch: Fetch, options: RetryOptions = {}): Fetch {
  const { budgetMs = 30_000, timeoutMs = 10_000, maxRetries = 5 } = options;
  return async (request) => {
    const deadline = performance.now() + budgetMs;
    const body = request.method === "POST" ? await request.clone().text() : "";
    const key = named(request, body);
    const writes = !READS.has(request.method) && memberOf(body, "dry_run") !== true;
    let open = false;
    for (let retries = 0; ; retries++) {
      const leftMs = Math.max(1, Math.ceil(Math.min(timeoutMs, deadline - performance.now())));
      const tried = await once(fetch, request, leftMs);
      request.signal.throwIfAborted();
      if ("response" in tried && !tried.problem) {
        const answer = open ? await withEarlierTries(request, tried.response, key, body) : tried.response;
        return answer ?? ended(request, key, open, { error: new Error("no answer to a batch"), sent: true, again: false });
      }
      open ||= writes && mayHaveDone(tried);
      const waitMs = afterMs(tried) + Math.random() * Math.min(LONGEST_MS, BASE_MS * 2 ** retries);
      if (!mayHelp(tried) || retries >= maxRetries || performance.now() + waitMs >= deadline) {
        return ended(request, key, open, tried);
      }
      await waiting(waitMs, request.signal);
    }
  };
}

/** What the last try's end means for the call. */
function ended(request: Request, key: string | undefined, open: boolean, tried: Try): Response {
  const { origin, pathname } = new URL(request.url);
  const where = `${request.method} ${origin}${pathname}`;
  if ("response" in tried) {
    if (!open) {
      return tried.response;
    }
    const { status, code, detail, retryable, requestId, facts } = tried.problem as WalletProblem;
    if (key !== undefined && isOfTheLedger(code)) {
      throw new WalletProblem(status, code, detail, retryable, requestId, facts, key);
    }
  }
  const cause = "response" in tried ? tried.problem : tried.error;
  if (open) {
    throw new OutcomeUnknown(`${where}: it may have been done or not`, key, { cause });
  }
  throw new NoAnswer(`${where}: no answer`, { cause });
}

async function once(fetch: Fetch, request: Request, timeoutMs: number): Promise<Try> {
  const signal = AbortSignal.any([request.signal, AbortSignal.timeout(timeoutMs)]);
  try {
    const answer = await fetch(new Request(request.clone(), { signal }));
    // Read here, so that an answer that is cut off on its way is asked for again.
    const body = await answer.arrayBuffer();
    const { status, statusText, headers } = answer;
    const response = new Response(body.byteLength ? body : null, { status, statusText, headers });
    return heard(request, response, new TextDecoder().decode(body));
  } catch (error) {
    return { error, sent: !unsent((error as Error | undefined)?.cause), again: true };
  }
}

/** An answer, as far as it is one of the service's: a page of a proxy does not tell that anything was done. */
function heard(request: Request, response: Response, body: string): Try {
  if (!response.ok) {
    return { response, problem: problemOf(parsed(body), response.status) };
  }
  const type = response.headers.get("Content-Type") ?? "no content";
  const isJson = /^application\/json\b/.test(type);
  if (isJson ? isObject(parsed(body)) : NOT_JSON.test(type) || new URL(request.url).pathname.endsWith("/metrics")) {
    return { response };
  }
  const error = new Error(`status ${response.status}, ${type}: nothing that the service answers`);
  return { error, sent: true, again: isJson && parsed(body) === undefined };
}

/** Whether the service can't have heard of the request; several addresses may have been tried. */
function unsent(cause: unknown): boolean {
  const { code, syscall, errors } = (cause ?? {}) as { code?: string; syscall?: string; errors?: unknown[] };
  return errors?.length ? errors.every(unsent) : syscall === "connect" || (code !== undefined && UNSENT.has(code));
}

/** Whether the try may have been done although it ended so. */
function mayHaveDone(tried: Try): boolean {
  if ("error" in tried) {
    return tried.sent;
  }
  const { status, code } = tried.problem as WalletProblem;
  return status >= 500 && !(code !== undefined && NOTHING_DONE.has(code));
}

/** Whether the same request may get through a moment later. */
function mayHelp(tried: Try): boolean {
  return "error" in tried ? tried.again : AGAIN.has(tried.response.status) && tried.problem?.retryable === true;
}

/** Give a POST a key unless its header or body names one; the key. */
function named(request: Request, body: string): string | undefined {
  if (request.method !== "POST") {
    return undefined;
  }
  const given = request.headers.get("Idempotency-Key") ?? memberOf(body, "idempotency_key");
  if (given === "") {
    throw new TypeError("The idempotency key is empty: nobody could send this again safely. Without one, one is made");
  }
  if (typeof given === "string") {
    return given;
  }
  const key = newKey();
  request.headers.set("Idempotency-Key", key);
  return key;
}

function memberOf(body: string, name: "idempotency_key" | "dry_run"): unknown {
  const document = parsed(body); // undefined: CSV, or lines
  return isObject(document) ? (document as { [member: string]: unknown })[name] : undefined;
}

/** A UUIDv7: what was made later sorts later. */
export function newKey(): string {
  const time = Date.now().toString(16).padStart(12, "0");
  const random = crypto.randomUUID().slice(15);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${random}`;
}

/** `Retry-After` in milliseconds from now: seconds, or a date. */
function afterMs(tried: Try): number {
  const value = ("response" in tried && tried.response.headers.get("Retry-After")) || "0";
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Math.max(0, ms || 0);
}

function waiting(ms: number, signal: AbortSignal): Promise<void> {
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
