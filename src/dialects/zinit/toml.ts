/** zinit's files as text: read into plain data, and written with every key spelled out. */
import { parse, TomlError } from "smol-toml";
import type { ServiceDocument } from "./document.ts";

/** Integers come as `bigint`, so that they are told from numbers with a fraction. */
export function parseToml(text: string): { readonly value: unknown } | TomlError {
  try {
    return { value: parse(text.replace(/^\ufeff/, ""), { maxDepth: 32, integersAsBigInt: true }) };
  } catch (error) {
    if (error instanceof TomlError) return error;
    throw error;
  }
}

/** What the parser says, and where. */
export function syntaxText({ message, line, column }: TomlError): string {
  const [reason = ""] = message.split("\n");
  return `${reason.replace("Invalid TOML document: ", "")} at line ${line}, column ${column}`;
}

/** What is `null` is left out: TOML has no word for it. */
export function writeToml({ service, dependencies, lifecycle, health, logging }: ServiceDocument): string {
  const env = Object.keys(service.env).sort();
  return [
    section("service", service, SERVICE),
    section("service.env", service.env, env),
    section("dependencies", dependencies, DEPENDENCIES),
    section("lifecycle", lifecycle, LIFECYCLE),
    ...(health === null ? [] : [section("health", health, HEALTH)]),
    section("logging", logging, LOGGING),
  ].join("\n");
}

const words = (text: string) => text.split(" ");
const SERVICE = words("name exec dir oneshot status class critical ports kill_others process_filters");
const DEPENDENCIES = words("after requires wants conflicts");
const LIFECYCLE = words(
  "restart restart_delay_ms restart_delay_max_ms max_restarts stability_period_ms start_timeout_ms stop_timeout_ms stop_signal",
);
const HEALTH = words("type target expect_status interval_ms timeout_ms retries start_period_ms");
const LOGGING = words("buffer_lines file forward");

/** The keys in the order that people know. */
function section(name: string, table: object, keys: readonly string[]): string {
  const values = new Map<string, unknown>(Object.entries(table));
  const lines = keys.flatMap((key) => {
    const value = values.get(key) ?? null;
    return value === null ? [] : [`${keyText(key)} = ${valueText(value)}\n`];
  });
  return `[${name}]\n${lines.join("")}`;
}

function keyText(key: string): string {
  return /^[A-Za-z0-9_-]+$/.test(key) ? key : quoted(key);
}

function valueText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(valueText).join(", ")}]`;
  return typeof value === "string" ? quoted(value) : String(value);
}

/** As JSON quotes; TOML wants DEL escaped too and has no half characters. */
function quoted(text: string): string {
  return JSON.stringify(text.replace(/\p{Surrogate}/gu, "\ufffd")).replaceAll("\x7f", "\\u007f");
}
