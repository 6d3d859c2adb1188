/** The lines of one service's log, with what was searched for. */
import type { Colour, Piece, Text, Widget } from "../../cli/screen.ts";
import { clean, rowsOf } from "../cells.ts";
import { lastTop, logArea } from "../layout.ts";
import type { Model } from "../model.ts";
import { border, paint } from "../paint.ts";
import { matcher } from "../search.ts";

export function logsView(model: Model): Widget {
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
export function visible(model: Model): Visible {
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
