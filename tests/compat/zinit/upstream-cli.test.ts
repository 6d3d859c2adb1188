/**
 * zinit's own command line (0.3.9, from the registry) against our server, through each of its verbs.
 * `scripts/originals.mjs` builds it. It finds the socket by HOME and takes no other.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { root } from "../../e2e/harness/paths.ts";
import { expect, original, test, type Zinit } from "./harness.ts";

const bin = join(root, "build/originals/zinit/bin/zinit");
if (!existsSync(bin)) throw new Error(`${bin} is missing: run "node scripts/originals.mjs"`);

async function upstream(zinit: Zinit, ...args: string[]): Promise<string> {
  const end = await zinit.box.run([bin, ...args], {});
  expect({ args, code: end.code, err: end.err }).toEqual({ args, code: 0, err: "" });
  return end.out;
}

const cross = original === null ? test : test.skip;

cross("looking", async ({ zinit }) => {
  zinit.service("db", "echo out; sleep 999");
  zinit.service("web", "sleep 999", { dependencies: { requires: ["db"] } });
  zinit.service("late", "sleep 999", { dependencies: { requires: ["missing"] } });
  await zinit.start();
  const { pid } = await zinit.reaches("web", "running");
  await zinit.reaches("late", "failed");
  expect(await upstream(zinit, "list")).toMatch(new RegExp(`● web +Running \\(pid: ${pid}\\)`));
  expect(await upstream(zinit, "ls")).toContain("✗ late");
  expect(await upstream(zinit, "status", "web")).toMatch(
    new RegExp(`Service: web\\nState: +● Running\\nPID: +${pid}\\n`),
  );
  expect(await upstream(zinit, "why", "web")).toContain("web is not blocked");
  expect(await upstream(zinit, "tree")).toContain("[+] web (running)");
  await zinit.until("the line", async () => (await upstream(zinit, "logs", "db", "-n", "5")).includes("out"));
  expect(await upstream(zinit, "ping")).toContain("zinit daemon v0.3.9 is running");
  expect(await upstream(zinit, "debug-state")).toContain("web");
  expect(await upstream(zinit, "debug-procs", "web")).toContain("sleep");
});

cross("doing", async ({ zinit }) => {
  zinit.service("web", "sleep 999", { lifecycle: { restart: "never" } });
  await zinit.start();
  const { pid } = await zinit.reaches("web", "running");
  expect(await upstream(zinit, "restart", "web")).toContain("Restarted: web");
  await zinit.reaches("web", "running", (status) => status.pid !== pid);
  expect(await upstream(zinit, "stop", "web")).toContain("Stopped: web");
  await zinit.reaches("web", "exited");
  expect(await upstream(zinit, "start", "web")).toContain("Started: web");
  await zinit.reaches("web", "running");
  expect(await upstream(zinit, "kill", "web", "-s", "SIGKILL")).toContain("Sent SIGKILL to: web");
  await zinit.reaches("web", "failed");
  const added = await upstream(zinit, "add-service", "--name", "added", "--exec", "sleep 999", "-e", "A=1");
  expect(added).toContain("Service 'added' added");
  await zinit.reaches("added", "running");
  expect(await upstream(zinit, "remove", "added")).toContain("Removed: added");
  expect(await zinit.call("service.list")).toEqual(["web"]);
  expect(await upstream(zinit, "shutdown")).toContain("zinit daemon stopped");
  expect((await zinit.up.ends()).code).toBe(0);
});

cross("proxies", async ({ zinit }) => {
  zinit.service("backend", "sleep 999", { service: { status: "stop" } });
  await zinit.start();
  const [front, back] = [zinit.box.path("front.sock"), zinit.box.path("back.sock")];
  const addresses = ["--listen", front, "--backend", back, "--service", "backend"];
  expect(await upstream(zinit, "xinet", "register", "front", ...addresses)).toContain("front");
  expect(await upstream(zinit, "xinet", "list")).toContain("  front");
  expect(await upstream(zinit, "xinet", "status")).toMatch(/Proxy: front\n +Listen: +.*front.sock/);
  expect(await upstream(zinit, "xinet", "status", "front")).toContain("front");
  expect(await upstream(zinit, "xinet", "unregister", "front")).toContain("Unregistered xinet proxy 'front'");
});

cross("a script in Rhai", async ({ zinit }) => {
  zinit.service("web", "sleep 999");
  await zinit.start();
  await zinit.reaches("web", "running");
  const script = zinit.box.write(
    "look.rhai",
    `let z = zinit.socket("${zinit.socket}").connect();\nfor name in z.list() { print("there is " + name); }\n`,
  );
  expect(await upstream(zinit, "rhai", script)).toContain("there is web");
});
