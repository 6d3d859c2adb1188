import { nameOf, SERVICE, type Verb } from "../verb.ts";

const SIGNALS = ["SIGTERM", "SIGKILL", "SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2"];

export const kill: Verb = {
  name: "kill",
  about: "Send a signal to a service",
  words: [SERVICE, { name: "SIGNAL", help: "The same as --signal", takes: SIGNALS }],
  flags: [{ long: "signal", short: "s", value: "SIGNAL", help: "Signal to send (default: SIGTERM)" }],
  examples: ["zinit kill web SIGHUP"],
  run: (session, input) => {
    const name = nameOf(input);
    const signal = input.value("signal") ?? input.word(1);
    session.call("service.kill", signal === null ? { name } : { name, signal });
    session.print(`✓ Sent ${signal ?? "TERM"} to: ${name}`, `Sent ${signal ?? "SIGTERM"} to: ${name}`);
  },
};
