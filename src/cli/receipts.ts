/** Receipts in text: a line per process, and a plain word where something is left. */

import { ending, type Fields, list, number, objects, text, textOrNull } from "./documents.ts";
import { EXIT } from "./failure.ts";
import type { Session } from "./session.ts";
import { table } from "./table.ts";
import { span } from "./words.ts";

/** Prints the receipts; the exit code that follows from them. */
export function showReceipts(session: Session, document: unknown, nothing: string): number {
  const receipts = objects(document);
  if (session.json) session.document(document);
  else session.printAll(receiptLines(session, receipts, nothing));
  return receipts.every((receipt) => receipt.empty === true) ? EXIT.done : EXIT.failed;
}

export function receiptLines(session: Session, receipts: readonly Fields[], nothing: string): string[] {
  const rows = receipts.flatMap((receipt) =>
    objects(receipt.processes).map((process) => processRow(nameOf(receipt), process)),
  );
  const left = receipts
    .filter((receipt) => receipt.empty !== true)
    .map((receipt) => session.paint("red", `${nameOf(receipt)}: something is still there`));
  if (rows.length + left.length === 0) return [nothing];
  return [...table(rows, session.host.columns()), ...left];
}

/** What belonged to no service has no name. */
function nameOf(receipt: Fields): string {
  return textOrNull(receipt, "service") ?? "(no service)";
}

function processRow(service: string, process: Fields): string[] {
  const left = number(process, "left_ms");
  return [
    service,
    `pid ${number(process, "pid") ?? "?"}`,
    text(process, "found"),
    list(process, "signals").join(" ") || "-",
    left === null ? "still there" : `left after ${span(left)}`,
    [ending(process.exit) || "-", process.killed === true ? "(killed)" : ""].join(" ").trimEnd(),
    // It ended in the moment in which it was found.
    text(process, "command") || "(gone before it could be looked at)",
  ];
}
