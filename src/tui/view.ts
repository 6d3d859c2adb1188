/** The model as a tree of widgets. Pure. */
import type { Colour, Look, Part, Piece, Size, Text, Widget } from "../cli/screen.ts";
import { bytes } from "../cli/words.ts";
import { clean, rowsOf } from "./cells.ts";
import { BAR, lastTop, listWidths, logArea, tableSizes } from "./layout.ts";
import { type Focus, type Model, type Overlay, type Service, selectedService } from "./model.ts";
import { matcher } from "./search.ts";

/** Symbol and colour of every state that a supervisor may tell. */
const STATES: Readonly<Record<string, readonly [string, Colour]>> = {
  inactive: ["[-]", "darkGrey"],
  blocked: ["[?]", "yellow"],
  waiting: ["[?]", "yellow"],
  starting: ["[>]", "yellow"],
  running: ["[+]", "green"],
  stopping: ["[!]", "magenta"],
  backoff: ["[~]", "yellow"],
  exited: ["[.]", "cyan"],
  failed: ["[X]", "red"],
};

function look(state: string): readonly [string, Colour] {
  return STATES[state] ?? ["[?]", "darkGrey"];
}

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

// --- building blocks

function rows(parts: readonly (readonly [Size, Widget])[]): Widget {
  return { type: "rows", parts: parts.map(part) };
}

function columns(parts: readonly (readonly [Size, Widget])[]): Widget {
  return { type: "columns", parts: parts.map(part) };
}

function part([size, of]: readonly [Size, Widget]): Part {
  return { size, of };
}

function paint(text: string, fg: Colour, more: Look = {}): Piece {
  return [text, { fg, ...more }];
}

function strong(text: string, fg: Colour): Piece {
  return paint(text, fg, { bold: true });
}

