import { randomUUID } from "node:crypto";

import { afterEach, beforeEach, expect, test, vi } from "vitest";

import {
  isProblem,
  LongDecimal,
  newKey,
  NoAnswer,
  ok,
  OutcomeUnknown,
  type ProblemCode,
  refusalOf,
  type Wallet,
  walletClient,
  WalletProblem,
} from "../src/index.js";
import { type Fate, Proxy } from "./proxy.js";

const { WALLET_URL: service = "", WALLET_API_KEY: apiKey = "" } = process.env;
const direct = walletClient({ baseUrl: service, apiKey });
let proxy: Proxy;
let client: ReturnType<typeof walletClient>;
let wallet: Wallet;

beforeEach(async () => {
  proxy = await new Proxy(service).listen();
  client = walletClient({ baseUrl: proxy.url, apiKey, budgetMs: 4000 });
  wallet = await ok(direct.POST("/api/v1/wallets", { body: { user_id: `ts-${randomUUID()}`, initial_balance: "10" } }));
});

afterEach(() => {
  proxy.close();
  vi.unstubAllEnvs();
  vi.useRealTimers();
});

function consume(amount: string, key?: string) {
  return ok(
    client.POST("/api/v1/wallets/{wallet_id}/consume", {
      params: { path: { wallet_id: wallet.wallet_id }, ...(key ? { header: { "Idempotency-Key": key } } : {}) },
      body: { amount },
    }),
  );
}

async function balance(): Promise<string> {
  const params = { path: { wallet_id: wallet.wallet_id } };
  return (await ok(direct.GET("/api/v1/wallets/{wallet_id}/balance", { params }))).balance;
}

function problem(status: number, code: ProblemCode): Fate {
  const body = JSON.stringify({ status, code, detail: "No", retryable: false });
  return { status, headers: { "Content-Type": "application/problem+json" }, body };
}

async function refusal(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    () => expect.fail("it was not refused"),
    (error: unknown) => error,
  );
}

test("amounts are text on the way in and out", async () => {
  const spent = await consume("2.500001");
  expect([spent.amount, spent.balance_after]).toEqual(["2.500001", "7.499999"]);
});

test("a number for an amount is refused, by its type and when it is cast", async () => {
  const params = { path: { wallet_id: wallet.wallet_id } };
  // @ts-expect-error a number is no amount
  const call = () => client.POST("/api/v1/wallets/{wallet_id}/consume", { params, body: { amount: 0.1 } });
  await expect(call()).rejects.toThrow('amount is a number, which can\'t hold every amount exactly: send text, "0.1"');
  const operations = [{ type: "consume", wallet_id: wallet.wallet_id, amount: 1 as unknown as string }] as const;
  await expect(client.POST("/api/v1/transactions/batch", { body: { operations: [...operations] } })).rejects.toThrow(TypeError);
  expect(proxy.keys).toEqual([]);
});

test("numbers of metadata are exact in both directions", async () => {
  const metadata = {
    ...{ small: 5, half: 0.5, tenth: 0.1, safe: Number.MAX_SAFE_INTEGER, text: "12345678901234567890", list: [-(2n ** 63n), null] },
    ...{ big: 12345678901234567890n, pi: new LongDecimal("3.14159265358979323846") },
  };
  const params = { path: { wallet_id: wallet.wallet_id } };
  const spent = await ok(client.POST("/api/v1/wallets/{wallet_id}/consume", { params, body: { amount: "1", metadata } }));
  expect(spent.metadata).toEqual(metadata);
  const read = await ok(client.GET("/api/v1/transactions/{transaction_id}", { params: { path: { transaction_id: spent.transaction_id } } }));
  expect(read.metadata).toEqual(metadata);
  const raw = await ok(client.GET("/api/v1/wallets/{wallet_id}/transactions", { params, parseAs: "text" }));
  expect(raw).toContain("12345678901234567890,");
  expect(raw).toContain("3.14159265358979323846");
});

