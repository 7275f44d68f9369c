import { randomUUID } from "node:crypto";

import { afterEach, beforeEach, expect, test } from "vitest";

import { isProblem, newKey, NoAnswer, ok, OutcomeUnknown, walletClient, WalletProblem, type Wallet } from "../src/index.js";
import { Proxy } from "./proxy.js";

const { WALLET_URL: service = "", WALLET_KEY: apiKey = "" } = process.env;
const direct = walletClient({ baseUrl: service, apiKey });
let proxy: Proxy;
let client: ReturnType<typeof walletClient>;
let wallet: Wallet;

beforeEach(async () => {
  proxy = await new Proxy(service).listen();
  client = walletClient({ baseUrl: proxy.url, apiKey, budgetMs: 4000 });
  wallet = await ok(direct.POST("/api/v1/wallets", { body: { user_id: `ts-${randomUUID()}`, initial_balance: "10" } }));
});

afterEach(() => proxy.close());

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

test("a refusal has its code, its facts and the request's id, and is not tried again", async () => {
  const error = await refusal(consume("12.5"));
  if (!isProblem(error, "insufficient_funds")) {
    throw error;
  }
  expect([error.status, error.facts.shortfall, error.facts.wallet_id]).toEqual([402, "2.500000", wallet.wallet_id]);
  expect(error.message).toContain(error.requestId);
  expect(proxy.keys).toHaveLength(1);
  expect(isProblem(error, "wallet_frozen")).toBe(false);
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

test("a refusal after a lost answer tells whether it was done only when the ledger gave it", async () => {
  proxy.fates = ["answer lost", { status: 401 }];
  expect(await refusal(consume("4"))).toBeInstanceOf(OutcomeUnknown);
  proxy.fates = ["request lost", "through"];
  expect(isProblem(await refusal(consume("12")), "insufficient_funds")).toBe(true);
  const params = { path: { wallet_id: wallet.wallet_id }, header: { "If-Match": `"${wallet.version}"` } };
  proxy.fates = ["answer lost", "through"];
  const change = client.PATCH("/api/v1/wallets/{wallet_id}", { params, body: { name: "travel" } });
  expect(await refusal(change)).toMatchObject({ name: "OutcomeUnknown", idempotencyKey: undefined });
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

test("where nobody listens nothing was done", async () => {
  proxy.close();
  client = walletClient({ baseUrl: proxy.url, apiKey, maxRetries: 1 });
  expect(await refusal(consume("1"))).toBeInstanceOf(NoAnswer);
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
  expect(new Set(Array.from({ length: 1000 }, newKey)).size).toBe(1000);
  expect(newKey() > "01900000").toBe(true);
});
