/** The table of verbs, in the order in which help shows them. */
import type { Verb } from "../verb.ts";
import { as } from "./as.ts";
import { boot } from "./boot.ts";
import { check } from "./check.ts";
import { completionVerbs } from "./completion.ts";
import { events } from "./events.ts";
import { kill } from "./kill.ts";
import { LATER } from "./later.ts";
import { link } from "./link.ts";
import { logs } from "./logs.ts";
import { mask } from "./mask.ts";
import { pin } from "./pin.ts";
import { reload } from "./reload.ts";
import { restart } from "./restart.ts";
import { run } from "./run.ts";
import { shutdown } from "./shutdown.ts";
import { start } from "./start.ts";
import { status } from "./status.ts";
import { stop } from "./stop.ts";
import { top } from "./top.ts";
import { tree } from "./tree.ts";
import { unmask } from "./unmask.ts";
import { unpin } from "./unpin.ts";
import { version } from "./version.ts";
import { wait } from "./wait.ts";
import { why } from "./why.ts";

export const VERBS: readonly Verb[] = [
  run,
  check,
  status,
  tree,
  why,
  logs,
  events,
  boot,
  top,
  start,
  stop,
  restart,
  reload,
  kill,
  wait,
  pin,
  unpin,
  mask,
  unmask,
  shutdown,
  ...LATER,
  link,
  as,
  ...completionVerbs(() => VERBS),
  version,
];
