/**
 * Every change carries its cause: on the service (its chain), in the event stream and, where a
 * person should know at once, on the console.
 *
 * The chain is one text, an entry a line: `WALL WHAT BECAUSE`. A thousand services that just run
 * have two short entries each. The last entry's BECAUSE is the service's cause.
 */
import type { Level, Receipt } from "../generated/protocol.ts";
import { noteBoot } from "./boot.ts";
import { wakeHindered } from "./guard.ts";
import type { HealthWord } from "./health.ts";
import { FACT_BEGUN, FACT_BROKEN, FACT_CLEAR, FACT_LIVE, FACT_READY, spread } from "./order.ts";
import { followState } from "./schedule.ts";
import { namesText } from "./text.ts";
import { heldText, PUBLIC, type Service, type State, touch, type World } from "./world.ts";

const CHAIN_LIMIT = 16;
/** A cause that quotes another one, which quotes another one, has to end somewhere. */
const QUOTE_LIMIT = 200;
/** What stands in the chain for a goal whose consequence has not come yet. */
const ASKED = "asked";

export interface ChainEntry {
  readonly wall: number;
  readonly what: string;
  readonly because: string;
}

/** The one place where a state changes. */
export function enter(world: World, service: Service, state: State, because: string): void {
  const from = PUBLIC[service.state];
  const to = PUBLIC[state];
  // From one internal state to another for the same reason: nothing that a person has to know.
  const news = from !== to || causeOf(service) !== because;
  service.state = state;
  if (from !== to) world.starting += Number(to === "starting") - Number(from === "starting");
  if (news) append(world, service, to, because);
  noteBoot(world, service);
  touch(world, service);
  const { name } = service.spec;
  if (from !== to) {
    publish(world, name, "state", from, to, because, null);
    if (world.hindered.size > 0) wakeHindered(world, service);
  }
  const becameReady = spread(world, service) & FACT_READY && service.facts & FACT_READY;
  if (becameReady) publish(world, name, "ready", null, null, because, null);
  followState(world, service);
}

/** A cause whose consequence has not come yet: why it is about to start, or to leave. */
export function note(world: World, service: Service, because: string): void {
  noteAs(world, service, ASKED, because);
}

/** News of it while its state remains. */
export function noteState(world: World, service: Service, because: string): void {
  noteAs(world, service, PUBLIC[service.state], because);
}

/** What it waits for has changed. */
export function noteWaiting(world: World, service: Service, because: string): void {
  noteAs(world, service, "waiting", because);
}

/** A hook, a command or a hold has its say: `what` names it. */
export function noteHook(world: World, service: Service, what: string, because: string): void {
  noteAs(world, service, what, because);
}

function noteAs(world: World, service: Service, what: string, because: string): void {
  if (causeOf(service) === because) return;
  append(world, service, what, because);
  touch(world, service);
}

export function causeOf(service: Service): string {
  const { chain } = service;
  if (chain === "") return "nobody asked for it yet";
  const what = chain.indexOf(" ", chain.lastIndexOf("\n") + 1);
  return chain.slice(chain.indexOf(" ", what + 1) + 1);
}

/** Why it has to leave: news that came while it waited for its turn to do so is not the reason. */
export function leavingCause(service: Service): string {
  const asked = chainOf(service).findLast(({ what }) => what === ASKED);
  return asked?.because ?? causeOf(service);
}

/** Oldest first. */
export function chainOf(service: Service): ChainEntry[] {
  return service.chain === "" ? [] : service.chain.split("\n").map(parseEntry);
}

function parseEntry(line: string): ChainEntry {
  const first = line.indexOf(" ");
  const second = line.indexOf(" ", first + 1);
  return {
    wall: Number(line.slice(0, first)),
    what: line.slice(first + 1, second),
    because: line.slice(second + 1),
  };
}

function append(world: World, service: Service, what: string, because: string): void {
  const text = because.includes("\n") ? because.replaceAll("\n", " ") : because;
  const line = `${Math.round(world.wall)} ${what} ${text}`;
  const { chain } = service;
  // A note is replaced by the change it announced, if that came for the very same reason.
  const before = chain.endsWith(` ${ASKED} ${text}`) ? withoutLast(chain) : chain;
  service.chain = before === "" ? line : bounded(`${before}\n${line}`);
}

function withoutLast(chain: string): string {
  return chain.slice(0, Math.max(0, chain.lastIndexOf("\n")));
}

function bounded(chain: string): string {
  if (chain.length < CHAIN_LIMIT * 20) return chain; // Fewer lines than the limit, surely.
  let lines = 1;
  for (let at = chain.indexOf("\n"); at !== -1; at = chain.indexOf("\n", at + 1)) lines++;
  let cut = chain;
  for (; lines > CHAIN_LIMIT; lines--) cut = cut.slice(cut.indexOf("\n") + 1);
  return cut;
}

