import { withEarlierTries } from "./batch.js";
import { isOfTheLedger, NoAnswer, OutcomeUnknown, problemOf, supersedesEarlierAttempts, WalletProblem, } from "./errors.js";
import { isObject, parsed } from "./json.js";
const AGAIN = new Set([408, 429, 502, 503, 504]);
const BASE_MS = 100;
const LONGEST_MS = 5000;
const READS = new Set(["GET", "HEAD"]);
// Refusals with which the attempt certainly changed nothing, although their status may be 5xx.
const NOTHING_DONE = new Set(["rate_limited", "overloaded", "wallet_busy", "upstream_unavailable", "vault_unavailable"]);
// EHOSTUNREACH and similar codes are not here, because a host can become unreachable in the middle of a request.
const UNSENT = new Set(["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "UND_ERR_CONNECT_TIMEOUT"]);
const NOT_JSON = /^(text\/csv|application\/x-ndjson)\b/; // a statement, an import
/**
 * A fetch that retries a request when that is safe and can help: after a lost connection, a timeout, status 408, 429, 502, 503 or
 * 504, and incomplete JSON. All attempts of a POST have the same idempotency key, so it is done once. They name their call and
 * their number, so that no attempt is done after a later one was refused.
 *
 * It throws NoAnswer, OutcomeUnknown, a WalletProblem if an attempt before the refusal got no response, a TypeError if the key
 * is empty, or the reason with which the caller's signal was aborted.
 */
export function retrying(fetch, options = {}) {
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
        for (let retries = 0;; retries++) {
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
function ended(request, key, open, attempt) {
    const { origin, pathname } = new URL(request.url);
    const where = `${request.method} ${origin}${pathname}`;
    if ("response" in attempt) {
        if (!open || supersedesEarlierAttempts(attempt.problem?.facts)) {
            return attempt.response;
        }
        const { status, code, detail, retryable, requestId, facts } = attempt.problem;
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
function causeOf(attempt) {
    if ("response" in attempt) {
        return attempt.problem?.code ?? `status ${attempt.response.status}`;
    }
    let error = attempt.error;
    while (error?.cause ?? error?.errors?.[0]) {
        error = (error?.cause ?? error?.errors?.[0]); // fetch has the reason as its cause, one for each address
    }
    return error?.message || String(attempt.error);
}
async function once(fetch, request, timeoutMs) {
    const signal = AbortSignal.any([request.signal, AbortSignal.timeout(timeoutMs)]);
    try {
        const answer = await fetch(new Request(request.clone(), { signal }));
        // The body is read here, so that an attempt with an incomplete response is repeated.
        const body = await answer.arrayBuffer();
        const { status, statusText, headers } = answer;
        const response = new Response(body.byteLength ? body : null, { status, statusText, headers });
        return checked(request, response, new TextDecoder().decode(body));
    }
    catch (error) {
        return { error, sent: !unsent(error?.cause), again: true };
    }
}
/** The response, if it is one of the service. A page of a proxy does not mean that the request was done. */
function checked(request, response, body) {
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
function unsent(cause) {
    const { code, syscall, errors } = (cause ?? {});
    return errors?.length ? errors.every(unsent) : syscall === "connect" || (code !== undefined && UNSENT.has(code));
}
/** Whether the attempt may have changed something although it failed. */
function mayHaveDone(attempt) {
    if ("error" in attempt) {
        return attempt.sent;
    }
    const { status, code } = attempt.problem;
    return status >= 500 && !(code !== undefined && NOTHING_DONE.has(code));
}
/** Whether the same request may succeed a moment later. */
function mayHelp(attempt) {
    return "error" in attempt ? attempt.again : AGAIN.has(attempt.response.status) && attempt.problem?.retryable === true;
}
/** The idempotency key of a POST: the one in its header or body, or a new one, which is added as a header. */
function named(request, body) {
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
function attemptOf(request) {
    if (request.headers.has("Idempotency-Call")) {
        return Number(request.headers.get("Idempotency-Attempt") ?? 1);
    }
    request.headers.set("Idempotency-Call", newKey());
    return 1;
}
function memberOf(body, name) {
    const document = parsed(body); // undefined: CSV, or lines
    return isObject(document) ? document[name] : undefined;
}
/** A new UUIDv7. Later ones sort after earlier ones. */
export function newKey() {
    const time = Date.now().toString(16).padStart(12, "0");
    const random = crypto.randomUUID().slice(15);
    return `${time.slice(0, 8)}-${time.slice(8)}-7${random}`;
}
/** `Retry-After`, which has seconds or a date, as milliseconds from now. */
function afterMs(attempt) {
    const value = ("response" in attempt && attempt.response.headers.get("Retry-After")) || "0";
    const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
    return Math.max(0, ms || 0);
}
function wait(ms, signal) {
    return new Promise((resolve, reject) => {
        const aborted = () => {
            clearTimeout(timer);
            reject(signal.reason);
        };
        const timer = setTimeout(() => {
            signal.removeEventListener("abort", aborted);
            resolve();
        }, ms);
        signal.addEventListener("abort", aborted, { once: true });
    });
}
