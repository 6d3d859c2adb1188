/** The model as a tree of widgets. Pure. */
import type { Piece, Text, Widget } from "../cli/screen.ts";
import { clean } from "./cells.ts";
import { BAR, listWidths, logArea, tableSizes } from "./layout.ts";
import { type Focus, type Model, selectedService } from "./model.ts";
import { columns, look, paint, rows, strong } from "./paint.ts";
import { infoView } from "./panes/info.ts";
import { logsView, visible } from "./panes/logs.ts";
import { withOverlay } from "./panes/overlay.ts";
import { servicesView, tableOf } from "./panes/services.ts";

export function view(model: Model): Widget {
  if (model.zoomed) return withOverlay(model, zoomedView(model));
  const main = model.manner.look === "list" ? listView(model) : tableView(model);
  return withOverlay(
    model,
    rows([
      [{ cells: BAR }, titleView(model)],
      [{ least: 1 }, main],
      [{ cells: BAR }, statusView(model)],
    ]),
  );
}

// --- title and status bar

function titleView(model: Model): Widget {
  const { program, title } = model.manner;
  const line: Text = [
    strong(`${program} `, "cyan"),
    title,
    model.connected ? paint(" [connected]", "green") : strong(" [DISCONNECTED]", "red"),
    " | ",
    paint("?", "yellow"),
    " Help  ",
    paint("w", "yellow"),
    " Why  ",
    paint("Q", "yellow"),
    " Quit",
  ];
  return { type: "text", lines: [line], block: { title: "", border: { fg: "cyan" } } };
}

const LEVELS = { info: "white", success: "green", warning: "yellow", error: "red" } as const;
const FOCUS_NAMES: Readonly<Record<Focus, string>> = {
  services: "[Services]",
  deps: "[Deps]",
  logs: "[Logs]",
};

function statusView(model: Model): Widget {
  return {
    type: "text",
    lines: [statusLine(model)],
    block: { title: "", border: { fg: "darkGrey" } },
  };
}

function statusLine(model: Model): Text {
  if (model.search?.typing === true) return ["/", model.search.text, ["_", { dim: true }]];
  const pieces: Piece[] = model.pending.map(({ action, name, since }) => {
    const seconds = Math.max(0, Math.floor((model.now - since) / 1000));
    return paint(`${action}(${clean(name)})...${seconds}s `, "yellow");
  });
  if (model.notice !== null) pieces.push(paint(model.notice.text, LEVELS[model.notice.level]));
  return pieces.length > 0 ? pieces : restingLine(model);
}

function restingLine(model: Model): Text {
  const service = selectedService(model);
  const pid = service?.pid ?? 0;
  const about =
    service === null
      ? "No service selected"
      : `${look(service.state)[0]} ${clean(service.name)} ${service.state}${pid > 0 ? ` PID:${pid}` : ""}`;
  const search = model.search === null ? "" : ` | /${model.search.text} (n/N)`;
  return [`${about} | ${FOCUS_NAMES[model.focus]} | Tab: cycle focus${search}`];
}

// --- the two looks of the whole, and logs alone

function listView(model: Model): Widget {
  const [services, info] = listWidths(model.columns);
  return columns([
    [{ cells: services }, servicesView(model)],
    [{ cells: info }, infoView(model)],
    [{ fill: 1 }, logsView(model)],
  ]);
}

function tableView(model: Model): Widget {
  const { table, info } = tableSizes(model);
  const lower = columns([
    [{ cells: info }, infoView(model)],
    [{ fill: 1 }, logsView(model)],
  ]);
  return rows([
    [{ cells: table }, tableOf(model)],
    [{ fill: 1 }, lower],
  ]);
}

/** Nothing but lines: what is marked with the mouse has no borders in it. */
function zoomedView(model: Model): Widget {
  const { log } = model;
  const area = logArea(model);
  const { lines, top, shown } = visible(model);
  const where = `${Math.min(top + shown, log.lines.length)}/${log.lines.length}`;
  const follows = log.top === null ? " [following]" : "";
  const bar =
    model.search?.typing === true
      ? statusLine(model)
      : `Logs: ${clean(model.selected ?? "none")} ${where}${follows} | / search | l back${model.connected ? "" : " | [DISCONNECTED]"}`;
  return rows([
    [
      { fill: 1 },
      { type: "text", lines, scroll: Math.max(0, log.top === null ? lines.length - area.height : 0) },
    ],
    [{ cells: 1 }, { type: "text", lines: [typeof bar === "string" ? [[bar, { reversed: true }]] : bar] }],
  ]);
}
