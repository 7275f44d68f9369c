import { NoAnswer, OutcomeUnknown, problemOf, type ProblemCode, type WalletProblem } from "./errors.js";

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
const NOTHING_DONE = new Set<ProblemCode>(["rate_limited", "overloaded", "wallet_busy", "neighbour_unavailable"]);
// Answered before anybody looked at the key: it tells nothing of an earlier try.
const NOT_OF_THE_LEDGER = new Set([401, 403, 429]);
const UNSENT = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH", "UND_ERR_CONNECT_TIMEOUT"]);

type Fetch = (request: Request) => Promise<Response>;
type Try = { response: Response; sent: true } | { error: unknown; sent: boolean };

/**
 * A fetch that sends a request again while that is safe and can help: after a lost connection, a timeout, 429, 502, 503 and
 * 504. A POST is sent under an idempotency key, made once before the first try, so that it is done once.
 *
 * It throws NoAnswer, OutcomeUnknown, or what the caller's own signal was aborted with.
 */
export function retrying(fetch: Fetch, options: RetryOptions = {}): Fetch {
  const { budgetMs = 30_000, timeoutMs = 10_000, maxRetries = 5 } = options;
  return async (request) => {
    const deadline = performance.now() + budgetMs;
    const key = await named(request);
    let open = false;
    for (let retries = 0; ; retries++) {
      const leftMs = Math.max(1, Math.ceil(Math.min(timeoutMs, deadline - performance.now())));
      const tried = await once(fetch, request, leftMs);
      request.signal.throwIfAborted();
      const answer = "response" in tried ? tried.response : undefined;
      if (answer && answer.status < 400) {
        return answer;
      }
      const problem = answer && problemOf(await document(answer), answer.status);
      if (problem && key && settles(problem)) {
        open = false;
      } else if (tried.sent && !READS.has(request.method) && !(problem && nothingDone(problem))) {
        open = true;
      }
      const again = !problem || (AGAIN.has(problem.status) && problem.retryable);
      const waitMs = afterMs(answer) + Math.random() * Math.min(LONGEST_MS, BASE_MS * 2 ** retries);
      if (!again || retries >= maxRetries || performance.now() + waitMs >= deadline) {
        return ended(request, key, open, tried);
      }
      await waiting(waitMs, request.signal);
    }
  };
}

/** What the last try's end means for the call. */
function ended(request: Request, key: string | undefined, open: boolean, tried: Try): Response {
  const where = `${request.method} ${new URL(request.url).pathname}`;
  const cause = "response" in tried ? `status ${tried.response.status}` : tried.error;
  if (open) {
    throw new OutcomeUnknown(`${where}: it may have been done or not`, key, { cause });
  }
  if ("response" in tried) {
    return tried.response;
  }
  throw new NoAnswer(`${where}: no answer`, { cause });
}

async function once(fetch: Fetch, request: Request, timeoutMs: number): Promise<Try> {
  const signal = AbortSignal.any([request.signal, AbortSignal.timeout(timeoutMs)]);
  try {
    const response = await fetch(new Request(request.clone(), { signal }));
    // Read here, so that an answer that is cut off on its way is asked for again.
    const body = await response.arrayBuffer();
    const { status, statusText, headers } = response;
    return { response: new Response(body.byteLength ? body : null, { status, statusText, headers }), sent: true };
  } catch (error) {
    const { code } = ((error instanceof Error && error.cause) || {}) as { code?: string };
    return { error, sent: code === undefined || !UNSENT.has(code) };
  }
}

/** Give a POST a key unless its header or body names one; the key. */
async function named(request: Request): Promise<string | undefined> {
  if (request.method !== "POST") {
    return undefined;
  }
  const given = request.headers.get("Idempotency-Key") ?? keyOf(await request.clone().text());
  if (given) {
    return given;
  }
  const key = newKey();
  request.headers.set("Idempotency-Key", key);
  return key;
}

function keyOf(body: string): string | undefined {
  try {
    return (JSON.parse(body) as { idempotency_key?: string } | null)?.idempotency_key;
  } catch {
    return undefined; // CSV, or lines
  }
}

/** A UUIDv7: what was made later sorts later. */
export function newKey(): string {
  const time = Date.now().toString(16).padStart(12, "0");
  const random = crypto.randomUUID().slice(15);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${random}`;
}

/** Whether this try did nothing. */
function nothingDone({ status, code }: WalletProblem): boolean {
  return status < 500 || (code !== undefined && NOTHING_DONE.has(code));
}

/** Whether, under the same key, it tells that no earlier try did anything either. */
function settles({ status, code }: WalletProblem): boolean {
  return code !== undefined && status < 500 && !NOT_OF_THE_LEDGER.has(status);
}

async function document(answer: Response): Promise<unknown> {
  return answer
    .clone()
    .json()
    .catch(() => null); // a page of a proxy
}

/** `Retry-After` in milliseconds from now: seconds, or a date. */
function afterMs(answer: Response | undefined): number {
  const value = answer?.headers.get("Retry-After") ?? "0";
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
