/**
 * Proxies: listeners of the nucleus that start a service when the first client comes, and stop it
 * when there was none for long enough.
 *
 * They are part of the configuration, so a fresh brain finds them there; what goes on at them is
 * in the nucleus's table. Here is only remembered what the nucleus was told of each service.
 */
import type { Event, ProxyRecord } from "../generated/protocol.ts";
import type { ProxySpec } from "../model/spec.ts";
import { publishSupervisor, say } from "./causes.ts";
import { namedServices } from "./goals.ts";
import { durationText } from "./text.ts";
import { type ProxyState, PUBLIC, pinnedUp, type Service, type World, wantsUp } from "./world.ts";

/** Other proxies, at once and all together. A name that is there is replaced. */
export interface ProxyAsk {
  readonly type: "proxy";
  readonly set: readonly ProxySpec[];
  readonly remove: readonly string[];
  readonly because: string;
}

export function takeProxyAsk(world: World, ask: ProxyAsk): void {
  if (world.shutdown.phase !== "running") return;
  const all = new Map(proxySpecs(world).map((spec) => [spec.name, spec]));
  for (const name of ask.remove) if (all.delete(name)) closeProxy(world, name, ask.because);
  for (const spec of ask.set) {
    all.set(spec.name, spec);
    openProxy(world, spec);
    publishSupervisor(world, `proxy ${spec.name} for ${spec.service} set ${ask.because}`);
  }
  world.settings = { ...world.settings, proxies: [...all.values()] };
  world.configTouched = true;
}

/** In the order they were set. */
export function proxySpecs(world: World): readonly ProxySpec[] {
  return world.settings.proxies ?? [];
}

function openProxy(world: World, { name, service, proxy }: ProxySpec): void {
  const up = isUp(world.byName.get(service));
  world.proxies.set(name, { service, up });
  world.out.push({ type: "openProxy", name, service, proxy: { ...proxy, up } });
}

function closeProxy(world: World, name: string, because: string): void {
  world.proxies.delete(name);
  world.out.push({ type: "closeProxy", name });
  publishSupervisor(world, `proxy ${name} closed ${because}`);
}

/** Something there can be asked for connections. */
function isUp(service: Service | undefined): boolean {
  return service !== undefined && PUBLIC[service.state] === "running";
}

/** A brain's start: those that are open go on, with what the former brain did not hear of. */
export function resumeProxies(world: World, table: readonly ProxyRecord[]): void {
  if (world.shutdown.phase !== "running") {
    for (const { name } of table) world.out.push({ type: "closeProxy", name });
    return;
  }
  const specs = proxySpecs(world);
  const configured = new Set(specs.map(({ name }) => name));
  for (const { name } of table) {
    if (!configured.has(name)) world.out.push({ type: "closeProxy", name });
  }
  for (const spec of specs) openProxy(world, spec);
  for (const { name, wanted, idle } of table) {
    if (wanted) takeProxyWanted(world, name);
    if (idle) retire(world, name);
  }
}

// ---- news of the nucleus

/** A client waits. What is on its way up already, in its own time, is left alone. */
export function takeProxyWanted(world: World, name: string): void {
  const proxy = world.proxies.get(name);
  if (proxy === undefined || world.shutdown.phase !== "running") return;
  const service = world.byName.get(proxy.service);
  if (service === undefined) {
    say(world, `proxy ${name}: there is no service ${proxy.service}; its client is turned away`);
    world.out.push({ type: "proxyRefuse", name });
    return;
  }
  const rests = service.state === "exited" || service.state === "failed";
  if (wantsUp(service) && !rests) return;
  const because = `start for a client of proxy ${name}`;
  world.demands.push({ type: "start", named: namedServices(world, [proxy.service], because) });
}

/** The nucleus holds the backend to be down until it is told again, by `tellProxies`. */
export function takeProxyIdle(world: World, name: string): void {
  const proxy = world.proxies.get(name);
  if (proxy === undefined || world.shutdown.phase !== "running") return;
  for (const other of world.proxies.values()) if (other.service === proxy.service) other.up = false;
  retire(world, name);
}

/** Stops the service of a proxy that nobody uses. */
function retire(world: World, name: string): void {
  const proxy = world.proxies.get(name);
  if (proxy === undefined) return;
  const service = world.byName.get(proxy.service);
  if (service === undefined || !isUp(service) || pinnedUp(service)) return;
  const idleMs = proxySpecs(world).find((spec) => spec.name === name)?.proxy.idleMs ?? 0;
  const because = `stop after ${durationText(idleMs)} without a client of proxy ${name}`;
  world.demands.push({ type: "stop", named: namedServices(world, [proxy.service], because) });
}

export function takeProxyFailed(world: World, event: Extract<Event, { type: "proxyFailed" }>): void {
  for (const failure of event.failures) {
    const text = `proxy ${event.name} cannot listen on ${failure}`;
    say(world, text);
    publishSupervisor(world, text);
  }
}

// ---- at the end of each step

/** Tells the nucleus whose backend has come or gone. Who is shutting down takes nobody in. */
export function tellProxies(world: World): void {
  if (world.proxies.size === 0) return;
  if (world.shutdown.phase !== "running") {
    for (const name of world.proxies.keys()) world.out.push({ type: "closeProxy", name });
    world.proxies.clear();
    return;
  }
  for (const [name, proxy] of world.proxies) tellProxy(world, name, proxy);
}

function tellProxy(world: World, name: string, proxy: ProxyState): void {
  const up = isUp(world.byName.get(proxy.service));
  if (up === proxy.up) return;
  proxy.up = up;
  world.out.push({ type: "proxyUp", name, up });
}
