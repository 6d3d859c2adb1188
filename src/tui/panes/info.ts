/** What is known of one service. */
import type { Colour, Text, Widget } from "../../cli/screen.ts";
import { clean } from "../cells.ts";
import { type Model, type Service, selectedService } from "../model.ts";
import { border, look, paint, percentText, uptimeText } from "../paint.ts";

export function infoView(model: Model): Widget {
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

export function needLines(model: Model): Text[] {
  return (model.details?.needs ?? []).map(({ name, how, satisfied }): Text => {
    const mark = satisfied === null ? "  " : satisfied ? paint("✓ ", "green") : paint("✗ ", "red");
    return ["  ", mark, `${how} ${clean(name)}`];
  });
}

function megabytes(count: number): string {
  return `${(count / (1024 * 1024)).toFixed(1)}MB`;
}

export function factsOf(model: Model, service: Service): Fact[] {
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
