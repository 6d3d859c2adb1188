/** The nucleus's table of proxies, as the simulated machine keeps it. */
import type { Command, Event, ProxyRecord } from "../../src/generated/protocol.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

export class SimProxies {
  readonly #table = new Map<string, Mutable<ProxyRecord>>();
  /** Clients that were turned away, by proxy. */
  readonly refused: string[] = [];

  records(): ProxyRecord[] {
    return structuredClone([...this.#table.values()]);
  }

  names(): string[] {
    return [...this.#table.keys()];
  }

  isUp(name: string): boolean {
    return this.#of(name).proxy.up;
  }

  /** A client comes; `null`: it finds its backend, or another one waits already. */
  connect(name: string, at: number): Event | null {
    const record = this.#of(name);
    if (record.proxy.up || record.wanted) return null;
    record.wanted = true;
    return { type: "proxyWanted", name, at };
  }

  /** Its time without a client is over. */
  idle(name: string, at: number): Event {
    const { service } = this.#of(name);
    for (const record of this.#table.values()) {
      if (record.service !== service) continue;
      record.proxy = { ...record.proxy, up: false };
      record.idle = record.name === name;
    }
    return { type: "proxyIdle", name, at };
  }

  obey(command: Extract<Command, { type: "openProxy" | "closeProxy" | "proxyUp" | "proxyRefuse" }>): void {
    switch (command.type) {
      case "openProxy": {
        const { name, service, proxy } = command;
        this.#table.set(name, { name, service, proxy, wanted: false, idle: false });
        break;
      }
      case "closeProxy":
        this.#of(command.name);
        this.#table.delete(command.name);
        break;
      case "proxyUp": {
        const record = this.#of(command.name);
        record.proxy = { ...record.proxy, up: command.up };
        record.wanted = false;
        record.idle = false;
        break;
      }
      case "proxyRefuse":
        this.#of(command.name).wanted = false;
        this.refused.push(command.name);
        break;
    }
  }

  #of(name: string): Mutable<ProxyRecord> {
    const record = this.#table.get(name);
    if (record === undefined) throw new Error(`there is no proxy ${name}`);
    return record;
  }
}
