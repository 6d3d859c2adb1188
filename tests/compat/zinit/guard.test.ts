/** What may be in the way of a service: ports and processes that others have. */
import { rmSync } from "node:fs";
import { expect, ours, test, type Zinit } from "./harness.ts";

/** Starts the server beside a program that listens on a port, until its file goes. */
async function beside(zinit: Zinit): Promise<number> {
  const script = zinit.box.write(
    "listener.mjs",
    `import { createServer } from "node:net";
import { existsSync, writeFileSync } from "node:fs";
const [port, there] = process.argv.slice(2);
const server = createServer();
server.listen(0, "127.0.0.1", () => writeFileSync(port, String(server.address().port)));
setInterval(() => existsSync(there) || process.exit(), 20);
`,
  );
  zinit.box.write("there", "");
  const [port, there] = [zinit.box.path("port"), zinit.box.path("there")];
  await zinit.start({ prelude: `{ ${process.execPath} ${script} ${port} ${there} & }` });
  return Number(await zinit.until("its port", () => zinit.box.has("port") && zinit.box.read("port")));
}

function add(zinit: Zinit, service: object): Promise<unknown> {
  return zinit.call("service.set", { config: { service: { name: "web", exec: "sleep 99", ...service } } });
}

test("a port that somebody else has is waited for, and told", async ({ zinit }) => {
  const port = await beside(zinit);
  await add(zinit, { ports: [port] });
  await zinit.reaches("web", "blocked");
  expect(await zinit.call("service.why", { name: "web" })).toMatchObject({
    blocked: true,
    waiting_on: [],
    port_conflict: expect.stringMatching(`^port ${port} in use by external process: \\S+ \\(PID [0-9]+\\)$`),
  });
});

ours("12: when it is free the service starts", async ({ zinit }) => {
  const port = await beside(zinit);
  await add(zinit, { ports: [port] });
  await zinit.reaches("web", "blocked");
  rmSync(zinit.box.path("there"));
  await zinit.reaches("web", "running");
});

ours("10: kill_others kills who has it, and nobody else", async ({ zinit }) => {
  zinit.service("other", "sleep 99");
  const port = await beside(zinit);
  const { pid } = await zinit.reaches("other", "running");
  await add(zinit, { ports: [port], kill_others: true });
  await zinit.reaches("web", "running");
  expect(await zinit.status("other")).toMatchObject({ state: "running", pid });
});

test("a port of a service that is up is waited for, and told", async ({ zinit }) => {
  zinit.service("a", "sleep 99", { service: { ports: [1] } });
  await zinit.start();
  await zinit.reaches("a", "running");
  await add(zinit, { ports: [1, 2] });
  await zinit.reaches("web", "blocked");
  expect(await zinit.call("service.why", { name: "web" })).toMatchObject({
    port_conflict: "port 1 in use by service a",
  });
});

test("a process of such a name is waited for", async ({ zinit }) => {
  const program = zinit.box.copy("/bin/sleep", "OtherOne");
  await zinit.start({ prelude: `{ ${program} 99 & }` });
  await add(zinit, { process_filters: ["herone"] });
  await zinit.reaches("web", "blocked");
  // A name that nobody has is in nobody's way.
  await zinit.call("service.set", {
    config: { service: { name: "free", exec: "sleep 99", process_filters: ["no-such-name"] } },
  });
  await zinit.reaches("free", "running");
});

ours("21: and told", async ({ zinit }) => {
  const program = zinit.box.copy("/bin/sleep", "OtherOne");
  await zinit.start({ prelude: `{ ${program} 99 & }` });
  await add(zinit, { process_filters: ["herone"] });
  await zinit.reaches("web", "blocked");
  expect(await zinit.call("service.why", { name: "web" })).toMatchObject({
    process_conflict: { filter: "herone", processes: [{ name: "OtherOne" }] },
  });
});

test("what belongs to another service is in the way, too", async ({ zinit }) => {
  const script = zinit.box.write(
    "holder.mjs",
    `import { createServer } from "node:net";
const server = createServer();
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
`,
  );
  const program = zinit.box.copy("/bin/sleep", "OtherOne");
  zinit.service("holder", `exec ${process.execPath} ${script}`);
  zinit.service("other", `exec ${program} 99`);
  await zinit.start();
  await zinit.until("its port", async () => (await zinit.log("holder")).length > 0);
  const port = Number((await zinit.log("holder"))[0]?.content);
  await zinit.until("its program", async () =>
    (await zinit.up.descendants()).some(({ comm }) => comm === "OtherOne"),
  );
  await add(zinit, { ports: [port] });
  await zinit.reaches("web", "blocked");
  const { pid } = await zinit.status("holder");
  expect(await zinit.call("service.why", { name: "web" })).toMatchObject({
    port_conflict: expect.stringMatching(`^port ${port} in use by external process: \\S+ \\(PID ${pid}\\)$`),
  });
  await zinit.call("service.set", {
    config: { service: { name: "like", exec: "sleep 99", process_filters: ["herone"] } },
  });
  await zinit.reaches("like", "blocked");
});
