import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/**
 * What happens to one request: it goes through; is done, and its answer lost, or the second half of it; is lost; is never
 * answered; goes through when the proxy is told to let go; is answered so.
 */
export type Fate =
  | "through"
  | "answer lost"
  | "answer cut"
  | "request lost"
  | "silence"
  | "held"
  | { status: number; headers?: Record<string, string>; body?: string };

/** Stands before the service. Each request meets the next fate, and the last one from then on. */
export class Proxy {
  readonly keys: (string | undefined)[] = [];
  /** The call and the attempt of each request. */
  readonly attempts: (string | undefined)[] = [];
  fates: Fate[] = ["through"];
  url = "";
  /** Lets go of what is held; resolves when the service has answered it. */
  letGo: () => Promise<void> = () => Promise.resolve();
  readonly #server = createServer((request, response) => void this.#meet(request, response));

  constructor(private readonly service: string) {}

  async listen(): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return this;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  async #meet(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body: Buffer[] = await request.toArray();
    this.keys.push(request.headers["idempotency-key"] as string | undefined);
    const { "idempotency-call": call, "idempotency-attempt": attempt } = request.headers;
    this.attempts.push(call && `${call} ${attempt}`);
    const fate = (this.fates.length > 1 ? this.fates.shift() : this.fates[0]) as Fate;
    if (fate === "request lost") {
      response.destroy();
    } else if (fate === "silence") {
      return;
    } else if (typeof fate === "object") {
      const html = { "Content-Type": "text/html" };
      response.writeHead(fate.status, { ...html, ...fate.headers }).end(fate.body ?? "<html>a page</html>");
    } else if (fate === "held") {
      this.letGo = () => this.#through(fate, request, response, body);
    } else {
      await this.#through(fate, request, response, body);
    }
  }

  async #through(fate: Fate, request: IncomingMessage, response: ServerResponse, body: Buffer[]): Promise<void> {
    const { host: _, connection: __, "content-length": ___, ...headers } = request.headers;
    const answer = await fetch(this.service + request.url, {
      method: request.method ?? "GET",
      headers: headers as Record<string, string>,
      ...(body.length ? { body: Buffer.concat(body) } : {}),
    });
    const text = await answer.text();
    if (fate === "answer lost") {
      response.destroy();
      return;
    }
    const sent = fate === "answer cut" ? text.slice(0, text.length / 2) : text;
    const { "content-length": ____, "transfer-encoding": _____, ...answered } = Object.fromEntries(answer.headers);
    response.writeHead(answer.status, answered).end(sent);
  }
}
