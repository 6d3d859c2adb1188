/**
 * The server makes way for its successor, and the services do not notice. Who has to stay, as init
 * does, takes its own place instead.
 */
import type { Services } from "../../../api/services.ts";
import { documentOf } from "../../../dialects/zinit/document.ts";
import type { ServiceView } from "../../../engine/index.ts";
import { STATE_VERSION, statePath } from "../former.ts";
import { zinitPersonality } from "../personality.ts";
import { refusal } from "./acting.ts";
import { failure } from "./errors.ts";
import { type Call, type Result, result } from "./method.ts";
import { signalNumber } from "./signals.ts";
import { stateOf } from "./states.ts";

export function prepareRestart({ services, because, changes }: Call): Result {
  const { socket, renews } = zinitPersonality(services.personality);
  return changes.enter(function* () {
    const refused = refusal(services);
    if (refused !== null) return refused;
    const path = statePath(socket);
    const ready = result({ state_path: path, ready: true });
    if (renews || services.supervisor.pidOne) {
      services.ask({ type: "renew", because });
      return ready;
    }
    const state = JSON.stringify(stateDocument(services), null, 2);
    const answer = yield services.query({ type: "handOver", path, state });
    return answer.type === "handedOver"
      ? ready
      : failure("internal", answer.type === "failed" ? answer.message : "the services stay with this server");
  });
}

/** As zinit 0.3.9 writes it. What the successor goes by is kept with the processes themselves. */
function stateDocument(services: Services): unknown {
  const { configDir, socket } = zinitPersonality(services.personality);
  const views = services.names().flatMap((name) => services.view(name) ?? []);
  return {
    version: STATE_VERSION,
    saved_at: Math.floor(services.clock.wall),
    boot_time: Math.floor(services.supervisor.wallStarted),
    services: Object.fromEntries(views.map((view) => [view.name, serviceDocument(services, view)])),
    config_dir: configDir,
    socket_path: socket,
  };
}

function serviceDocument(services: Services, view: ServiceView): unknown {
  const { name, exit, started_at } = view;
  const state = stateOf(services, view);
  const spec = services.specOf(name);
  const origin = spec?.origin;
  const ephemeral = origin !== undefined && origin.file === null;
  const started = started_at === null ? null : Date.parse(started_at);
  return {
    name,
    state: state.state,
    pid: "pid" in state ? state.pid : null,
    restart_count: view.restarts,
    current_restart_delay_ms: spec?.restartDelayMs ?? 0,
    last_exit_code: exit !== null && "code" in exit ? exit.code : null,
    last_exit_signal: exit !== null && "signal" in exit ? signalNumber(exit.signal) : null,
    started_at: started,
    last_state_change: exit === null ? (started ?? Math.floor(services.clock.wall)) : Date.parse(exit.at),
    ephemeral,
    config: ephemeral ? documentOf(origin) : null,
  };
}
