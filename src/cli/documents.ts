/**
 * Readers of the documents that the socket gives: by hand and forgiving, since the supervisor at
 * the other end may be of another version. What is missing or of another type counts as absent.
 */
import { isObject } from "../model/objects.ts";

export type Fields = Readonly<Record<string, unknown>>;

export function objects(document: unknown): Fields[] {
  return Array.isArray(document) ? document.filter(isObject) : [];
}

export function object(document: unknown): Fields {
  return isObject(document) ? document : {};
}

export function text(fields: Fields, member: string): string {
  const value = fields[member];
  return typeof value === "string" ? value : "";
}

export function textOrNull(fields: Fields, member: string): string | null {
  const value = fields[member];
  return typeof value === "string" ? value : null;
}

export function number(fields: Fields, member: string): number | null {
  const value = fields[member];
  return typeof value === "number" ? value : null;
}

export function list(fields: Fields, member: string): string[] {
  const value = fields[member];
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}

/** `exit 0`, `signal KILL`, or nothing: how a process ended. */
export function ending(exit: unknown): string {
  const fields = object(exit);
  const code = number(fields, "code");
  if (code !== null) return `exit ${code}`;
  const signal = textOrNull(fields, "signal");
  return signal === null ? "" : `signal ${signal}`;
}
