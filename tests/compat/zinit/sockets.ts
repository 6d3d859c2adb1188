/** Clients and backends for the tests of proxies, in the test's own process. */
import { connect, createServer, type Server, type Socket } from "node:net";
import { within } from "./harness.ts";

/** A path, or a port of 127.0.0.1. */
export type Place = string | number;

/** Listens until the end of the test; `serve` gets each connection. */
export class Backend {
  readonly sockets: Socket[] = [];
  readonly #server: Server;

  private constructor(serve: (socket: Socket) => void) {
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      this.sockets.push(socket);
      socket.on("error", () => {});
      serve(socket);
    });
  }

  static async open(place: Place, serve: (socket: Socket) => void): Promise<Backend> {
    const backend = new Backend(serve);
    await new Promise<void>((resolve, reject) => {
      backend.#server.once("error", reject);
      if (typeof place === "string") backend.#server.listen(place, resolve);
      else backend.#server.listen(place, "127.0.0.1", resolve);
    });
    return backend;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.sockets) socket.destroy();
  }
}

/** Says everything once more in capitals, and ends when its client does. */
export function shout(socket: Socket): void {
  socket.on("data", (bytes: Buffer) => socket.write(bytes.toString().toUpperCase()));
  socket.on("end", () => socket.end());
}

/** A connection that does not end by itself when the other side does. */
export async function open(place: Place): Promise<Socket> {
  const socket = connect({
    ...(typeof place === "string" ? { path: place } : { port: place, host: "127.0.0.1" }),
    allowHalfOpen: true,
  });
  await within(
    `a connection to ${place}`,
    new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("error", reject);
    }),
  );
  socket.on("error", () => {});
  return socket;
}

/** All that comes until the other side ends, or closes. */
export function rest(socket: Socket): Promise<string> {
  let text = "";
  socket.on("data", (bytes: Buffer) => {
    text += bytes.toString();
  });
  const end = new Promise<string>((resolve) => {
    socket.once("end", () => resolve(text));
    socket.once("close", () => resolve(text));
  });
  return within("the end of a connection", end);
}

/** The next bytes, at least so many. */
export function next(socket: Socket, count: number): Promise<string> {
  let text = "";
  const enough = new Promise<string>((resolve) => {
    const take = (bytes: Buffer) => {
      text += bytes.toString();
      if (text.length < count) return;
      socket.off("data", take);
      socket.pause();
      resolve(text);
    };
    socket.on("data", take);
    socket.resume();
  });
  return within(`${count} bytes`, enough);
}

/** Says something, ends its own direction, and returns what comes back. */
export async function ask(place: Place, text: string): Promise<string> {
  const socket = await open(place);
  const answer = rest(socket);
  socket.end(text);
  const back = await answer;
  socket.destroy();
  return back;
}

/** Resolves when the socket is closed, whoever did it. */
export function closed(socket: Socket): Promise<void> {
  socket.resume();
  if (socket.closed) return Promise.resolve();
  return within("a closed connection", new Promise((resolve) => socket.once("close", () => resolve())));
}
