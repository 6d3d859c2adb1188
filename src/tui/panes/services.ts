/** All services: as a list of names, or as a table. */
import type { Text, Widget } from "../../cli/screen.ts";
import { bytes } from "../../cli/words.ts";
import { clean } from "../cells.ts";
import type { Model, Service } from "../model.ts";
import { border, look, paint, percentText, strong, uptimeText } from "../paint.ts";

export function servicesView(model: Model): Widget {
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

export function tableOf(model: Model): Widget {
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
