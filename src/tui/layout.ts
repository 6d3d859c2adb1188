/** Where things are on the screen: what scrolling and drawing must agree on. */
import { heightOf } from "./cells.ts";
import type { Model } from "./model.ts";

/** Title and status bar, with their borders. */
export const BAR = 3;

export interface Area {
  readonly width: number;
  readonly height: number;
}

/** The columns of the list look: 30, 25 and 45 percent. */
export function listWidths(columns: number): readonly [number, number] {
  return [Math.round(columns * 0.3), Math.round(columns * 0.25)];
}

/** Of the table look: how much of the main part the table gets, and how wide the information is. */
export function tableSizes(model: Model): { readonly table: number; readonly info: number } {
  const main = Math.max(0, model.rows - 2 * BAR);
  const wanted = model.services.length + 3;
  return {
    table: Math.max(Math.min(wanted, Math.floor(main / 2)), Math.min(5, main)),
    info: Math.round(model.columns * 0.35),
  };
}

/** The room for log lines. */
export function logArea(model: Model): Area {
  if (model.zoomed) return { width: model.columns, height: Math.max(1, model.rows - 1) };
  const main = Math.max(0, model.rows - 2 * BAR);
  if (model.manner.look === "list") {
    const [services, info] = listWidths(model.columns);
    return inner(model.columns - services - info, main);
  }
  const { table, info } = tableSizes(model);
  return inner(model.columns - info, main - table);
}

function inner(width: number, height: number): Area {
  return { width: Math.max(1, width - 2), height: Math.max(1, height - 2) };
}

/** The first line from which on all lines fit: as far down as one can scroll. */
export function lastTop(lines: readonly string[], { width, height }: Area): number {
  let rows = 0;
  for (let index = lines.length - 1; index >= 0; index--) {
    rows += heightOf(lines[index] ?? "", width);
    if (rows > height) return Math.min(index + 1, lines.length - 1);
  }
  return 0;
}
