import { refuseNumbers } from "./amounts.js";
import type { CommonInit, ParseAs } from "./calls.js";
import { exactly, parsed, written } from "./json.js";

type Value = string | number | boolean | null | undefined;

/** What a call was given, without the types of its path. */
export interface AnyInit extends CommonInit {
  params?: { path?: Record<string, Value>; query?: Record<string, Value | Value[]>; header?: Record<string, Value> };
  body?: unknown;
  parseAs?: ParseAs;
}

/**
 * The request of a call.
 *
 * @throws TypeError a value can't be sent: an amount as a number, a number that is not exact, a name that can't be in a path.
 */
export function requestOf(baseUrl: string, apiKey: string, method: string, path: string, init: AnyInit): Request {
  const { params = {}, body, headers: own, signal } = init;
  const headers = new Headers({ Authorization: `Bearer ${apiKey}`, "User-Agent": "wallet-client-typescript" });
  if (body !== undefined) {
    headers.set("Content-Type", "application/json");
  }
  for (const [name, value] of Object.entries({ ...params.header, ...own })) {
    if (value !== undefined && value !== null) {
      headers.set(name, String(value));
    }
  }
  const url = baseUrl.replace(/\/+$/, "") + filled(path, params.path ?? {}) + queryOf(params.query ?? {});
  refuseNumbers(body);
  const sent = body === undefined || typeof body === "string" ? body : written(body);
  return new Request(url, { method, headers, redirect: "manual", ...(sent === undefined ? {} : { body: sent }), ...(signal ? { signal } : {}) });
}

/** The result of a call, from its response. */
export async function resultOf(response: Response, parseAs: ParseAs): Promise<{ data?: unknown; error?: unknown; response: Response }> {
  const text = await response.text();
  if (!response.ok) {
    return { error: parsed(text) ?? text, response };
  }
  return { data: parseAs === "text" ? text : text ? exactly(text) : undefined, response };
}

/** The path with its names. A name is one segment, whatever characters it has. */
function filled(path: string, names: Record<string, Value>): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = String(names[name] ?? "");
    if (value === "" || value === "." || value === "..") {
      throw new TypeError(`${name} is "${value}", which can't be a name in a path`);
    }
    return encodeURIComponent(value);
  });
}

function queryOf(query: Record<string, Value | Value[]>): string {
  const sent = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const each of Array.isArray(value) ? value : [value]) {
      if (each !== undefined && each !== null) {
        sent.append(name, String(each));
      }
    }
  }
  return sent.size ? `?${sent.toString()}` : "";
}