function border(model: Model, focus: Focus): Look {
  return { fg: model.focus === focus ? "cyan" : "darkGrey" };
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

// --- services

function listView(model: Model): Widget {
  const [services, info] = listWidths(model.columns);
  return columns([
    [{ cells: services }, servicesView(model)],
    [{ cells: info }, infoView(model)],
    [{ fill: 1 }, logsView(model)],
  ]);
}

function servicesView(model: Model): Widget {
  return {
    type: "list",
    items: model.services.map(nameLine),
    selected: selectedIndex(model),
    block: servicesBlock(model),
  };
}

function servicesBlock(model: Model) {
  return { title: ` Services (${model.services.length}) `, border: border(model, "services") };
}

function nameLine({ name, state }: Service): Text {
  const [symbol, colour] = look(state);
  return [paint(`${symbol} `, colour), clean(name)];
}

function selectedIndex(model: Model): number | null {
  const index = model.services.findIndex(({ name }) => name === model.selected);
  return index < 0 ? null : index;
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

interface Column {
  readonly title: string;
  readonly cells: number;
  readonly of: (model: Model, service: Service) => Text;
}

const NAME_CELLS = 18;
/** As they stand; which of them there is room for is told by `IMPORTANCE`. */
const COLUMNS: readonly Column[] = [
  { title: "STATE", cells: 9, of: (_, { state }) => [paint(state, look(state)[1])] },
  { title: "PID", cells: 8, of: (_, { pid }) => String(pid ?? "-") },
  { title: "CPU", cells: 7, of: (model, { name }) => percentText(model.samples.get(name)?.percent ?? null) },
  {
    title: "MEMORY",
    cells: 10,
    of: (_, { memoryBytes }) => (memoryBytes === null ? "-" : bytes(memoryBytes)),
  },
  { title: "UPTIME", cells: 8, of: (_, { uptimeMs }) => uptimeText(uptimeMs) },
  { title: "RESTARTS", cells: 8, of: (_, { restarts }) => String(restarts ?? "-") },
];
const IMPORTANCE = ["STATE", "CPU", "MEMORY", "UPTIME", "PID", "RESTARTS"];

function columnsFor(width: number): readonly Column[] {
  let room = width - NAME_CELLS;
  const kept = new Set<string>();
  for (const title of IMPORTANCE) {
    const column = COLUMNS.find((one) => one.title === title);
    room -= (column?.cells ?? 0) + 1;
    if (room < 0) break;
    kept.add(title);
  }
  return COLUMNS.filter(({ title }) => kept.has(title));
}

function tableOf(model: Model): Widget {
  // Borders and the mark of the selected row.
  const shown = columnsFor(model.columns - 4);
  return {
    type: "table",
    head: ["NAME", ...shown.map(({ title }) => title)].map((word): Text => [strong(word, "cyan")]),
    rows: model.services.map((service) => [nameLine(service), ...shown.map(({ of }) => of(model, service))]),
    widths: [{ fill: 1 }, ...shown.map(({ cells }) => ({ cells }))],
    selected: selectedIndex(model),
    block: servicesBlock(model),
  };
}

function percentText(percent: number | null): string {
  return percent === null ? "-" : `${percent.toFixed(1)}%`;
}

/** `7s`, `3m07s`, `5h02m`, `2d03h`. */
export function uptimeText(ms: number | null): string {
  if (ms === null) return "-";
  const seconds = Math.floor(Math.max(0, ms) / 1000);
  const two = (number: number) => String(Math.floor(number)).padStart(2, "0");
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${two(seconds % 60)}s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h${two((seconds % 3600) / 60)}m`;
  return `${Math.floor(seconds / 86_400)}d${two((seconds % 86_400) / 3600)}h`;
}

// --- what is known of one service

function infoView(model: Model): Widget {
  return {
    type: "text",
    lines: infoLines(model),
    block: { title: " Service Info ", border: border(model, "deps") },
    scroll: model.detailsTop,
    wrap: true,
  };
}

type Fact = readonly [label: string, value: string, colour?: Colour];

function infoLines(model: Model): Text[] {
  const service = selectedService(model);
  if (service === null) return [[paint("No service selected", "darkGrey")]];
  const { details } = model;
  const lines = factsOf(model, service).map(([label, value, colour]): Text => {
    return [paint(`${label}: `, label === "Error" ? "red" : "yellow"), paint(value, colour ?? "white")];
  });
  if (details !== null && details.needs.length > 0) {
    lines.push("", [paint(`Depends on (${details.needs.length}):`, "magenta")], ...needLines(model));
  }
  if (details !== null && details.children.length > 0) {
    lines.push("", [paint(`Children (${details.children.length}):`, "magenta")]);
    lines.push(
      ...details.children.map(({ pid, name, memoryBytes }): Text => {
        const memory = memoryBytes === null ? "" : ` (${megabytes(memoryBytes)})`;
        return [`  ${pid} `, paint(clean(name), "grey"), paint(memory, "darkGrey")];
      }),
    );
  }
  lines.push("", [paint("Press 'w' to see blocking info", "darkGrey")]);
  return lines;
}

function needLines(model: Model): Text[] {
  return (model.details?.needs ?? []).map(({ name, how, satisfied }): Text => {
    const mark = satisfied === null ? "  " : satisfied ? paint("✓ ", "green") : paint("✗ ", "red");
    return ["  ", mark, `${how} ${clean(name)}`];
  });
}

function megabytes(count: number): string {
  return `${(count / (1024 * 1024)).toFixed(1)}MB`;
}

function factsOf(model: Model, service: Service): Fact[] {
  const { details } = model;
  const percent = details?.cpuPercent ?? model.samples.get(service.name)?.percent ?? null;
  const memory = service.memoryBytes ?? details?.memoryBytes ?? null;
  const uptime = service.uptimeMs ?? details?.uptimeMs ?? null;
  const error = service.error ?? details?.error ?? null;
  const facts: Fact[] = [["State", service.state, look(service.state)[1]]];
  if ((service.pid ?? 0) > 0) facts.push(["PID", String(service.pid)]);
  if (service.exitCode !== null) facts.push(["Exit code", String(service.exitCode), "cyan"]);
  if (error !== null) facts.push(["Error", clean(error)]);
  if ((service.pid ?? 0) > 0) {
    if (uptime !== null) facts.push(["Uptime", uptimeText(uptime)]);
    if (memory !== null) facts.push(["Memory", megabytes(memory)]);
    if (percent !== null) facts.push(["CPU", percentText(percent)]);
  }
  return facts;
}

// --- logs

function logsView(model: Model): Widget {
  const { log } = model;
  const area = logArea(model);
  const { lines, top, shown } = visible(model);
  const follows = log.top === null ? " [following]" : "";
  return {
    type: "text",
    lines,
    block: {
      title: ` Logs: ${clean(model.selected ?? "none")}${follows} `,
      bottom: ` ${Math.min(top + shown, log.lines.length)}/${log.lines.length} `,
      border: border(model, "logs"),
    },
    scroll: Math.max(0, log.top === null ? lines.length - area.height : 0),
  };
}

interface Visible {
  readonly lines: Text[];
  readonly top: number;
  /** How many lines of the log that are. */
  readonly shown: number;
}

/** The rows that are seen, and at the end of a log perhaps some above them. */
function visible(model: Model): Visible {
  const { log, search } = model;
  const area = logArea(model);
  const last = lastTop(log.lines, area);
  const top = log.top === null ? last : Math.min(log.top, last);
  const places = matcher(search?.text ?? "");
  const lines: Text[] = [];
  let shown = 0;
  for (let index = top; index < log.lines.length; index++) {
    if (log.top !== null && lines.length >= area.height) break;
    const line = log.lines[index] ?? "";
    const colour = lineColour(line);
    for (const row of rowsOf(line, area.width)) {
      lines.push(marked(row, places(row), colour, index === search?.at));
    }
    shown++;
  }
  return { lines, top, shown };
}

const ERRORS = /\[ERR\]|error|Error|ERROR/;
const WARNINGS = /warn|Warn|WARN/;

function lineColour(line: string): Colour {
  if (ERRORS.test(line)) return "red";
  return WARNINGS.test(line) ? "yellow" : "grey";
}

/** What was searched for stands out; the one found last stands out more. */
function marked(
  row: string,
  places: readonly (readonly [number, number])[],
  colour: Colour,
  isCurrent: boolean,
): Text {
  if (places.length === 0) return [paint(row, colour)];
  const pieces: Piece[] = [];
  let done = 0;
  for (const [from, to] of places) {
    pieces.push(paint(row.slice(done, from), colour));
    const found = { fg: "black", bg: isCurrent ? "yellow" : "grey" } as const;
    pieces.push([row.slice(from, to), found]);
    done = to;
  }
  pieces.push(paint(row.slice(done), colour));
  return pieces;
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

// --- what covers the rest

function withOverlay(model: Model, under: Widget): Widget {
  const { overlay } = model;
  if (overlay === null) return under;
  const [title, lines, colour, percent] = overlayOf(model, overlay);
  const over: Widget = {
    type: "text",
    lines,
    block: { title: ` ${title} `, border: { fg: colour } },
    wrap: overlay.kind === "why",
    scroll: overlay.kind === "tree" ? overlay.top : 0,
  };
  // As tall as its text where the usual share is not enough.
  const height = Math.min(model.rows, Math.max(lines.length + 2, Math.floor((model.rows * percent) / 100)));
  return { type: "overlay", under, over, width: { percent }, height: { cells: height } };
}

function overlayOf(model: Model, overlay: Overlay): readonly [string, Text[], Colour, number] {
  switch (overlay.kind) {
    case "help":
      return ["Help", helpLines(model), "cyan", 67];
    case "details":
      return ["Service Details", detailLines(model), "cyan", 67];
    case "why":
      return [model.manner.whyTitle, whyLines(model, overlay), "yellow", 75];
    case "tree":
      return ["Dependencies", overlay.lines.map((line): Text => line), "yellow", 75];
  }
}

const NAVIGATION = [
  ["Up/k", "Move up, or scroll"],
  ["Down/j", "Move down, or scroll"],
  ["Tab", "Cycle focus: Services -> Deps -> Logs"],
  ["PgUp/PgDn", "Scroll logs"],
  ["g/G", "Go to top/bottom of logs"],
] as const;

const DEEDS = [
  ["s", "start", "Start selected service"],
  ["S", "stop", "Stop selected service"],
  ["r", "restart", "Restart selected service"],
  ["K", "kill", "Kill with SIGKILL"],
  ["d", "remove", "Remove service"],
  ["D", "halt+remove", "Kill with SIGKILL and remove"],
] as const;

const LOOKS = [
  ["w", "Show why service is blocked"],
  ["Enter", "Show service details"],
  ["t", "Show the dependency tree"],
  ["l", "Logs on the whole screen, without borders"],
  ["/ n N", "Search logs; next older, newer"],
  ["R", "Refresh"],
  ["?", "Show this help"],
  ["Q/Esc", "Quit"],
] as const;

function helpLines(model: Model): Text[] {
  const row = ([key, text]: readonly [string, string]): Text => [paint(`  ${key.padEnd(10)}`, "green"), text];
  const deeds = DEEDS.filter(([, action]) => model.manner.actions.includes(action));
  return [
    [strong("Keyboard Shortcuts", "cyan"), paint("  (any key closes this)", "darkGrey")],
    [strong("Navigation:", "yellow")],
    ...NAVIGATION.map(row),
    [strong("Actions:", "yellow")],
    ...deeds.map(([key, , text]) => row([key, text])),
    [strong("Info:", "yellow")],
    ...LOOKS.map(row),
  ];
}

function detailLines(model: Model): Text[] {
  const service = selectedService(model);
  if (service === null) return [[paint("It is gone.", "darkGrey")]];
  const facts = factsOf(model, service).map(([label, value, colour]): Text => {
    const shown = label === "State" ? `${look(service.state)[0]} ${value}` : value;
    return [`  ${`${label}:`.padEnd(11)}`, strong(shown, colour ?? "white")];
  });
  const needs = needLines(model);
  return [
    [strong(` ${clean(service.name)} `, "cyan")],
    "",
    [strong("Status", "yellow")],
    ...facts,
    ...(needs.length === 0 ? [] : ["", [strong("Depends on", "yellow")] as Text, ...needs]),
    "",
    [paint("Press Esc to close", "darkGrey")],
  ];
}

function whyLines(model: Model, { name, why }: Overlay & { readonly kind: "why" }): Text[] {
  const body: Text[] =
    why.calm === null ? why.lines.map((line): Text => clean(line)) : [[paint(why.calm, "green")]];
  const facts = why.facts.map(([label, text, colour]): Text => [paint(`${label}: `, colour), clean(text)]);
  return [
    [strong(`${model.manner.whyTitle} ${clean(name)}`, "cyan")],
    "",
    ...body,
    ...(facts.length === 0 ? [] : ["", ...facts]),
    "",
    [paint("Press any key to close", "darkGrey")],
  ];
}
