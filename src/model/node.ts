/** A value as it stands in a file: what the schema reads, and what messages point at. */

/** Lines and columns start at 1 and count UTF-16 units, as editors do. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export type NodeType = "table" | "list" | "string" | "integer" | "float" | "boolean" | "date";

export interface Node {
  readonly type: NodeType;
  /** Plain data: strings with their variables expanded, lists, objects. */
  readonly value: unknown;
  readonly place: Place;
  /** Of the key it is the value of; of an item in a list, its own. */
  readonly keyPlace: Place;
  /** A variable is in this string, so its value may be a secret and is never shown. */
  readonly expanded: boolean;
  /** A variable in it, or somewhere below it, is not set; that has been reported. */
  readonly broken: boolean;
  /** As it stands in the file, quotes included. */
  readonly raw: string;
  /** Of a table: its keys and their values, in the order of the file. */
  entries(): (readonly [string, Node])[];
  get(key: string): Node | undefined;
  /** Of a list. */
  items(): Node[];
  /** Of a character of a string's value, as far as the file shows it letter by letter. */
  placeOf(offset: number): Place;
}
