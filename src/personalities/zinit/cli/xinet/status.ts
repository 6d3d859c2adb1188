import { type Fields, number, object, objects, text } from "../../../../cli/documents.ts";
import type { Verb } from "../verb.ts";

export const status: Verb = {
  name: "status",
  about: "Show proxy status",
  words: [{ name: "NAME", help: "Proxy name (omit for all)", takes: "nothing" }],
  examples: ["zinit xinet status db"],
  run: (session, input) => {
    const name = input.word(0);
    if (name !== null) {
      session.print(...short(object(session.call("xinet.status", { name }))));
      return;
    }
    const all = objects(session.call("xinet.status_all"));
    if (all.length === 0) session.print("No xinet proxies registered");
    else session.print(all.map((proxy) => full(proxy).join("\n")).join("\n\n"));
  },
};

function short(proxy: Fields): string[] {
  return [
    `Proxy: ${text(proxy, "name")}`,
    `  Status:  ${running(proxy)}`,
    `  Connections: ${count(proxy, "active_connections")} active`,
  ];
}

function full(proxy: Fields): string[] {
  return [
    `Proxy: ${text(proxy, "name")}`,
    // In quotes, as they have always been shown.
    `  Listen:  ${JSON.stringify(text(proxy, "listen"))}`,
    `  Backend: ${JSON.stringify(text(proxy, "backend"))}`,
    `  Service: ${text(proxy, "service")}`,
    `  Status:  ${running(proxy)}`,
    `  Connections: ${count(proxy, "active_connections")} active, ${count(proxy, "total_connections")} total`,
    `  Traffic: ${count(proxy, "bytes_to_backend")} bytes in, ${count(proxy, "bytes_from_backend")} bytes out`,
  ];
}

function running(proxy: Fields): string {
  return proxy.running === true ? "running" : "stopped";
}

function count(proxy: Fields, member: string): number {
  return number(proxy, member) ?? 0;
}
