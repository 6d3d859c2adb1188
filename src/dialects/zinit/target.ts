/** Where a health check asks: the `target` of tcp and http checks. */
import { type HttpTarget, parseHttpUrl } from "../../model/probes.ts";

/** `host:port`. Port 0 stands for one that cannot be read: nobody ever answers there. */
export function tcpTarget(target: string): { readonly host: string; readonly port: number } {
  const match = /^(.*):([0-9]{1,5})$/s.exec(target);
  const port = Number(match?.[2] ?? 0);
  const host = (match?.[1] ?? target).replace(/^\[(.*)\]$/s, "$1");
  return { host, port: port <= 0xffff ? port : 0 };
}

/** `http://host:port/path`; the scheme may be left out, and the port, as everywhere. */
export function httpTarget(target: string): HttpTarget {
  const parsed = parseHttpUrl(withScheme(target));
  if ("value" in parsed) return parsed.value;
  return { tls: false, host: target, port: 0, path: "/" };
}

/** What keeps a check from ever succeeding, or `null`. */
export function targetProblem(type: "tcp" | "http", target: string): string | null {
  if (type === "tcp") {
    const { host, port } = tcpTarget(target);
    return host !== "" && port > 0 ? null : "is not host:port, so this check always fails";
  }
  const parsed = parseHttpUrl(withScheme(target));
  return "value" in parsed ? null : `cannot be asked (${parsed.message}), so this check always fails`;
}

function withScheme(target: string): string {
  return /^https?:\/\//i.test(target) ? target : `http://${target}`;
}
