import type { EditHost, FileStatus, HostError } from "../../../../src/cli/host.ts";
import type { ZinitKnown, ZinitLoadOutput, ZinitSetInput } from "../../../../src/config/contract.ts";
import { decodeService } from "../../../../src/dialects/zinit/decode.ts";
import { type ServiceDocument, waitsFor } from "../../../../src/dialects/zinit/document.ts";
import { setService } from "../../../../src/dialects/zinit/edits.ts";
import { loadFolders } from "../../../../src/dialects/zinit/folder.ts";
import { parseToml } from "../../../../src/dialects/zinit/toml.ts";
import { FakeHost } from "../../config/helpers.ts";

export const DIR = "/etc/zinit/services";
export const SYSTEM = "/etc/zinit/system";

/** A machine whose files can be changed, with the programs that services of tests begin with. */
export class FakeEditHost extends FakeHost implements EditHost {
  readonly kinds = new Map<string, FileStatus["kind"]>();
  readonly sizes = new Map<string, number>();

  constructor(files: Readonly<Record<string, string>> = {}) {
    super({ "/bin/true": "", "/usr/bin/sleep": "", ...files }, DIR);
  }

  override stat(path: string): FileStatus | HostError {
    const status = super.stat(path);
    if ("error" in status) return status;
    const { kind, size } = status;
    return { ...status, kind: this.kinds.get(path) ?? kind, size: this.sizes.get(path) ?? size };
  }

  writeFile(path: string, text: string): HostError | null {
    const failure = this.failures.get(`write ${path}`);
    if (failure === undefined) this.files.set(path, text);
    return failure ?? null;
  }

  removeFile(path: string): HostError | null {
    const failure = this.failures.get(`remove ${path}`);
    if (failure !== undefined) return failure;
    return this.files.delete(path) ? null : { error: "ENOENT", message: "No such file or directory" };
  }

  variable(name: string): string | null {
    return name === "PATH" ? "/usr/bin:/bin" : null;
  }

  currentFolder(): string {
    return "/srv";
  }
}

export const DENIED: HostError = { error: "EACCES", message: "Permission denied" };

/** A service file with further lines below `[service]`. */
export function service(name: string, ...lines: readonly string[]): string {
  return [`[service]`, `name = "${name}"`, 'exec = "sleep 99"', ...lines, ""].join("\n");
}

export function document(text: string): ServiceDocument {
  const parsed = parseToml(text);
  if (!("value" in parsed)) throw parsed;
  const decoded = decodeService(parsed.value);
  if (!("document" in decoded)) throw new Error(decoded.message);
  return decoded.document;
}

/** What a server finds in its folders. */
export function loaded(
  files: Readonly<Record<string, string>>,
  prepare: (host: FakeEditHost) => void = () => {},
  systemDir: string | null = null,
): ZinitLoadOutput {
  const host = new FakeEditHost(files);
  prepare(host);
  return loadFolders({ configDir: DIR, systemDir }, host);
}

export function names({ services }: ZinitLoadOutput): readonly string[] {
  return services.map(({ name }) => name);
}

/** As a running server knows it. */
export function known(text: string, file: string | null): ZinitKnown {
  const read = document(text);
  return { name: read.service.name, file, waitsFor: waitsFor(read) };
}

export function set(params: unknown, host: FakeEditHost, more: Partial<ZinitSetInput> = {}) {
  const input = { zinit: "set", configDir: DIR, systemDir: null, persist: true, known: [] } as const;
  return setService({ ...input, params, ...more }, host);
}