/** What it waits for to start, as a cause. What is broken comes first: it alone is reason to worry. */
export function waitingCause(service: Service): string {
  const held = heldText(service);
  if (held !== null) return held;
  const { requires, order, begun, awaited, conflicts } = service.edges;
  const needed = awaited.length === 0 ? requires : [...requires, ...awaited];
  const broken = service.broken > 0 ? needed.find((other) => other.facts & FACT_BROKEN) : undefined;
  if (broken !== undefined) return `waits for ${broken.spec.name}, which ${brokenText(broken)}`;
  const names: string[] = [];
  for (const other of needed) if (!(other.facts & FACT_READY)) names.push(other.spec.name);
  for (const other of order) if (!(other.facts & FACT_CLEAR)) names.push(other.spec.name);
  for (const other of begun) if (!(other.facts & FACT_BEGUN)) names.push(other.spec.name);
  if (names.length > 0) return `waits for ${namesText([...new Set(names)])}`;
  const clashes = conflicts.filter((other) => other.facts & FACT_LIVE).map((other) => other.spec.name);
  return clashes.length > 0 ? `waits until ${namesText(clashes)} has stopped` : "waits for its turn";
}

function brokenText(broken: Service): string {
  const cause = causeOf(broken);
  const text =
    broken.state === "waiting" ? cause : `${broken.state === "failed" ? "failed" : "ended"}: ${cause}`;
  return text.length <= QUOTE_LIMIT ? text : `${text.slice(0, QUOTE_LIMIT)}…`;
}

// ---- the event stream

export function publishHealth(
  world: World,
  service: Service,
  from: HealthWord,
  to: HealthWord,
  cause: string,
): void {
  publish(world, service.spec.name, "health", from, to, cause, null);
}

/** It told that it reads its configuration again, or that it has done so. */
export function publishReload(world: World, service: Service, reloading: boolean): void {
  const state = PUBLIC[service.state];
  const [from, to] = reloading ? [state, "reloading"] : ["reloading", state];
  publish(world, service.spec.name, "reload", from, to, "as it told", null);
}

export function publishReceipt(world: World, receipt: Receipt, cause: string): void {
  publish(world, receipt.service, "receipt", null, null, cause, receipt);
}

export function publishSupervisor(world: World, cause: string): void {
  publish(world, null, "supervisor", null, null, cause, null);
}

/** A hook, the stop command or the reload command begins or is over. */
export function publishHook(world: World, service: Service, cause: string): void {
  publish(world, service.spec.name, "hook", null, null, cause, null);
}

/** A reload that a person asked for begins or is over. */
export function publishReloadNews(world: World, service: Service, cause: string): void {
  publish(world, service.spec.name, "reload", null, null, cause, null);
}

/** Another set of services: it is one of them, is defined anew, or is one no longer. */
export function publishChange(
  world: World,
  service: Service,
  to: "added" | "changed" | "removed",
  cause: string,
): void {
  publish(world, service.spec.name, "change", null, to, cause, null);
}

/** Pinned, masked, or free again (`null`). */
export function publishPin(
  world: World,
  service: Service,
  from: string | null,
  to: string | null,
  cause: string,
): void {
  publish(world, service.spec.name, "pin", from, to, cause, null);
}

/** A run that is due and does not start now. */
export function publishSchedule(world: World, name: string, cause: string): void {
  publish(world, name, "schedule", null, null, cause, null);
}

function publish(
  world: World,
  service: string | null,
  event: string,
  from: string | null,
  to: string | null,
  cause: string,
  receipt: Receipt | null,
): void {
  const seq = world.nextSeq++;
  const name = service === null ? "null" : JSON.stringify(service);
  const change = `"from":${sideText(from)},"to":${sideText(to)}`;
  const proof = receipt === null ? "" : `,"receipt":${JSON.stringify(receipt)}`;
  const text = `{"seq":${seq},"time":"${timeText(world)}","service":${name},"event":"${event}",${change},"cause":${JSON.stringify(cause)}${proof}}`;
  world.out.push({ type: "publish", seq, text });
}

/** Names of states need no escapes. */
function sideText(side: string | null): string {
  return side === null ? "null" : `"${side}"`;
}

/** RFC 3339 in UTC with milliseconds. */
export function isoText(wall: number): string {
  return new Date(Math.round(wall)).toISOString();
}

function timeText(world: World): string {
  if (world.timeWall !== world.wall) {
    world.timeWall = world.wall;
    world.timeText = isoText(world.wall);
  }
  return world.timeText;
}

// ---- the console

export function say(world: World, text: string, level?: Level): void {
  world.out.push({ type: "say", text, ...(level === undefined ? {} : { level }) });
}

/** News of a service. A single command speaks for itself. */
export function tell(world: World, service: Service, text: string): void {
  if (!world.supervisor.single) say(world, `${service.spec.name}: ${text}`);
}
