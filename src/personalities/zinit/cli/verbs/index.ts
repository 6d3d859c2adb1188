/** All verbs of `zinit`, in the order of its help. */
import type { Verb } from "../verb.ts";
import { xinet } from "../xinet/index.ts";
import { addService } from "./add-service.ts";
import { deleteAll, startAll, stopAll } from "./all.ts";
import { completion } from "./completion.ts";
import { debugProcs } from "./debug-procs.ts";
import { debugState } from "./debug-state.ts";
import { kill } from "./kill.ts";
import { list } from "./list.ts";
import { logs } from "./logs.ts";
import { ping } from "./ping.ts";
import { poweroff } from "./poweroff.ts";
import { reboot } from "./reboot.ts";
import { reload } from "./reload.ts";
import { remove } from "./remove.ts";
import { restart } from "./restart.ts";
import { rhai } from "./rhai.ts";
import { shutdown } from "./shutdown.ts";
import { start } from "./start.ts";
import { status } from "./status.ts";
import { stop } from "./stop.ts";
import { tree } from "./tree.ts";
import { tui } from "./tui.ts";
import { why } from "./why.ts";

export const VERBS: readonly Verb[] = [
  list,
  status,
  start,
  stop,
  restart,
  kill,
  why,
  tree,
  remove,
  reload,
  logs,
  ping,
  shutdown,
  poweroff,
  reboot,
  addService,
  startAll,
  stopAll,
  deleteAll,
  debugState,
  debugProcs,
  tui,
  rhai,
  xinet,
  completion(() => VERBS),
];
