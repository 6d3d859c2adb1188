/** Help and usage errors, byte for byte. */
import { expect, ours, test } from "./harness.ts";

const MORE = "\n\nFor more information, try '--help'.\n";

const WRONG: readonly (readonly [args: string, err: string])[] = [
  ["frobnicate", "unrecognized subcommand 'frobnicate'\n\nUsage: zinit [OPTIONS] <COMMAND>"],
  [
    "pin",
    "unrecognized subcommand 'pin'\n\n  tip: a similar subcommand exists: 'ping'\n\nUsage: zinit [OPTIONS] <COMMAND>",
  ],
  ["--frobnicate", "unexpected argument '--frobnicate' found\n\nUsage: zinit [OPTIONS] <COMMAND>"],
  ["list --frobnicate", "unexpected argument '--frobnicate' found\n\nUsage: zinit list [OPTIONS]"],
  ["list extra", "unexpected argument 'extra' found\n\nUsage: zinit list [OPTIONS]"],
  ["status", "the following required arguments were not provided:\n  <NAME>\n\nUsage: zinit status <NAME>"],
  ["status a b", "unexpected argument 'b' found\n\nUsage: zinit status [OPTIONS] <NAME>"],
  [
    "status -x",
    "unexpected argument '-x' found\n\n  tip: to pass '-x' as a value, use '-- -x'\n\nUsage: zinit status [OPTIONS] <NAME>",
  ],
  [
    "xinet status -V",
    "unexpected argument '-V' found\n\n  tip: to pass '-V' as a value, use '-- -V'\n\nUsage: zinit xinet status [OPTIONS] [NAME]",
  ],
  ["logs web -n abc", "invalid value 'abc' for '--lines <LINES>': invalid digit found in string"],
  ["logs web -n=-5", "invalid value '-5' for '--lines <LINES>': invalid digit found in string"],
  ["logs web -nf", "invalid value 'f' for '--lines <LINES>': invalid digit found in string"],
  ["logs web -n", "a value is required for '--lines <LINES>' but none was supplied"],
  [
    "logs web -n 1 -n 2",
    "the argument '--lines <LINES>' cannot be used multiple times\n\nUsage: zinit logs [OPTIONS] <NAME>",
  ],
  [
    "logs web --line 1",
    "unexpected argument '--line' found\n\n  tip: a similar argument exists: '--lines'\n\nUsage: zinit logs --lines <LINES> <NAME>",
  ],
  [
    "start web --tree --tree",
    "the argument '--tree' cannot be used multiple times\n\nUsage: zinit start [OPTIONS] <NAME>",
  ],
  ["kill web -s", "a value is required for '--signal <SIGNAL>' but none was supplied"],
  ["-s", "a value is required for '--socket <SOCKET>' but none was supplied"],
  [
    "add-service --name x",
    "the following required arguments were not provided:\n  --exec <EXEC>\n\nUsage: zinit add-service --name <NAME> --exec <EXEC> [FILE]",
  ],
  [
    "add-service f --name x",
    "the argument '[FILE]' cannot be used with '--name <NAME>'\n\nUsage: zinit add-service <FILE>",
  ],
  [
    "add-service --name x --exec y --persist --ephemeral",
    "the argument '--persist' cannot be used with '--ephemeral'\n\nUsage: zinit add-service --name <NAME> --exec <EXEC> --persist [FILE]",
  ],
  [
    "add-service --name x --exec y --max-restarts -1",
    "unexpected argument '-1' found\n\n  tip: to pass '-1' as a value, use '-- -1'\n\nUsage: zinit add-service [OPTIONS] [FILE]",
  ],
  [
    "add-service --name x --exec y --max-restarts 99999999999",
    "invalid value '99999999999' for '--max-restarts <MAX_RESTARTS>': 99999999999 is not in 0..=4294967295",
  ],
  [
    "xinet register",
    "the following required arguments were not provided:\n  --listen <LISTEN>\n  --backend <BACKEND>\n  --service <SERVICE>\n  <NAME>\n\nUsage: zinit xinet register --listen <LISTEN> --backend <BACKEND> --service <SERVICE> <NAME>",
  ],
  ["xinet frobnicate", "unrecognized subcommand 'frobnicate'\n\nUsage: zinit xinet [OPTIONS] <COMMAND>"],
  ["rhai", "the following required arguments were not provided:\n  <PATH>\n\nUsage: zinit rhai <PATH>"],
];

test("usage errors", async ({ zinit }) => {
  for (const [args, message] of WRONG) {
    const { out, err, code } = await zinit.cli(...args.split(" "));
    expect({ args, out, err, code }).toEqual({ args, out: "", err: `error: ${message}${MORE}`, code: 2 });
  }
});

test("no verb: the help, as an error", async ({ zinit }) => {
  for (const args of [[], ["xinet"]]) {
    const end = await zinit.cli(...args);
    expect(end).toMatchObject({ out: "", code: 2 });
    expect(end.err).toMatch(/^[A-Z].*\n\nUsage: zinit .*\[OPTIONS\] <COMMAND>\n\nCommands:\n {2}/);
  }
});

