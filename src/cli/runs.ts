/** The last runs of a task with a schedule, in text. */
import { ending, type Fields, number, text, textOrNull } from "./documents.ts";
import type { Session } from "./session.ts";
import { table } from "./table.ts";
import { span, whenFrom } from "./words.ts";

/** Newest first, below what `why` tells; nothing if there are none. */
export function runLines(session: Session, runs: readonly Fields[]): string[] {
  if (runs.length === 0) return [];
  const now = session.host.now();
  const rows = runs.map((run) => {
    const cells = [whenFrom(textOrNull(run, "started_at") ?? textOrNull(run, "scheduled_at"), now)];
    return [...cells, lengthOf(run), endOf(run), text(run, "cause")];
  });
  const width = session.host.columns();
  const lines = table(
    [["RUN", "TOOK", "END", "BECAUSE"], ...rows],
    width === null ? null : width - 2,
    (cell, row, column) =>
      row === 0 ? session.paint("bold", cell) : paint(session, runs[row - 1], cell, column),
    "wrap",
  );
  return ["last runs", ...lines.map((line) => `  ${line}`)];
}

function lengthOf(run: Fields): string {
  const ms = number(run, "duration_ms");
  return ms === null ? "-" : span(ms);
}

function endOf(run: Fields): string {
  if (textOrNull(run, "started_at") === null) return "missed";
  if (textOrNull(run, "ended_at") === null) return "at work";
  return ending(run.exit) || "not started";
}

function paint(session: Session, run: Fields | undefined, cell: string, column: number): string {
  if (column !== 2 || run?.success === null) return cell;
  return session.paint(run?.success === true ? "green" : "red", cell);
}
