/** The values of `limits` and `resources`: what processes may use. */
import { complain, either, integer, map, number, object, parsed, type Schema } from "./kit.ts";
import { type Parsed, parseSize } from "./units.ts";
import { size } from "./values.ts";

// ---- one process, by rlimits

export interface LimitValue {
  readonly soft: number | null;
  readonly hard: number | null;
}

const LIMIT = { title: "limit", expected: 'a number, "unlimited" or "soft:hard"' };

function parseLimit(input: string, sized: boolean): Parsed<LimitValue> {
  const parts = input.split(":").map((part) => parseBound(part, sized));
  const [soft, hard = soft] = parts;
  if (parts.length > 2 || parts.includes(undefined) || soft === undefined || hard === undefined) {
    const units = sized ? ', or a size such as "64MiB"' : "";
    return { message: "not a limit", hint: `write a number, "unlimited" or "soft:hard"${units}` };
  }
  if (hard !== null && (soft === null || soft > hard)) {
    return {
      message: "the soft limit is above the hard limit",
      hint: 'write the lower one first: "soft:hard"',
    };
  }
  if ((soft ?? 0) > Number.MAX_SAFE_INTEGER || (hard ?? 0) > Number.MAX_SAFE_INTEGER) {
    return { message: "a limit that is too large", hint: 'write "unlimited"' };
  }
  return { value: { soft, hard } };
}

/** `null`: unlimited. */
function parseBound(text: string, sized: boolean): number | null | undefined {
  if (text === "unlimited") return null;
  if (/^[0-9]+$/.test(text)) return Number(text);
  const bytes = sized ? parseSize(text) : undefined;
  return bytes && "value" in bytes ? bytes.value : undefined;
}

function limit(sized: boolean): Schema<LimitValue> {
  const plain = map(integer(0, Number.MAX_SAFE_INTEGER, LIMIT), (value) => ({ soft: value, hard: value }));
  return either({ string: parsed(LIMIT, (text) => parseLimit(text, sized)), integer: plain }, LIMIT);
}

const counted = limit(false);
/** Those that count bytes take a size, too. */
const sized = limit(true);

/** By prlimit(1)'s names. */
const LIMITS = {
  as: sized,
  core: sized,
  cpu: counted,
  data: sized,
  fsize: sized,
  locks: counted,
  memlock: sized,
  msgqueue: sized,
  nice: counted,
  nofile: counted,
  nproc: counted,
  rss: sized,
  rtprio: counted,
  rttime: counted,
  sigpending: counted,
  stack: sized,
};

export const limits: Schema<Readonly<Record<string, LimitValue>>> = map(
  object(LIMITS, { title: "table of limits", expected: "a table such as { nofile = 65536 }" }),
  (given) => ({ ...given }),
);

// ---- all of a service, by its cgroup

/** `null`: not bounded. */
export interface ResourceLimits {
  /** Processors. */
  readonly cpu: number | null;
  /** Bytes. */
  readonly memory: number | null;
  readonly pids: number | null;
}

const RESOURCES = {
  title: "table of limits",
  expected: 'a table such as { memory = "512MiB", cpu = 1.5, pids = 100 }',
};
const PROCESSORS_MIN = 0.01;
const PROCESSORS_MAX = 10_000;
const NUMBER_MAX = 4_194_304;

const resourceTable = object(
  { cpu: number(PROCESSORS_MIN, PROCESSORS_MAX), memory: size, pids: integer(1, NUMBER_MAX) },
  RESOURCES,
);

export const resources = map(resourceTable, (given, node, reader): ResourceLimits | undefined => {
  const { cpu = null, memory = null, pids = null } = given;
  const complaint = (message: string, hint: string) =>
    complain(node, reader, RESOURCES.title, { message, hint });
  if (memory === 0) return complaint("a memory of no size", 'write a size such as "512MiB"');
  if (cpu === null && memory === null && pids === null) {
    return complaint("no limit in it", "write cpu, memory or pids, or remove it");
  }
  return { cpu, memory, pids };
});
