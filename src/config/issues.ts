/** What is wrong with a configuration, and where. */

import type { Place } from "../model/node.ts";

export type { Place } from "../model/node.ts";

/** As `oneup check --json` shows it. */
export interface ConfigIssue {
  /** The path as the user gave it, or what a folder's path and the name in it make. */
  readonly file: string;
  /** `null` where the file as a whole is meant. */
  readonly line: number | null;
  readonly column: number | null;
  /** One line: what is wrong and what was expected. */
  readonly message: string;
  /** One line: what to do. */
  readonly hint: string | null;
}

export class Issues {
  readonly list: ConfigIssue[] = [];

  at(place: Place, message: string, hint?: string): void {
    const { file, line, column } = place;
    this.list.push({ file, line, column, message, hint: hint ?? null });
  }

  inFile(file: string, message: string, hint?: string): void {
    this.list.push({ file, line: null, column: null, message, hint: hint ?? null });
  }
}

export function showPlace(place: Place): string {
  return `${place.file}:${place.line}:${place.column}`;
}

/** The order people read them in: files as they were read, then from top to bottom. */
export function sortIssues(list: readonly ConfigIssue[], files: readonly string[]): ConfigIssue[] {
  const order = [...new Set([...files, ...list.map(({ file }) => file)])];
  const rank = new Map(order.map((file, index) => [file, index]));
  const rankOf = ({ file }: ConfigIssue) => rank.get(file) ?? order.length;
  return [...list].sort(
    (a, b) => rankOf(a) - rankOf(b) || (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0),
  );
}
