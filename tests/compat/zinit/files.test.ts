/** What stands in the folder of service files, and what becomes of it. */
import { chmodSync, symlinkSync } from "node:fs";
import { expect, isRoot, ours, test, type Zinit } from "./harness.ts";

async function names(zinit: Zinit): Promise<unknown> {
  const list = await zinit.call("service.list");
  return Array.isArray(list) ? list.sort() : list;
}

test("what is no service or target is passed over, the others run", async ({ zinit }) => {
  zinit.service("web", "sleep 99");
  zinit.target("all", { requires: ["web"] });
  zinit.service("spaced name", "sleep 99");
  zinit.service("empty", "");
  zinit.service("typed", "sleep 99", { service: { oneshot: "yes" } });
  zinit.service("never", "sleep 99", { lifecycle: { restart: "sometimes" } });
  zinit.file("half.toml", "[service");
  zinit.file("README.md", "no service");
  zinit.file("deep/inner.toml", '[service]\nname = "inner"\nexec = "sleep 99"\n');
  await zinit.start();
  await zinit.reaches("web", "running");
  await zinit.reaches("all", "running");
  expect(await names(zinit)).toEqual(["all", "web"]);
});

test("a file's name is not its service's, and unknown keys mean nothing", async ({ zinit }) => {
  zinit.file("a.toml", '[service]\nname = "web"\nexec = "sleep 99"\ncolour = "red"\n[other]\nx = 1\n');
  zinit.file("b.toml", '[service]\nname = "db.1-x_y"\nexec = "sleep 99"\n[dependencies]\n');
  await zinit.start();
  expect(await names(zinit)).toEqual(["db.1-x_y", "web"]);
});

ours("13: of two with one name the first counts, and nobody fails for it", async ({ zinit }) => {
  zinit.file("b.toml", '[service]\nname = "web"\nexec = "sleep 98"\n');
  zinit.file("a.toml", '[service]\nname = "web"\nexec = "sleep 99"\n');
  await zinit.start();
  await zinit.reaches("web", "running");
  expect(await zinit.call("service.get", { name: "web" })).toMatchObject({ service: { exec: "sleep 99" } });
});

ours("13: a cycle costs its members, and nobody else", async ({ zinit }) => {
  zinit.service("a", "sleep 99", { dependencies: { requires: ["b"] } });
  zinit.service("b", "sleep 99", { dependencies: { wants: ["a"] } });
  zinit.service("web", "sleep 99");
  await zinit.start();
  await zinit.reaches("web", "running");
  for (const name of ["a", "b"]) {
    const { error } = await zinit.reaches(name, "failed");
    expect(error).toMatch(/cyclic dependency detected: (a -> b|b -> a)/);
  }
});

ours("an unreadable or strange file costs nobody anything", async ({ zinit }) => {
  zinit.service("web", "sleep 99");
  if (!isRoot) chmodSync(zinit.service("locked", "sleep 99"), 0);
  symlinkSync("/nowhere", zinit.file("x", "").replace(/x$/, "gone.toml"));
  zinit.file("folder.toml/x", "");
  zinit.box.write("services/latin.toml", Buffer.from('[service]\nname = "x"\nexec = "\xe9"\n', "latin1"));
  await zinit.start();
  await zinit.reaches("web", "running");
  expect(await names(zinit)).toEqual(["web"]);
});

test("a command runs by the shell, in its folder, with its environment on top of the server's", async ({
  zinit,
}) => {
  const out = zinit.box.path("out");
  zinit.service("web", `cd . && echo "$PWD $A $B \${HOME:+home}" > ${out}; exec sleep 99`, {
    service: { dir: "/usr", env: { A: "1", B: "two words" } },
  });
  await zinit.start();
  const text = await zinit.until("its line", () => zinit.box.has("out") && zinit.box.read("out"));
  expect(text).toBe("/usr 1 two words home\n");
});

ours("42: endpoint and on_failure are understood", async ({ zinit }) => {
  zinit.file(
    "web.toml",
    '[service]\nname = "web"\nexec = "sleep 99"\n[lifecycle]\nrestart = "on_failure"\n[health]\ntype = "exec"\nendpoint = "true"\n',
  );
  await zinit.start();
  await zinit.reaches("web", "running");
  expect(await zinit.call("service.get", { name: "web" })).toMatchObject({
    lifecycle: { restart: "on-failure" },
    health: { type: "exec", target: "true" },
  });
});

ours("20: logging.file is written", async ({ zinit }) => {
  const file = zinit.box.path("web.log");
  zinit.service("web", "echo hello; sleep 99", { logging: { file } });
  await zinit.start();
  const text = await zinit.until("the line", () => zinit.box.has("web.log") && zinit.box.read("web.log"));
  expect(text).toContain("hello");
});

test("a builtin runs nothing and is up at once", async ({ zinit }) => {
  zinit.service("disk", "@builtin:sysvol", { service: { oneshot: true } });
  zinit.service("web", "sleep 99", { dependencies: { requires: ["disk"] } });
  await zinit.start();
  expect(await zinit.reaches("disk", "running")).toMatchObject({ pid: 0 });
  await zinit.reaches("web", "running");
});
