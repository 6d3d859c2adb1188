/** Defects of the original that show from outside, by their numbers in its specification. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { describe } from "vitest";
import { expect, isRoot, ours, TELL, test } from "./harness.ts";

describe("defects", () => {
  ours("1: no exit is lost, however short a run", async ({ horust }) => {
    for (let index = 0; index < 64; index++) horust.file(`${index}.toml`, 'command = "false"\n');
    const runs = await Promise.all(
      Array.from({ length: 8 }, (_, index) =>
        horust.box
          .start(
            [
              horust.program("horust"),
              TELL,
              "--uds-folder-path",
              horust.path(`sockets-${index}`),
              "--services-path",
              horust.folder,
            ],
            { as: "child" },
          )
          .outcome(),
      ),
    );
    expect(runs.map(({ code }) => code)).toEqual(runs.map(() => 101));
  });

  ours("two of the same process id, in two containers that share a folder", async ({ horust }) => {
    horust.script("a", `echo up >> ${horust.path("up")}; exec sleep 99`);
    const first = horust.start([], { as: "init" });
    await horust.until("the socket", () => horust.box.has("horust-1.sock"));
    const second = horust.start([], { as: "init", env: { HORUST_LOG: "warn" } });
    await horust.lines("up", 2);
    expect(first.over || second.over).toBe(false);
    expect(second.err).toContain("another horust listens");
    expect(await horust.status("a.toml")).toBe("RUNNING");
  });

  ours("7: who says nothing on the socket is in nobody's way", async ({ horust }) => {
    horust.script("a", `touch ${horust.path("up")}; exec sleep 99`);
    horust.start();
    await horust.makes("up");
    await horust.reaches("a.toml", "RUNNING");
    const name = readdirSync(horust.folder).find((entry) => entry.endsWith(".sock"));
    const silent = connect(horust.path(name ?? ""));
    await new Promise((resolve) => silent.once("connect", resolve));
    try {
      expect(await horust.status("a.toml")).toBe("RUNNING");
      await horust.signal("SIGTERM");
      expect((await horust.running.outcome()).code).toBe(0);
    } finally {
      silent.destroy();
    }
  });

  const asRoot = isRoot ? ours : ours.skip;
  asRoot("10: with a user go its groups, and nothing of root's", async ({ horust }) => {
    horust.file("a.toml", 'command = "id"\nuser = "games"\n');
    horust.file(
      "b.toml",
      'command = "sh -c \'echo $$USER $$HOME\'"\nuser = "games"\nstart-after = ["a.toml"]\n',
    );
    const { out } = await horust.run();
    const [id = "", names = ""] = out.split("\n");
    expect(id).toMatch(/^uid=\d+\(games\) gid=\d+\(games\)/);
    expect(id).not.toContain("root");
    expect(names).toMatch(/^games \/\S+$/);
  });

  asRoot("found by reading 8: a number without an entry", async ({ horust }) => {
    horust.file("a.toml", 'command = "id"\nuser = 54321\n');
    expect((await horust.run()).out).toMatch(/^uid=54321 gid=54321 groups=54321\n$/);
  });

  ours("11: PIPE ends a service as it ends any program", async ({ horust }) => {
    horust.script("a", "grep SigIgn /proc/self/status");
    expect((await horust.run()).out).toMatch(/^SigIgn:\s+0+\n$/);
  });

  ours("13: the words after -- stay as they are", async ({ horust }) => {
    const run = (...words: string[]) => horust.runBare(["--uds-folder-path", horust.folder, ...words]);
    expect((await run("--", "bash", "-c", "echo 'a  b'; echo c")).out).toBe("a  b\nc\n");
    expect((await run("--", "printf", "%s|", "a b", "", "--help")).out).toBe("a b||--help|");
  });

  ours("14: horust PROGRAM, without --", async ({ horust }) => {
    const run = (...words: string[]) => horust.runBare(["--uds-folder-path", horust.folder, ...words]);
    expect(await run("printf", "%s|", "--uds-folder-path", "x")).toMatchObject({
      code: 0,
      out: "--uds-folder-path|x|",
    });
    expect(await run("echo hello world")).toMatchObject({ code: 0, out: "hello world\n", err: "" });
  });

  ours("found by reading 10: services get three descriptors", async ({ horust }) => {
    horust.script("a", "exec sleep 99", `stdout = "${horust.path("log")}"\nstdout-rotate-size = "1kb"`);
    horust.script("b", `ls /proc/self/fd > ${horust.path("fds")}`, 'start-after = ["a.toml"]');
    horust.start();
    const fds = await horust.lines("fds", 3);
    // 3 is that of ls, for the folder.
    expect(fds).toEqual(["0", "1", "2", "3"]);
  });

  ours("found by reading 17: the stderr of a single command is stderr", async ({ horust }) => {
    const run = await horust.runBare(["--uds-folder-path", horust.folder, "--", "sh", "-c", "echo e >&2"]);
    expect(run).toMatchObject({ code: 0, out: "", err: "e\n" });
  });

  ours("found by reading 19: what keeps a program from starting is told whole", async ({ horust }) => {
    horust.file("a.toml", `command = "true"\nworking-directory = "${horust.path("nowhere")}"\n`);
    const { err } = await horust.run();
    expect(err).toContain("a.toml: Failed spawning the process: ");
    expect(err).toContain(horust.path("nowhere"));
  });

  ours("found by reading 12: a dead socket makes room", async ({ horust }) => {
    // As PID 1 of a container, the next supervisor has the same process id.
    horust.script("a", `touch ${horust.path("up")}; exec sleep 99`);
    const first = horust.start([], { as: "init" });
    await horust.makes("up");
    await horust.until("the socket", () => horust.box.has("horust-1.sock"));
    process.kill(await horust.pid(), "SIGKILL");
    await first.outcome();
    expect(existsSync(horust.path("horust-1.sock"))).toBe(true);
    horust.start([], { as: "init" });
    await horust.reaches("a.toml", "RUNNING");
  });
});

/** Where the controllers are, hierarchies of version 1 or the unified one, and whether they can be used. */
function controllers(): string | null {
  if (!isRoot) return null;
  if (existsSync("/sys/fs/cgroup/pids/cgroup.procs")) return "v1";
  const unified = "/sys/fs/cgroup/cgroup.controllers";
  return existsSync(unified) && readFileSync(unified, "utf8").includes("pids") ? "v2" : null;
}

