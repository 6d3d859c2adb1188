import type { HorustLoadInput, HorustLoadOutput } from "../../../../src/config/contract.ts";
import { loadHorust } from "../../../../src/dialects/horust/load.ts";
import type { SparseSpec } from "../../../../src/model/spec.ts";
import { FakeHost } from "../../config/helpers.ts";

export const FOLDER = "/srv/services";
export const ENVIRONMENT = { PATH: "/usr/bin:/bin", TERM: "dumb", SECRET: "s3cret", LANG: "C" };

export interface Situation extends Partial<HorustLoadInput> {
  readonly host?: (host: FakeHost) => void;
}

/** What `horust` makes of the files of its folder. */
export function loaded(
  files: Readonly<Record<string, string>>,
  { host: prepare, ...more }: Situation = {},
): HorustLoadOutput {
  const machine = {
    "/etc/passwd": "root:x:0:0::/root:/bin/sh\nwww:x:33:33::/var/www:/bin/sh\n",
    "/etc/hostname": "box\n",
  };
  const host = new FakeHost({ ...machine, ...files }, FOLDER);
  prepare?.(host);
  const input = { horust: "load", paths: [FOLDER], cwd: "/srv", environment: ENVIRONMENT } as const;
  return loadHorust({ ...input, ...more }, host);
}

/** The one service of a file with these lines below its command. */
export function spec(lines: string, situation: Situation = {}): SparseSpec {
  const { services, troubles, refused } = loaded({ "a.toml": `command = "run me"\n${lines}\n` }, situation);
  const [only] = services;
  if (only === undefined || refused.length > 0) throw new Error(JSON.stringify({ troubles, refused }));
  return only;
}
