/**
 * The part of protobuf's wire format that Horust's messages use: varints and length-delimited
 * fields. Bytes are characters from U+0000 to U+00FF, as they cross to the host, so nothing is
 * converted; and what is cut off or malformed is refused.
 */

export class Malformed extends Error {}

const VARINT = 0;
const FIXED64 = 1;
const DELIMITED = 2;
const FIXED32 = 5;
/** As many as 64 bits take. */
const VARINT_BYTES_MAX = 10;

// ---- writing

/** 0 is not written: absent means 0. */
export function numberField(number: number, value: number): string {
  return value === 0 ? "" : key(number, VARINT) + varint(value);
}

/** Empty is not written either. */
export function textField(number: number, text: string): string {
  return text === "" ? "" : messageField(number, utf8(text));
}

/** A message that is there, empty or not. */
export function messageField(number: number, bytes: string): string {
  return key(number, DELIMITED) + varint(bytes.length) + bytes;
}

function key(number: number, type: number): string {
  return varint(number * 8 + type);
}

function varint(value: number): string {
  let rest = value;
  let bytes = "";
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes += String.fromCharCode((rest % 128) | 0x80);
  return bytes + String.fromCharCode(rest);
}

function utf8(text: string): string {
  const whole = text.replace(/\p{Surrogate}/gu, "\ufffd");
  // The engine does both of these itself; a function for each byte would take a hundred times as long.
  return unescape(encodeURIComponent(whole));
}

// ---- reading

export interface Field {
  readonly number: number;
  /** Of a varint; others have none. */
  readonly value: number | null;
  /** Of a length-delimited field. */
  readonly bytes: string | null;
}

/** The fields of a message, in their order. */
export function readFields(bytes: string): readonly Field[] {
  const reader = new Reader(bytes);
  const fields: Field[] = [];
  while (!reader.atEnd) fields.push(reader.field());
  return fields;
}

export function textOf({ bytes }: Field): string {
  if (bytes === null) throw new Malformed("a text was expected");
  try {
    return decodeURIComponent(escape(bytes));
  } catch {
    throw new Malformed("a text that is not UTF-8");
  }
}

export function messageOf({ bytes }: Field): string {
  if (bytes === null) throw new Malformed("a message was expected");
  return bytes;
}

export function numberOf({ value }: Field): number {
  if (value === null) throw new Malformed("a number was expected");
  return value;
}

class Reader {
  readonly #bytes: string;
  #at = 0;

  constructor(bytes: string) {
    this.#bytes = bytes;
  }

  get atEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  field(): Field {
    const key = this.#varint();
    const number = Math.floor(key / 8);
    if (number === 0) throw new Malformed("a field without a number");
    const none = { number, value: null, bytes: null };
    switch (key % 8) {
      case VARINT:
        return { ...none, value: this.#varint() };
      case DELIMITED:
        return { ...none, bytes: this.#take(this.#varint()) };
      case FIXED64:
        this.#take(8);
        return none;
      case FIXED32:
        this.#take(4);
        return none;
      default:
        throw new Malformed("a field of no known type");
    }
  }

  #varint(): number {
    let value = 0;
    for (let index = 0; index < VARINT_BYTES_MAX; index++) {
      const byte = this.#take(1).charCodeAt(0);
      value += (byte & 0x7f) * 2 ** (7 * index);
      if (byte < 0x80) return value;
    }
    throw new Malformed("a number of more than 64 bits");
  }

  #take(count: number): string {
    const end = this.#at + count;
    if (end > this.#bytes.length) throw new Malformed("it ends too early");
    const taken = this.#bytes.slice(this.#at, end);
    this.#at = end;
    return taken;
  }
}
