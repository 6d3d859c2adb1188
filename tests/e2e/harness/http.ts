/** Clients of the control socket: HTTP/1.1, JSON-RPC lines, and raw bytes for bad manners. */
import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { type RpcAnswer, rpcAnswer } from "./shapes.ts";
import { DEADLINE_MS, until } from "./wait.ts";

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The body as JSON; throws if it is none. */
  json(): unknown;
}

export interface CallOptions {
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly deadlineMs?: number;
}

/** One request on a connection of its own. */
export function call(
  socket: string,
  method: string,
  path: string,
  options: CallOptions = {},
): Promise<Answer> {
  const body =
    options.body === undefined || typeof options.body === "string"
      ? options.body
      : JSON.stringify(options.body);
  return new Promise((resolve, reject) => {
    const deadlineMs = options.deadlineMs ?? DEADLINE_MS;
    const deadline = setTimeout(() => {
      sent.destroy(new Error(`no answer to ${method} ${path} within ${deadlineMs} ms`));
    }, deadlineMs);
    const sent = request(
      {
        socketPath: socket,
        method,
        path,
        agent: false,
        headers: {
          host: "localhost",
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...options.headers,
        },
      },
      (received) => {
        const pieces: Buffer[] = [];
        received.on("data", (piece: Buffer) => pieces.push(piece));
        received.on("error", reject);
        received.on("end", () => {
          clearTimeout(deadline);
          const text = Buffer.concat(pieces).toString("utf8");
          resolve({
            status: received.statusCode ?? 0,
            headers: received.headers,
            text,
            json: (): unknown => JSON.parse(text),
          });
        });
      },
    );
    sent.on("error", (error) => {
      clearTimeout(deadline);
      reject(error);
    });
    sent.end(body);
  });
}

/** A raw connection that remembers what came. */
export class Raw {
  readonly #socket: Socket;
  #received = Buffer.alloc(0);
  #closed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (piece) => {
      this.#received = Buffer.concat([this.#received, piece]);
    });
    socket.on("close", () => {
      this.#closed = true;
    });
    socket.on("error", () => {
      this.#closed = true;
    });
  }

  static open(path: string): Promise<Raw> {
    return new Promise((resolve, reject) => {
      const socket = connect(path, () => {
        socket.off("error", reject);
        resolve(new Raw(socket));
      });
      socket.once("error", reject);
    });
  }

  get text(): string {
    return this.#received.toString("utf8");
  }

  get closed(): boolean {
    return this.#closed;
  }

  send(data: string | Buffer): void {
    this.#socket.write(data);
  }

  /** No more will be read until `resume`: the peer's writes pile up. */
  stall(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
  }

  /** Goes away without a word. */
  drop(): void {
    this.#socket.destroy();
  }
}

/** A JSON-RPC connection. */
export class Rpc {
  readonly #raw: Raw;
  #next = 1;
  #taken = 0;

  private constructor(raw: Raw) {
    this.#raw = raw;
  }

  static async open(path: string): Promise<Rpc> {
    return new Rpc(await Raw.open(path));
  }

  get raw(): Raw {
    return this.#raw;
  }

  send(text: string): void {
    this.#raw.send(`${text}\n`);
  }

  /** The next line that comes, whatever it is. */
  async line(deadlineMs = DEADLINE_MS): Promise<unknown> {
    const index = this.#taken++;
    const line = await until(
      `line ${index + 1} of the JSON-RPC connection`,
      () => {
        const complete = this.#raw.text.split("\n").slice(0, -1);
        if (complete.length > index) return complete[index];
        if (this.#raw.closed) throw new Error(`closed after ${complete.length} lines`);
        return null;
      },
      { deadlineMs },
    );
    return JSON.parse(line);
  }

  async answer(deadlineMs = DEADLINE_MS): Promise<RpcAnswer> {
    return rpcAnswer.parse(await this.line(deadlineMs));
  }

  /** One call, its answer. */
  async call(method: string, params?: unknown): Promise<RpcAnswer> {
    const id = this.#next++;
    this.send(JSON.stringify({ jsonrpc: "2.0", id, method, ...(params === undefined ? {} : { params }) }));
    const answer = await this.answer();
    if (answer.id !== id) throw new Error(`answer to ${String(answer.id)} instead of ${id}`);
    return answer;
  }

  /** The result of a call that must succeed. */
  async result(method: string, params?: unknown): Promise<unknown> {
    const answer = await this.call(method, params);
    if ("error" in answer) throw new Error(`${method}: ${answer.error.code} ${answer.error.message}`);
    return answer.result;
  }

  /** The error of a call that must fail. */
  async error(method: string, params?: unknown): Promise<{ code: number; message: string }> {
    const answer = await this.call(method, params);
    if (!("error" in answer)) throw new Error(`${method} succeeded: ${JSON.stringify(answer.result)}`);
    return answer.error;
  }

  close(): void {
    this.#raw.drop();
  }
}