test("the version", async ({ zinit }) => {
  for (const flag of ["--version", "-V"]) {
    expect(await zinit.cli(flag)).toMatchObject({ out: "zinit 0.3.9\n", err: "", code: 0 });
    const server = await zinit.box.run([zinit.program("zinit-server"), flag]);
    expect(server).toMatchObject({ out: "zinit-server 0.3.9\n", err: "", code: 0 });
  }
});

const OPTIONS =
  "Options:\n  -s, --socket <SOCKET>  Socket path (default: auto-detect)\n  -h, --help             Print help\n";
const NAME = "Arguments:\n  <NAME>  Service name\n\n";

const HELP: readonly (readonly [verb: string, help: string])[] = [
  ["list", `List all services\n\nUsage: zinit list [OPTIONS]\n\n${OPTIONS}`],
  [
    "status",
    `Show detailed status of a service\n\nUsage: zinit status [OPTIONS] <NAME>\n\n${NAME}${OPTIONS}`,
  ],
  [
    "start",
    `Start a service\n\nUsage: zinit start [OPTIONS] <NAME>\n\n${NAME}Options:
  -s, --socket <SOCKET>  Socket path (default: auto-detect)
      --tree             Also start required dependencies
  -h, --help             Print help\n`,
  ],
  ["ping", `Ping the daemon\n\nUsage: zinit ping [OPTIONS]\n\n${OPTIONS}`],
  [
    "xinet register",
    `Register a new xinet proxy

Usage: zinit xinet register [OPTIONS] --listen <LISTEN> --backend <BACKEND> --service <SERVICE> <NAME>

Arguments:
  <NAME>  Proxy name

Options:
  -l, --listen <LISTEN>                    Listen address(es): unix:/path/to/sock or tcp:host:port
  -s, --socket <SOCKET>                    Socket path (default: auto-detect)
  -b, --backend <BACKEND>                  Backend address: unix:/path or tcp:host:port
      --service <SERVICE>                  Zinit service name to activate on connection
      --connect-timeout <CONNECT_TIMEOUT>  Timeout waiting for backend socket (seconds) [default: 30]
      --idle-timeout <IDLE_TIMEOUT>        Stop service after idle time (0 = never) [default: 0]
      --single                             Allow only one connection at a time
  -h, --help                               Print help
`,
  ],
];

test("help of verbs, by flag, by letter and by verb", async ({ zinit }) => {
  for (const [verb, help] of HELP) {
    const words = verb.split(" ");
    for (const args of [
      [...words, "--help"],
      [...words, "-h"],
      [...words.slice(0, -1), "help", ...words.slice(-1)],
    ]) {
      const end = await zinit.cli(...args);
      expect(end).toMatchObject({ err: "", code: 0 });
      // Ours has an example at its end, and sometimes more options.
      if (verb !== "xinet register") expect(end.out.slice(0, help.length)).toBe(help);
      for (const line of help.split("\n")) expect(end.out).toContain(`${line}\n`);
    }
  }
});

test("add-service's help gives every option two lines", async ({ zinit }) => {
  const { out } = await zinit.cli("add-service", "--help");
  expect(out).toContain(
    "\n      --name <NAME>\n          Service name (required if no file)\n  -s, --socket <SOCKET>\n          Socket path (default: auto-detect)\n",
  );
  expect(out).toContain("\n      --dir <DIR>\n          Working directory [default: /]\n");
});

test("the long help begins with examples, the short one with one line", async ({ zinit }) => {
  const long = await zinit.cli("--help");
  expect((await zinit.cli("help")).out).toBe(long.out);
  expect(long.out).toMatch(/^zinit is a process supervisor .*\n\nExamples:\n {2}zinit list {20}# List/);
  const short = await zinit.cli("-h");
  expect(short.out).toMatch(
    /^Process supervisor with dependency management\n\nUsage: zinit \[OPTIONS\] <COMMAND>/,
  );
  expect(short.out).toContain("\n  list         List all services\n");
  for (const verb of ["", "xinet "]) {
    expect((await zinit.cli(...`${verb}--help`.split(" "))).out).toMatch(/\n {2}help +Print this message/);
  }
});

ours("every verb's help ends with an example, and completion knows every verb", async ({ zinit }) => {
  const { out } = await zinit.cli("-h");
  const listed = /Commands:\n([\s\S]*?)\n\n/.exec(out)?.[1] ?? "";
  const verbs = listed.split("\n").map((line) => line.trim().split(" ")[0] ?? "");
  expect(verbs.length).toBeGreaterThan(20);
  const script = (await zinit.cli("completion", "bash")).out;
  for (const verb of verbs.filter((each) => each !== "help")) {
    expect((await zinit.cli(verb, "--help")).out).toMatch(/\n\nExamples?:\n {2}/);
    expect(script).toContain(`    ${verb}) `);
  }
  const check = await zinit.box.run(["bash", "-n", zinit.box.write("completion", script)]);
  expect(check).toMatchObject({ err: "", code: 0 });
});
