/** The builder of proxies. Each method returns another builder; what there was stays as it is. */
import { attempt, type Context } from "./context.ts";
import { ScriptError } from "./server.ts";
import { deleteIfThere, markdownTable } from "./service.ts";

interface Parts {
  readonly name: string;
  readonly listen: readonly string[];
  readonly backend: string | null;
  readonly service: string;
  /** Seconds. */
  readonly connectTimeout: number;
  /** Seconds; 0: never. */
  readonly idleTimeout: number;
  readonly single: boolean;
  readonly reset: boolean;
}

const NEW: Parts = {
  name: "",
  listen: [],
  backend: null,
  service: "",
  connectTimeout: 30,
  idleTimeout: 0,
  single: false,
  reset: false,
};

export class ProxyBuilder {
  readonly #parts: Parts;

  constructor(parts: Parts = NEW) {
    this.#parts = parts;
  }

  with(more: Partial<Parts>): ProxyBuilder {
    return new ProxyBuilder({ ...this.#parts, ...more });
  }

  addListen(address: string): ProxyBuilder {
    return this.with({ listen: [...this.#parts.listen, address] });
  }

  config(): Readonly<Record<string, unknown>> {
    const { name, listen, backend, service, connectTimeout, idleTimeout, single } = this.#parts;
    return {
      name,
      listen,
      backend,
      service,
      connect_timeout: connectTimeout,
      idle_timeout: idleTimeout,
      single_connection: single,
    };
  }

  toToml(): string {
    const { name, listen, backend, service, connectTimeout, idleTimeout, single } = this.#parts;
    const addresses = listen.map((address) => JSON.stringify(address));
    return [
      `# Xinet Proxy: ${name || "(unnamed)"}`,
      `name = ${JSON.stringify(name)}`,
      `listen = ${addresses.length === 1 ? addresses[0] : `[${addresses.join(", ")}]`}`,
      ...(backend === null ? [] : [`backend = ${JSON.stringify(backend)}`]),
      ...(service === "" ? [] : [`service = ${JSON.stringify(service)}`]),
      `connect_timeout = ${connectTimeout}`,
      ...(idleTimeout > 0 ? [`idle_timeout = ${idleTimeout}`] : []),
      ...(single ? ["single_connection = true"] : []),
      "",
    ].join("\n");
  }

  toMarkdown(): string {
    const { name, listen, backend, service, connectTimeout, idleTimeout, single } = this.#parts;
    const rows = [
      ["listen", listen.join(", ")],
      ...(backend === null ? [] : [["backend", backend]]),
      ...(service === "" ? [] : [["service", service]]),
      ["connect_timeout", `${connectTimeout}s`],
      ...(idleTimeout > 0 ? [["idle_timeout", `${idleTimeout}s`]] : []),
      ...(single ? [["single_connection", "true"]] : []),
    ];
    return `## Xinet Proxy: ${name || "(unnamed)"}\n\n${markdownTable(["Property", "Value"], rows)}`;
  }

  register(context: Context): void {
    const { name, listen, backend, idleTimeout, reset } = this.#parts;
    if (name === "") throw new ScriptError("xinet proxy: .name() is required");
    if (listen.length === 0) throw new ScriptError("xinet proxy: listen address is required");
    if (backend === null) throw new ScriptError("xinet proxy: backend address is required");
    if (reset) deleteIfThere(context, "xinet.delete", name);
    attempt(`xinet proxy '${name}' registration failed: `, () =>
      context.server.call("xinet.set", { config: this.config() }),
    );
    const idle = idleTimeout > 0 ? ` (idle timeout: ${idleTimeout}s)` : "";
    context.print(`Registered xinet proxy '${name}': ${listen.join(", ")} -> ${backend}${idle}`);
  }
}
