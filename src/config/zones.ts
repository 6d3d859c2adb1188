/** Time zones by name, from the system's zone files; each is read once. */
import type { FileHost } from "../cli/host.ts";
import { nearest } from "../model/suggest.ts";
import { parseZoneFile, zoneOfRule } from "../schedule/tzif.ts";
import type { Zone } from "../schedule/zone.ts";

/** The key of the zone, `null`: UTC; or why there is none. */
export type ZoneAnswer = { readonly zone: string | null } | { readonly wrong: string; readonly hint: string };

const FOLDERS = ["/usr/share/zoneinfo", "/usr/lib/zoneinfo", "/etc/zoneinfo"];
const LOCAL = "/etc/localtime";
const UTC = ["UTC", "Etc/UTC", "GMT", "Etc/GMT", "Z", ""];
const NAME = /^[A-Za-z0-9_+-]+(?:\/[A-Za-z0-9_+-]+)*$/;
const NO_FILES = "install the time zones (package tzdata)";
/** Beside the zones, or copies of them. */
const NO_ZONES = new Set(["posix", "right", "posixrules", "localtime", "Factory"]);

export class Zones {
  readonly #host: FileHost;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #known = new Map<string, ZoneAnswer>();
  /** What travels with the configuration. */
  readonly used: Record<string, Zone> = Object.create(null);

  constructor(host: FileHost, environment: Readonly<Record<string, string>>) {
    this.#host = host;
    this.#environment = environment;
  }

  /** `null`: the system's own. */
  find(name: string | null): ZoneAnswer {
    const key = name ?? "";
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const answer = name === null ? this.#ofSystem() : this.#named(name);
    this.#known.set(key, answer);
    return answer;
  }

  /** As the C library finds it: `TZ`, else /etc/localtime, else UTC. */
  #ofSystem(): ZoneAnswer {
    const variable = this.#environment.TZ?.replace(/^:/, "");
    if (variable === undefined) {
      const zone = this.#read(LOCAL);
      return zone === null ? { zone: null } : this.#keep(LOCAL, zone);
    }
    if (UTC.includes(variable)) return { zone: null };
    const zone = variable.startsWith("/") ? this.#read(variable) : this.#fromFolders(variable);
    const found = zone ?? zoneOfRule(variable);
    if (found !== null) return this.#keep(variable, found);
    return {
      wrong: "the environment variable TZ names a time zone that is not there",
      hint: `correct TZ, write time-zone, or ${NO_FILES}`,
    };
  }

  #named(name: string): ZoneAnswer {
    if (UTC.includes(name)) return { zone: null };
    const zone = this.#fromFolders(name);
    if (zone !== null) return this.#keep(name, zone);
    const names = this.#names();
    if (names.length === 0) return { wrong: "this system has no zone files for", hint: NO_FILES };
    const near = nearest(name, names) ?? placeIn(name, names);
    const hint = near === undefined ? 'a name such as "Europe/Berlin"' : `did you mean "${near}"?`;
    return { wrong: "unknown time zone", hint };
  }

  #keep(name: string, zone: Zone): ZoneAnswer {
    this.used[name] = zone;
    return { zone: name };
  }

  #folders(): readonly string[] {
    const own = this.#environment.TZDIR;
    return own?.startsWith("/") ? [own, ...FOLDERS] : FOLDERS;
  }

  #fromFolders(name: string): Zone | null {
    if (!NAME.test(name)) return null;
    for (const folder of this.#folders()) {
      const zone = this.#read(`${folder}/${name}`);
      if (zone !== null) return zone;
    }
    return null;
  }

  #read(path: string): Zone | null {
    const answer = this.#host.readBytes(path);
    return "error" in answer ? null : parseZoneFile(answer.bytes);
  }

  /** Every name there is; for a suggestion alone. */
  #names(): string[] {
    const names: string[] = [];
    for (const folder of this.#folders()) this.#collect(folder, "", names);
    return names;
  }

  #collect(folder: string, prefix: string, names: string[]): void {
    const answer = this.#host.readFolder(folder);
    if ("error" in answer) return;
    for (const name of answer.names) {
      if (NO_ZONES.has(name) || !/^[A-Z]/.test(name)) continue;
      const status = this.#host.stat(`${folder}/${name}`);
      if ("error" in status) continue;
      if (status.kind === "folder") this.#collect(`${folder}/${name}`, `${prefix}${name}/`, names);
      else names.push(`${prefix}${name}`);
    }
  }
}

/** The zone of a city that stands alone: `Berlin`, `new york`. */
function placeIn(name: string, names: readonly string[]): string | undefined {
  const city = name.slice(name.lastIndexOf("/") + 1).replaceAll(" ", "_");
  const cities = new Map(names.map((one) => [one.slice(one.lastIndexOf("/") + 1).toLowerCase(), one]));
  const near = nearest(city, [...cities.keys()]);
  return near === undefined ? undefined : cities.get(near);
}