test.each([2 ** 53, -(2 ** 53), 1e21, NaN, Infinity])("a number that is not exact is not sent: %d", async (n) => {
  const params = { path: { wallet_id: wallet.wallet_id } };
  const call = () => client.POST("/api/v1/wallets/{wallet_id}/consume", { params, body: { amount: "1", metadata: { deep: [{ n }] } } });
  await expect(call()).rejects.toThrow(`n is the number ${n}, which does not hold its exact value: send `);
  expect(() => new LongDecimal("1,5")).toThrow(TypeError);
  expect(proxy.keys).toEqual([]);
});

test.each(["", ".", ".."])("a name that is no segment of a path is not sent: '%s'", async (user_id) => {
  await expect(client.GET("/api/v1/users/{user_id}/wallets", { params: { path: { user_id } } })).rejects.toThrow("user_id is");
  expect(proxy.keys).toEqual([]);
});

test("names and parameters are sent as they are", async () => {
  const user_id = "a b?#%\u00fc" + randomUUID();
  await ok(client.POST("/api/v1/wallets", { body: { user_id } }));
  const query = { currency: "CREDIT", limit: 5, status: "active" as const };
  const { items } = await ok(client.GET("/api/v1/users/{user_id}/wallets", { params: { path: { user_id }, query } }));
  expect(items.map((each) => each.user_id)).toEqual([user_id]);
});

test("address and key are read from the environment", async () => {
  vi.stubEnv("WALLET_URL", proxy.url);
  client = walletClient();
  expect((await consume("1")).balance_after).toBe("9.000000");
  vi.stubEnv("WALLET_API_KEY", "");
  expect(() => walletClient()).toThrow("apiKey is missing: give it, or set the environment variable WALLET_API_KEY");
  vi.stubEnv("WALLET_URL", "");
  expect(() => walletClient({ apiKey })).toThrow("baseUrl is missing: give it, or set the environment variable WALLET_URL");
});

test("a refusal has its code, its facts and the request's id, and is not tried again", async () => {
  const error = await refusal(consume("12.5"));
  if (!isProblem(error, "insufficient_funds")) {
    throw error;
  }
  expect([error.status, error.facts.shortfall, error.facts.wallet_id]).toEqual([402, "2.500000", wallet.wallet_id]);
  expect(error.message).toContain(error.requestId);
  expect(proxy.keys).toHaveLength(1);
  expect([error.earlierAttemptOpen, error.idempotencyKey]).toEqual([false, undefined]);
  expect(isProblem(error, "wallet_frozen")).toBe(false);
});

test("the facts of a refund that is too much, and of an older version", async () => {
  const { transaction_id } = await consume("2");
  const params = { path: { transaction_id } };
  const tooMuch = { params, body: { amount: "3" } };
  const refund = await refusal(ok(client.POST("/api/v1/transactions/{transaction_id}/refund", tooMuch)));
  expect(isProblem(refund, "refund_exceeds") && refund.facts).toEqual({ transaction_id, refundable: "2.000000" });
  const older = { path: { wallet_id: wallet.wallet_id }, header: { "If-Match": '"999"' } };
  const change = await refusal(ok(client.PATCH("/api/v1/wallets/{wallet_id}", { params: older, body: { name: "travel" } })));
  expect(isProblem(change, "version_mismatch") && change.facts).toEqual({ wallet_id: wallet.wallet_id, version: wallet.version });
});

