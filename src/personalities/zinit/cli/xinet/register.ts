import { nameOf, type Verb } from "../verb.ts";

const CONNECT_TIMEOUT_S = 30;
const IDLE_TIMEOUT_S = 0;

export const register: Verb = {
  name: "register",
  also: ["set"],
  about: "Register a new xinet proxy",
  words: [{ name: "NAME", required: true, help: "Proxy name", takes: "nothing" }],
  flags: [
    {
      long: "listen",
      short: "l",
      value: "LISTEN",
      many: true,
      required: true,
      help: "Listen address(es): unix:/path/to/sock or tcp:host:port",
    },
    {
      long: "backend",
      short: "b",
      value: "BACKEND",
      required: true,
      help: "Backend address: unix:/path or tcp:host:port",
    },
    {
      long: "service",
      value: "SERVICE",
      required: true,
      help: "Zinit service name to activate on connection",
    },
    {
      long: "connect-timeout",
      value: "CONNECT_TIMEOUT",
      number: "u64",
      fallback: String(CONNECT_TIMEOUT_S),
      help: "Timeout waiting for backend socket (seconds)",
    },
    {
      long: "idle-timeout",
      value: "IDLE_TIMEOUT",
      number: "u64",
      fallback: String(IDLE_TIMEOUT_S),
      help: "Stop service after idle time (0 = never)",
    },
    { long: "single", also: ["single-connection"], help: "Allow only one connection at a time" },
    { long: "persist", help: "Keep it across restarts of the server" },
  ],
  examples: ["zinit xinet register db -l 0.0.0.0:5432 -b unix:/run/db.sock --service db"],
  run: (session, input) => {
    const name = nameOf(input);
    const config = {
      name,
      listen: input.values("listen").map(withKind),
      backend: withKind(input.value("backend") ?? ""),
      service: input.value("service"),
      connect_timeout: input.number("connect-timeout", CONNECT_TIMEOUT_S),
      idle_timeout: input.number("idle-timeout", IDLE_TIMEOUT_S),
      single_connection: input.has("single"),
    };
    session.call("xinet.set", { config, ...(input.has("persist") ? { persist: true } : {}) });
    session.print(`Set xinet proxy '${name}'`);
  },
};

/** What does not say what it is, is a path if it looks like one, and else TCP. */
function withKind(address: string): string {
  if (/^(?:unix|tcp):/.test(address)) return address;
  return address.startsWith("/") ? `unix:${address}` : `tcp:${address}`;
}
