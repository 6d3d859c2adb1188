/** Entry of the program behind the names `horust` and `horustctl`. */
import type { CliHost } from "../../../cli/host.ts";
import { Stop, tellStop } from "../../common/usage.ts";
import { Failure } from "./failure.ts";
import { horust } from "./horust.ts";
import { horustctl } from "./horustctl.ts";

declare const host: CliHost;

/** The whole program: looks at its own name and arguments, returns the exit code. */
function run(host: CliHost): number {
  const [called = "", ...args] = host.argv;
  const name = called.slice(called.lastIndexOf("/") + 1);
  try {
    return name === "horustctl" ? horustctl(host, args) : horust(host, args);
  } catch (error) {
    if (error instanceof Stop) return tellStop(host, error);
    if (!(error instanceof Failure)) throw error;
    const cause = error.cause === null ? "" : `\nCaused by:\n${indented(error.cause)}\n`;
    host.write(2, `Error: ${error.message}\n${cause}`);
    return error.exit;
  }
}

function indented(text: string): string {
  return text
    .split("\n")
    .map((line) => `    ${line}`)
    .join("\n");
}

Object.assign(globalThis, { main: () => run(host) });