test("one key for all tries: what was done is not done twice", async () => {
  proxy.fates = ["answer lost", { status: 502 }, "request lost", "through"];
  const spent = await consume("4");
  expect(spent.balance_after).toBe("6.000000");
  expect(await balance()).toBe("6.000000");
  expect(proxy.keys).toHaveLength(4);
  expect(new Set(proxy.keys).size).toBe(1);
  expect(proxy.keys[0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test("Retry-After is obeyed, in seconds and as a date", async () => {
  const date = new Date(Date.now() + 2000).toUTCString();
  proxy.fates = [{ status: 503, headers: { "Retry-After": "1" } }, "through"];
  let started = performance.now();
  await consume("1");
  expect(performance.now() - started).toBeGreaterThanOrEqual(990);
  proxy.fates = [{ status: 429, headers: { "Retry-After": date } }, "through"];
  await consume("1");
  expect(Date.now()).toBeGreaterThanOrEqual(Date.parse(date));
});

test("when time is up and nobody can say, the error has the key to ask with", async () => {
  client = walletClient({ baseUrl: proxy.url, apiKey, budgetMs: 300 });
  proxy.fates = ["answer lost", "request lost"];
  const error = await refusal(consume("4"));
  expect(error).toBeInstanceOf(OutcomeUnknown);
  const { idempotencyKey } = error as OutcomeUnknown;
  expect(idempotencyKey).toBe(proxy.keys[0]);
  proxy.fates = ["through"];
  expect((await consume("4", idempotencyKey)).balance_after).toBe("6.000000");
  expect(await balance()).toBe("6.000000");
});

test("an answer that breaks off is asked for again", async () => {
  proxy.fates = ["answer cut", { status: 200, headers: { "Content-Type": "application/json" }, body: "" }, "through"];
  expect((await consume("4")).balance_after).toBe("6.000000");
  expect(await balance()).toBe("6.000000");
  expect(proxy.keys).toHaveLength(3);
});

test.each([
  { status: 204, body: "" },
  { status: 200, headers: { "Content-Type": "text/html" } },
  { status: 200, headers: { "Content-Type": "application/json" }, body: "null" },
  { status: 201, headers: { "Content-Type": "text/plain" }, body: "accepted" },
])("a success that is not the service's does not tell that anything was done: $status $body", async (fate) => {
  proxy.fates = [fate];
  const error = await refusal(consume("4"));
  expect(error).toMatchObject({ name: "OutcomeUnknown", idempotencyKey: proxy.keys[0] });
  expect(proxy.keys).toHaveLength(1);
  const params = { path: { wallet_id: wallet.wallet_id } };
  const read = refusal(client.GET("/api/v1/wallets/{wallet_id}/balance", { params }));
  expect(await read).toBeInstanceOf(NoAnswer);
});

test("answers that are no JSON by right are answers: a statement, an import, the metrics", async () => {
  const parseAs = "text";
  const params = { path: { wallet_id: wallet.wallet_id } };
  const headers = { Accept: "text/csv" };
  const statement = client.GET("/api/v1/wallets/{wallet_id}/transactions", { params, headers, parseAs });
  expect(await ok(statement)).toContain(",deposit,");
  const body = `user_id,currency,balance\nts-${randomUUID()},CREDIT,5\n`;
  const lines = client.POST("/api/v1/wallets/import", { body, headers: { "Content-Type": "text/csv" }, parseAs });
  expect(await ok(lines)).toContain('"status":"created"');
  expect(await ok(client.GET("/metrics", { parseAs }))).toMatch(/^# HELP /);
});

test.each([
  { status: 302, headers: { Location: "/elsewhere" } },
  { status: 401 },
  problem(404, "not_found"),
  problem(422, "validation_failed"),
  problem(422, "amount_invalid"),
  problem(412, "version_mismatch"),
])("after a lost answer, what is not the ledger's tells nothing: %o", async (fate) => {
  proxy.fates = ["answer lost", fate];
  expect(await refusal(consume("4"))).toMatchObject({ name: "OutcomeUnknown", idempotencyKey: proxy.keys[0] });
});

test("after a refusal of the ledger, an attempt that was held back is not posted", async () => {
  client = walletClient({ baseUrl: proxy.url, apiKey, timeoutMs: 300 });
  proxy.fates = ["held", "through"];
  const error = await refusal(consume("12"));
  if (!isProblem(error, "insufficient_funds")) {
    throw error;
  }
  expect([error.earlierAttemptOpen, error.idempotencyKey]).toEqual([false, undefined]);
  const [first, ...others] = proxy.attempts;
  expect(first).toMatch(/^[0-9a-f-]{36} 1$/);
  expect(others.map((attempt) => attempt?.slice(0, 37))).toContain(first?.slice(0, 37));
  const params = { path: { wallet_id: wallet.wallet_id } };
  await ok(direct.POST("/api/v1/wallets/{wallet_id}/deposit", { params, body: { amount: "5" } }));
  await proxy.letGo();
  expect(await balance()).toBe("15.000000");
  expect((await consume("12", proxy.keys[0])).balance_after).toBe("3.000000");
});

test("a refusal that does not say so leaves the earlier attempt open", async () => {
  proxy.fates = ["answer lost", problem(402, "insufficient_funds")];
  const error = await refusal(consume("4"));
  if (!isProblem(error, "insufficient_funds")) {
    throw error;
  }
  expect([error.earlierAttemptOpen, error.idempotencyKey]).toEqual([true, proxy.keys[0]]);
  expect(error.message).toContain("an earlier attempt may still be posted");
});

test("what a batch refuses after a lost request is not posted by that request", async () => {
  const wallet_id = wallet.wallet_id;
  const operations = [
    { type: "consume", wallet_id, amount: "4" },
    { type: "consume", wallet_id, amount: "12" },
    { type: "consume", wallet_id, amount: "13", idempotency_key: newKey() },
  ] as const;
  const batch = () => ok(client.POST("/api/v1/transactions/batch", { body: { operations: [...operations] } }));
  const plain = (await batch()).results[1];
  if (plain?.status !== "refused") {
    throw new Error("it was not refused");
  }
  expect([plain.earlierAttempt, refusalOf(plain).earlierAttemptOpen]).toEqual([undefined, false]);

  client = walletClient({ baseUrl: proxy.url, apiKey, timeoutMs: 300 });
  proxy.fates = ["held", "through"];
  const [posted, refused, named] = (await batch()).results;
  expect(posted).toMatchObject({ status: "posted", transaction: { balance_after: "2.000000" } });
  expect(posted).not.toHaveProperty("earlierAttempt");
  for (const result of [refused, named]) {
    expect(result).toMatchObject({ status: "refused", problem: { code: "insufficient_funds" } });
    expect(result).not.toHaveProperty("earlierAttempt");
  }
  const params = { path: { wallet_id } };
  await ok(direct.POST("/api/v1/wallets/{wallet_id}/deposit", { params, body: { amount: "15" } }));
  await proxy.letGo();
  expect(await balance()).toBe("17.000000");
  expect((await consume("12", `${proxy.keys.at(-1)}/1`)).balance_after).toBe("5.000000");
});

function batchOf(body: { dry_run?: boolean } = {}) {
  const operation = { type: "consume", wallet_id: wallet.wallet_id, amount: "4" } as const;
  return { body: { operations: [operation, operation], ...body } };
}

function answeredWith(body: string): Fate {
  return { status: 200, headers: { "Content-Type": "application/json" }, body };
}

test("what a batch refuses and the ledger did not may have been done by a lost try", async () => {
  const codes: ProblemCode[] = ["upstream_unavailable", "insufficient_funds"];
  const results = codes.map((code) => ({ status: "refused", problem: { code, status: 503, detail: "No", retryable: true } }));
  proxy.fates = ["answer lost", answeredWith(JSON.stringify({ results }))];
  const answer = await ok(client.POST("/api/v1/transactions/batch", batchOf()));
  const refusals = answer.results.map((result) => (result.status === "refused" ? refusalOf(result) : undefined));
  expect(refusals.map((error) => [error?.earlierAttemptOpen, error?.outcomeUnknown])).toEqual([
    [true, true],
    [true, false],
  ]);
  expect(refusals[0]?.message).toContain("an earlier attempt may have been posted");
  expect(await balance()).toBe("2.000000");

  proxy.fates = ["answer lost", answeredWith(JSON.stringify({ results }))];
  const [refused] = (await ok(client.POST("/api/v1/transactions/batch", batchOf({ dry_run: true })))).results;
  expect(refused).not.toHaveProperty("earlierAttempt");
});

test.each(['{"maintenance":true}', '{"results":{}}', '{"results":[]}', '{"results":[null,1]}'])(
  "after a lost answer, what answers no batch does not tell that anything was done: %s",
  async (body) => {
    proxy.fates = ["answer lost", answeredWith(body)];
    const error = await refusal(client.POST("/api/v1/transactions/batch", batchOf()));
    expect(error).toMatchObject({ name: "OutcomeUnknown", idempotencyKey: proxy.keys[0] });
  },
);

test("what a batch answers after a lost try is otherwise left as it is, to the digit", async () => {
  const posted = '{"status":"posted","transaction":{"metadata":{"n":12345678901234567890,"t":"{[\\"results\\\\"}}}';
  const refused = ' "problem" : {"code":"insufficient_funds","d":1.10}, "status" : "refused" }';
  const text = (added: string) => `{"note":["{"], "results" : [${posted}, {${added}${refused}]}`;
  proxy.fates = ["answer lost", answeredWith(text(""))];
  const { data } = await client.POST("/api/v1/transactions/batch", { ...batchOf(), parseAs: "text" });
  const earlierAttempt = { idempotencyKey: `${proxy.keys[0]}/1`, outcomeUnknown: false };
  expect(data).toBe(text(`"earlierAttempt":${JSON.stringify(earlierAttempt)},`));
});

test("a dry run that was not answered was not done", async () => {
  client = walletClient({ baseUrl: proxy.url, apiKey, maxRetries: 0 });
  proxy.fates = ["answer lost"];
  const call = client.POST("/api/v1/transactions/batch", batchOf({ dry_run: true }));
  expect(await refusal(call)).toBeInstanceOf(NoAnswer);
});

test("limits are put, and a debit above one says how much is left", async () => {
  const params = { path: { wallet_id: wallet.wallet_id } };
  const limits = [{ period: "rolling" as const, window_s: 3600, amount: "4" }];
  const made = await ok(client.PUT("/api/v1/wallets/{wallet_id}/limits", { params, body: { limits } }));
  expect(made.limits.map((each) => [each.set_by, each.amount, each.used])).toEqual([["operator", "4.000000", "0.000000"]]);
  await consume("3");
  const refused = await refusal(consume("2"));
  expect(isProblem(refused, "limit_exceeded") && refused.facts.remaining).toBe("1.000000");
  const stale = { ...params, header: { "If-Match": '"0"' } };
  const change = client.PUT("/api/v1/wallets/{wallet_id}/limits", { params: stale, body: { limits: [] } });
  expect(await refusal(ok(change))).toMatchObject({ code: "version_mismatch" });
});

test("a change of a wallet has no key, so that a refusal after a lost answer tells nothing", async () => {
  const params = { path: { wallet_id: wallet.wallet_id }, header: { "If-Match": `"${wallet.version}"` } };
  proxy.fates = ["answer lost", "through"];
  const change = client.PATCH("/api/v1/wallets/{wallet_id}", { params, body: { name: "travel" } });
  expect(await refusal(change)).toMatchObject({ name: "OutcomeUnknown", idempotencyKey: undefined });
});

test.each([
  ["EHOSTUNREACH", "connect", NoAnswer],
  ["ENETUNREACH", "connect", NoAnswer],
  ["EHOSTUNREACH", "read", OutcomeUnknown],
  ["ENETUNREACH", "write", OutcomeUnknown],
  ["ENOTFOUND", "getaddrinfo", NoAnswer],
])("%s while it was to %s ends as it must", async (code, syscall, end) => {
  const lost = Object.assign(new Error(`${syscall} ${code}`), { code, syscall });
  for (const cause of [lost, new AggregateError([lost, lost])]) {
    const fetch = () => Promise.reject(new TypeError("fetch failed", { cause }));
    client = walletClient({ baseUrl: service, apiKey, maxRetries: 0, fetch });
    expect(await refusal(consume("1"))).toBeInstanceOf(end);
  }
});

test("a try that takes too long is given up, and the next one has the rest of the time", async () => {
  client = walletClient({ baseUrl: proxy.url, apiKey, budgetMs: 4000, timeoutMs: 200 });
  proxy.fates = ["silence", "through"];
  expect((await consume("4")).balance_after).toBe("6.000000");
  client = walletClient({ baseUrl: proxy.url, apiKey, budgetMs: 300 });
  proxy.fates = ["silence"];
  expect(await refusal(consume("1"))).toBeInstanceOf(OutcomeUnknown);
});

test("a wait that is longer than the time that is left is not begun", async () => {
  proxy.fates = [{ status: 429, headers: { "Retry-After": "60" } }];
  const error = await refusal(consume("1"));
  expect(error).toBeInstanceOf(WalletProblem);
  expect([(error as WalletProblem).status, (error as WalletProblem).code]).toEqual([429, undefined]);
  expect(proxy.keys).toHaveLength(1);
});

test("where nothing listens nothing was done; the error and the log have the address and the cause", async () => {
  proxy.close();
  const lines: string[] = [];
  client = walletClient({ baseUrl: proxy.url, apiKey, maxRetries: 1, log: (line) => lines.push(line) });
  const error = await refusal(consume("1"));
  expect(error).toBeInstanceOf(NoAnswer);
  const cause = `connect ECONNREFUSED ${new URL(proxy.url).host}`;
  expect((error as NoAnswer).message).toBe(`POST ${proxy.url}/api/v1/wallets/${wallet.wallet_id}/consume: no response (${cause})`);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(new RegExp(`^POST /api/v1/wallets/\\{wallet_id\\}/consume: ${cause}; attempt 2 follows in \\d+ ms$`));
});

test.each([false, true])("where nothing listens a call ends within 3 s, unless an attempt reached the service: %s", async (reached) => {
  const refused = new TypeError("fetch failed", { cause: Object.assign(new Error("refused"), { code: "ECONNREFUSED" }) });
  const sent: number[] = [];
  const fetch = () => Promise.reject(sent.push(performance.now()) === 1 && reached ? new TypeError("lost") : refused);
  client = walletClient({ baseUrl: service, apiKey, maxRetries: 1000, fetch });
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  const error = refusal(consume("1"));
  await vi.runAllTimersAsync();
  expect(await error).toBeInstanceOf(reached ? OutcomeUnknown : NoAnswer);
  const duration = (sent.at(-1) ?? 0) - (sent[0] ?? 0);
  expect(duration)[reached ? "toBeGreaterThan" : "toBeLessThanOrEqual"](reached ? 20_000 : 3000);
  expect(sent.length).toBeGreaterThan(2);
});

test("the caller's own signal ends it", async () => {
  proxy.fates = ["request lost"];
  const signal = AbortSignal.timeout(200);
  const params = { path: { wallet_id: wallet.wallet_id } };
  const error = await refusal(client.GET("/api/v1/wallets/{wallet_id}/balance", { params, signal }));
  expect((error as DOMException).name).toBe("TimeoutError");
});

test("a key of the body is the key; keys are new each time and sort by time", async () => {
  const key = newKey();
  const params = { path: { wallet_id: wallet.wallet_id } };
  await ok(client.POST("/api/v1/wallets/{wallet_id}/fee", { params, body: { amount: "1", idempotency_key: key } }));
  expect(proxy.keys).toEqual([undefined]);
  const replayed = await consume("1", key).catch((error: unknown) => error);
  expect(isProblem(replayed, "idempotency_key_reused")).toBe(true);
  await expect(consume("1", " ")).rejects.toThrow("The idempotency key is empty");
  const empty = { params, body: { amount: "1", idempotency_key: "" } };
  await expect(client.POST("/api/v1/wallets/{wallet_id}/fee", empty)).rejects.toThrow(TypeError);
  expect(proxy.keys).toHaveLength(2);
  expect(new Set(Array.from({ length: 1000 }, newKey)).size).toBe(1000);
  expect(newKey() > "01900000").toBe(true);
});

test("every id that the service accepts is reachable at every path", async () => {
  for (const id of ["a/b", "//", "https://issuer.example/7?x=%2F#y", "100%", "Müller 😀", "..%2F", "..a", "\\..\\", "$&"]) {
    const user_id = `${id}${randomUUID()}`;
    const made = await ok(direct.POST("/api/v1/wallets", { body: { user_id } }));
    const params = { path: { user_id } };
    const listed = await ok(direct.GET("/api/v1/users/{user_id}/wallets", { params }));
    expect(listed.items.map((each) => [each.wallet_id, each.user_id])).toEqual([[made.wallet_id, user_id]]);
    expect((await ok(direct.GET("/api/v1/users/{user_id}/credits/balance", { params }))).wallet_id).toBe(made.wallet_id);
    expect((await ok(direct.GET("/api/v1/users/{user_id}/statistics", { params }))).user_id).toBe(user_id);
    const history = await ok(direct.GET("/api/v1/users/{user_id}/transactions", { params }));
    expect(typeof history === "string" ? history : history.items).toEqual([]);
  }
  for (const user_id of [".", ".."]) {
    const error = await refusal(ok(direct.POST("/api/v1/wallets", { body: { user_id } })));
    expect(isProblem(error, "validation_failed")).toBe(true);
  }
});
