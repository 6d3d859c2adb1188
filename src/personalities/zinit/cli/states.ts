/** How states look in lists. */
import { type Fields, number, object, text, textOrNull } from "../../../cli/documents.ts";

const SYMBOLS: Readonly<Record<string, string>> = {
  running: "●",
  starting: "◐",
  stopping: "◑",
  blocked: "○",
  inactive: "○",
  exited: "◌",
  failed: "✗",
};

/** `● Running` */
export function stateText(state: string): string {
  return `${symbol(state)} ${capitalised(state)}`;
}

export function symbol(state: string): string {
  return SYMBOLS[state] ?? "?";
}

export function capitalised(state: string): string {
  return `${state.charAt(0).toUpperCase()}${state.slice(1)}`;
}

export interface Status {
  readonly name: string;
  readonly state: string;
  /** 0: there is no process. */
  readonly pid: number;
  readonly exitCode: number | null;
  readonly error: string | null;
}

/** What `service.status` answers. */
export function statusIn(document: unknown): Status {
  const fields: Fields = object(document);
  return {
    name: text(fields, "name"),
    state: text(fields, "state"),
    pid: number(fields, "pid") ?? 0,
    exitCode: number(fields, "exit_code"),
    error: textOrNull(fields, "error"),
  };
}
