/** What horustctl and the server say to each other: package `messages`, one message each way. */
import {
  type Field,
  Malformed,
  messageField,
  messageOf,
  numberField,
  numberOf,
  readFields,
  textField,
  textOf,
} from "./wire.ts";

/** In the order of their numbers. */
export const STATUSES = [
  "STARTING",
  "STARTED",
  "RUNNING",
  "INKILLING",
  "SUCCESS",
  "FINISHED",
  "FINISHEDFAILED",
  "FAILED",
  "INITIAL",
] as const;
export type Status = (typeof STATUSES)[number];

export type Request =
  | { readonly type: "status"; readonly name: string }
  | { readonly type: "change"; readonly name: string; readonly status: Status }
  | { readonly type: "restart"; readonly name: string }
  | { readonly type: "all-status" };

export interface NamedStatus {
  readonly name: string;
  readonly status: Status;
}

export type Response =
  | { readonly type: "error"; readonly message: string }
  | ({ readonly type: "status" } & NamedStatus)
  | { readonly type: "change" | "restart"; readonly name: string; readonly accepted: boolean }
  | { readonly type: "all-status"; readonly services: readonly NamedStatus[] };

/** Fields of the envelope. */
const REQUEST = 1;
const RESPONSE = 2;

const REQUESTS = { status: 1, change: 2, restart: 3, "all-status": 4 } as const;
const RESPONSES = { error: 1, status: 2, change: 3, restart: 4, "all-status": 5 } as const;

// ---- writing

export function encodeRequest(request: Request): string {
  return messageField(REQUEST, messageField(REQUESTS[request.type], requestBody(request)));
}

function requestBody(request: Request): string {
  switch (request.type) {
    case "status":
    case "restart":
      return textField(1, request.name);
    case "change":
      return pair(request.name, request.status);
    case "all-status":
      return "";
  }
}

export function encodeResponse(response: Response): string {
  return messageField(RESPONSE, messageField(RESPONSES[response.type], responseBody(response)));
}

function responseBody(response: Response): string {
  switch (response.type) {
    case "error":
      return textField(1, response.message);
    case "status":
      return pair(response.name, response.status);
    case "change":
    case "restart":
      return textField(1, response.name) + numberField(2, response.accepted ? 1 : 0);
    case "all-status":
      return response.services.map(({ name, status }) => messageField(1, pair(name, status))).join("");
  }
}

function pair(name: string, status: Status): string {
  return textField(1, name) + numberField(2, STATUSES.indexOf(status));
}

// ---- reading

/** `null`: it asks for nothing that is known. Throws `Malformed`. */
export function decodeRequest(bytes: string): Request | null {
  const inner = last(readFields(bytes), REQUEST);
  if (inner === null) return null;
  const found = lastOf(readFields(messageOf(inner)), Object.values(REQUESTS));
  if (found === null) return null;
  const fields = readFields(messageOf(found));
  switch (found.number) {
    case REQUESTS.status:
      return { type: "status", name: nameIn(fields) };
    case REQUESTS.change:
      return { type: "change", ...statusIn(fields) };
    case REQUESTS.restart:
      return { type: "restart", name: nameIn(fields) };
    default:
      return { type: "all-status" };
  }
}

export function decodeResponse(bytes: string): Response | null {
  const inner = last(readFields(bytes), RESPONSE);
  if (inner === null) return null;
  const found = lastOf(readFields(messageOf(inner)), Object.values(RESPONSES));
  if (found === null) return null;
  const fields = readFields(messageOf(found));
  switch (found.number) {
    case RESPONSES.error:
      return { type: "error", message: nameIn(fields) };
    case RESPONSES.status:
      return { type: "status", ...statusIn(fields) };
    case RESPONSES.change:
    case RESPONSES.restart: {
      const type = found.number === RESPONSES.change ? "change" : "restart";
      return { type, name: nameIn(fields), accepted: numberIn(fields, 2) !== 0 };
    }
    default: {
      const services = fields.filter(({ number }) => number === 1);
      return { type: "all-status", services: services.map((one) => statusIn(readFields(messageOf(one)))) };
    }
  }
}

function statusIn(fields: readonly Field[]): NamedStatus {
  const status = STATUSES[numberIn(fields, 2)];
  if (status === undefined) throw new Malformed("a status that is none");
  return { name: nameIn(fields), status };
}

function nameIn(fields: readonly Field[]): string {
  const field = last(fields, 1);
  return field === null ? "" : textOf(field);
}

function numberIn(fields: readonly Field[], number: number): number {
  const field = last(fields, number);
  return field === null ? 0 : numberOf(field);
}

/** Of a field that is there more than once the last one counts. */
function last(fields: readonly Field[], number: number): Field | null {
  return lastOf(fields, [number]);
}

function lastOf(fields: readonly Field[], numbers: readonly number[]): Field | null {
  return fields.findLast((field) => numbers.includes(field.number)) ?? null;
}
