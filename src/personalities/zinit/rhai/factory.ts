/** `zinit`: where to connect to, and how much is said. */
import type { Context } from "./context.ts";
import { Handle } from "./handle.ts";
import { Server } from "./server.ts";

const MOST = 3;

export class Factory {
  readonly #socket: string | null;
  readonly #level: number;

  constructor(socket: string | null = null, level = 1) {
    this.#socket = socket;
    this.#level = level;
  }

  socket(path: string): Factory {
    return new Factory(path, this.#level);
  }

  logLevel(level: number): Factory {
    return new Factory(this.#socket, Math.max(0, Math.min(level, MOST)));
  }

  /** Makes sure that there is a server. */
  connect(context: Context): Handle {
    const server = new Server(context.host, this.#socket ?? context.socket);
    server.call("system.ping");
    context.connected(server, this.#level);
    if (this.#level > 0) context.print("✓ Connected to zinit server");
    return new Handle(server);
  }
}
