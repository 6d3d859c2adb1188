/** What panes are made of: text in colours, rows and columns, and how states and figures look. */
import type { Colour, Look, Part, Piece, Size, Widget } from "../cli/screen.ts";
import type { Focus, Model } from "./model.ts";

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

export function look(state: string): readonly [string, Colour] {
  return STATES[state] ?? ["[?]", "darkGrey"];
}

export function rows(parts: readonly (readonly [Size, Widget])[]): Widget {
  return { type: "rows", parts: parts.map(part) };
}

export function columns(parts: readonly (readonly [Size, Widget])[]): Widget {
  return { type: "columns", parts: parts.map(part) };
}

function part([size, of]: readonly [Size, Widget]): Part {
  return { size, of };
}

export function paint(text: string, fg: Colour, more: Look = {}): Piece {
  return [text, { fg, ...more }];
}

export function strong(text: string, fg: Colour): Piece {
  return paint(text, fg, { bold: true });
}

export function border(model: Model, focus: Focus): Look {
  return { fg: model.focus === focus ? "cyan" : "darkGrey" };
}

export function percentText(percent: number | null): string {
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
