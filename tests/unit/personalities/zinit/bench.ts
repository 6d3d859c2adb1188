/** zinit's brain on the stand-in for the engine, with services as files of zinit's define them. */
import type { ServiceDocument } from "../../../../src/dialects/zinit/document.ts";
import type { ServiceView } from "../../../../src/engine/index.ts";
import type { Command, Query, QueryAnswer } from "../../../../src/generated/protocol.ts";
import { withDefaults } from "../../../../src/model/defaults.ts";
import type { SparseSpec } from "../../../../src/model/spec.ts";
import { zinit } from "../../../../src/personalities/zinit/brain/dispatch.ts";
import { answered, Bench, replies } from "../../api/stub.ts";

export { DOWN, replies } from "../../api/stub.ts";

export const PLACES = { configDir: "/etc/zinit/services", systemDir: null };

type Parts = { readonly [K in keyof ServiceDocument]?: Partial<ServiceDocument[K]> };

/** With every default, as the dialect writes it. */
export function documentText(name: string, parts: Parts = {}): string {
  const document: ServiceDocument = {
    service: {
      name,
      exec: "sleep 99",
      dir: null,
      oneshot: false,
      env: {},
      status: "start",
      class: "user",
      critical: false,
      ports: [],
      kill_others: false,
      process_filters: [],
      ...parts.service,
    },
    dependencies: { after: [], requires: [], wants: [], conflicts: [], ...parts.dependencies },
    lifecycle: {
      restart: "on-failure",
      restart_delay_ms: 1000,
      restart_delay_max_ms: 300_000,
      max_restarts: 10,
      stability_period_ms: 30_000,
      start_timeout_ms: 30_000,
      stop_timeout_ms: 10_000,
      stop_signal: "SIGTERM",
      ...parts.lifecycle,
    },
    health: null,
    logging: { buffer_lines: 1000, file: null, forward: null, ...parts.logging },
  };
  return JSON.stringify(document);
}

export function specOf(
  name: string,
  parts: Parts = {},
  file: string | null = `/etc/${name}.toml`,
): SparseSpec {
  return { name, origin: { file, document: documentText(name, parts) } };
}

export class ZinitBench extends Bench {
  #ids = 0;

  constructor(more: { pidOne?: boolean; personality?: object } = {}) {
    super(zinit, { ...PLACES, ...more.personality }, { pidOne: more.pidOne ?? false });
    this.world.views.clear();
    this.world.edges.clear();
    this.world.ids.clear();
  }

  /** A service with its definition; its edges are those of the definition. */
  add(name: string, view: Partial<ServiceView> = {}, parts: Parts = {}, file?: string | null): void {
    this.set(name, view);
    const spec = specOf(name, parts, file);
    this.define(spec);
    this.world.edges.set(name, { requires: parts.dependencies?.requires ?? [] });
    if (view.pid !== null && view.kind !== "target") this.world.ids.set(name, ++this.#ids);
  }

  define(spec: SparseSpec): void {
    this.world.specs.set(spec.name, withDefaults(spec));
  }

  remove(name: string): void {
    this.world.views.delete(name);
    this.world.specs.delete(name);
  }

  /** The whole answer of a call that is answered at once. */
  answer(method: string, params?: unknown): unknown {
    return this.rpc({ jsonrpc: "2.0", id: 1, method, params });
  }

  result(method: string, params?: unknown): unknown {
    return resultOf(this.answer(method, params));
  }

  /** A call that is answered later. */
  open(method: string, params?: unknown): Command[] {
    const { commands } = this.line({ jsonrpc: "2.0", id: 1, method, params });
    if (replies(commands).length > 0) throw new Error(`${method} was answered at once`);
    return commands;
  }

  /** Answers the question that is among these commands. */
  reply(commands: readonly Command[], answer: QueryAnswer): Command[] {
    const { key } = questionOf(commands);
    return this.send({ type: "answered", key, at: this.now, answer });
  }

  /** What the config program says to the question among these commands. */
  configured(commands: readonly Command[], output: unknown): Command[] {
    return this.reply(commands, { type: "configured", output: JSON.stringify(output) });
  }
}

export function questionOf(commands: readonly Command[]): { readonly key: string; readonly query: Query } {
  const found = commands.find((command) => command.type === "query");
  if (found === undefined) throw new Error(`no question in ${JSON.stringify(commands)}`);
  return found;
}

/** What the config program is asked. */
export function inputOf(commands: readonly Command[]): unknown {
  const { query } = questionOf(commands);
  if (query.type !== "configure") throw new Error(`a question of type ${query.type}`);
  return JSON.parse(query.input);
}

/** The result in the one reply among these commands. */
export function resultIn(commands: readonly Command[]): unknown {
  return resultOf(answered(commands).json);
}

function resultOf(answer: unknown): unknown {
  if (typeof answer === "object" && answer !== null && "result" in answer) return answer.result;
  throw new Error(`no result: ${JSON.stringify(answer)}`);
}
