/** What covers the rest for a while: help, details, why, the tree. */
import type { Colour, Text, Widget } from "../../cli/screen.ts";
import { clean } from "../cells.ts";
import { type Model, type Overlay, selectedService } from "../model.ts";
import { look, paint, strong } from "../paint.ts";
import { factsOf, needLines } from "./info.ts";

export function withOverlay(model: Model, under: Widget): Widget {
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
