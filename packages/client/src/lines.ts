/** JSON-RPC 2.0, a line each way, over one Unix connection that is opened when it is needed. */
import { createConnection, type Socket } from "node:net";
import { ConnectionError, RpcError } from "./errors.ts";

/** An answer longer than this is none of ours. */
const LINE_LENGTH_MAX = 256 * 1024 * 1024;

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class Lines {
  readonly #path: string;
  readonly #timeoutMs: number;
  readonly #waiting = new Map<number, Waiting>();
  #socket: Socket | null = null;
  #rest = "";
  #next = 1;

  constructor(path: string, timeoutMs: number) {
    this.#path = path;
    this.#timeoutMs = timeoutMs;
  }

  /** The result of a call; `RpcError` if that is an error. */
  call(method: string, params: unknown = {}): Promise<unknown> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        reject(
          new ConnectionError(`${method}: no answer from ${this.#path} within ${this.#timeoutMs} ms`, null),
        );
      }, this.#timeoutMs);
      const settle = <T>(then: (value: T) => void) => {
        return (value: T) => {
          clearTimeout(timer);
          then(value);
        };
      };
      this.#waiting.set(id, { resolve: settle(resolve), reject: settle(reject) });
      this.#open()
        .ref()
        .write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`);
    });
  }

  close(): void {
    this.#socket?.destroy();
    this.#lost(new ConnectionError("the client was closed", null));
  }

  #open(): Socket {
    if (this.#socket !== null) return this.#socket;
    const socket = createConnection({ path: this.#path });
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => this.#take(text));
    socket.on("error", (error) => {
      this.#lost(new ConnectionError(`no server answers at ${this.#path}: ${error.message}`, error));
    });
    socket.on("close", () => {
      if (this.#socket === socket)
        this.#lost(new ConnectionError(`${this.#path}: the server has hung up`, null));
    });
    this.#socket = socket;
    return socket;
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    if (this.#rest.length > LINE_LENGTH_MAX) {
      this.#socket?.destroy();
      this.#lost(new ConnectionError("the answer is longer than any of ours", null));
      return;
    }
    for (const line of lines) this.#answer(line);
  }

  #answer(line: string): void {
    const answer: unknown = JSON.parse(line);
    if (typeof answer !== "object" || answer === null || !("id" in answer)) return;
    const waiting = this.#waiting.get(Number(answer.id));
    if (waiting === undefined) return;
    this.#waiting.delete(Number(answer.id));
    // A client that nobody waits for keeps no process from its end.
    if (this.#waiting.size === 0) this.#socket?.unref();
    if ("error" in answer) waiting.reject(errorOf(answer.error));
    else waiting.resolve("result" in answer ? answer.result : null);
  }

  #lost(error: Error): void {
    this.#socket = null;
    this.#rest = "";
    const all = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { reject } of all) reject(error);
  }
}

function errorOf(error: unknown): Error {
  const known = typeof error === "object" && error !== null ? error : {};
  const code = "code" in known && typeof known.code === "number" ? known.code : 0;
  const message =
    "message" in known && typeof known.message === "string" ? known.message : "an error without text";
  return new RpcError(code, message, "data" in known ? known.data : undefined);
}