const limited = controllers() === null ? ours.skip : ours;

describe("limits", () => {
  limited("12: hold, and leave no group behind", async ({ horust }) => {
    const forks = `import os, time
shown = open("/proc/self/cgroup").read()
children = 0
try:
    while children < 40:
        if os.fork() == 0:
            time.sleep(60)
        children += 1
except BlockingIOError:
    pass
open("${horust.path("told")}", "w").write(f"{children}\\n{shown}")
`;
    horust.box.write("forks.py", forks);
    const more = '[resource-limit]\npids-max = 8\nmemory = "64 MiB"\ncpu = 0.5';
    horust.file("a.toml", `command = "python3 ${horust.path("forks.py")}"\n${more}\n`);
    const { code, err } = await horust.run([], { env: { HORUST_LOG: "warn" } });
    expect({ code, err }).toEqual({ code: 0, err: "" });
    const [children, ...lines] = horust.linesNow("told");
    expect(children).toBe("7");
    const groups = lines.map((line) => line.split(":")).filter(([, , path]) => path?.includes("/oneup-"));
    const wanted = controllers() === "v1" ? ["cpu", "memory", "pids"] : [""];
    for (const controller of wanted) {
      const path = groups.find(([, list]) => list?.split(",").includes(controller))?.[2];
      expect(path, controller).toBeDefined();
      // As this mount shows it: below our own group, or as a whole.
      const name = path?.slice(path.indexOf("/oneup-")) ?? "";
      expect(found(`/sys/fs/cgroup/${controller}`, name.slice(1).split("/")[0] ?? "")).toEqual([]);
    }
  });

  test("no right to make a group costs the limit alone", async ({ horust }) => {
    horust.box.write("a.toml", 'command = "echo a"\n[resource-limit]\npids-max = 8\n');
    const { code, out, err } = await horust.run([], { user: "nobody" });
    expect({ code, out, err }).toEqual({ code: 0, out: "a\n", err: "" });
  });
});

/** Folders of this name, in any depth. */
function found(folder: string, name: string, depth = 5): string[] {
  if (depth === 0) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (!entry.isDirectory()) return [];
    const path = `${folder}/${entry.name}`;
    return entry.name === name ? [path] : found(path, name, depth - 1);
  });
}
