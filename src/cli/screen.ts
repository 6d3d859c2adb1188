/**
 * The terminal as a screen: `host.screen`. What is shown is a tree of widgets, sent as data, which
 * the host draws; what comes is news, one at a time. Requests are made beside it, so that a slow
 * answer freezes nothing.
 */
import type { HostError, HttpAnswer, HttpCall, LineCall } from "./host.ts";

export type Colour =
  | "black"
  | "red"
  | "green"
  | "yellow"
  | "blue"
  | "magenta"
  | "cyan"
  | "grey"
  | "darkGrey"
  | "white";

export interface Look {
  readonly fg?: Colour;
  readonly bg?: Colour;
  readonly bold?: boolean;
  readonly dim?: boolean;
  readonly reversed?: boolean;
  readonly underlined?: boolean;
}

export type Piece = string | readonly [string, Look];

/** One line. Control characters are not drawn. */
export type Text = string | readonly Piece[];

export type Size =
  | { readonly cells: number }
  | { readonly percent: number }
  | { readonly least: number }
  /** A share of what the others leave. */
  | { readonly fill: number };

export interface Block {
  readonly title: Text;
  /** On the lower border, in its middle. */
  readonly bottom?: Text;
  readonly border?: Look;
}

export interface Part {
  readonly size: Size;
  readonly of: Widget;
}

export type Widget =
  | { readonly type: "rows" | "columns"; readonly parts: readonly Part[] }
  | {
      readonly type: "text";
      readonly lines: readonly Text[];
      readonly block?: Block;
      /** How many lines lie above the first one shown. */
      readonly scroll?: number;
      readonly wrap?: boolean;
    }
  | {
      readonly type: "list";
      readonly items: readonly Text[];
      readonly selected: number | null;
      readonly block?: Block;
    }
  | {
      readonly type: "table";
      readonly head?: readonly Text[];
      readonly rows: readonly (readonly Text[])[];
      readonly widths: readonly Size[];
      readonly selected: number | null;
      readonly block?: Block;
    }
  | {
      readonly type: "overlay";
      readonly under: Widget;
      /** Covers the middle. */
      readonly over: Widget;
      readonly width: Size;
      readonly height: Size;
    };

export type Call = ({ readonly kind: "http" } & HttpCall) | ({ readonly kind: "line" } & LineCall);

export type Reply = HttpAnswer | { readonly text: string } | HostError;

/** What happened. */
export type News =
  | { readonly type: "none" }
  /** `key`: the letter itself, or `Up`, `PageDown`, `Tab`, `Enter`, `Escape` and so on. */
  | { readonly type: "key"; readonly key: string; readonly ctrl: boolean; readonly alt: boolean }
  | { readonly type: "resize" }
  | { readonly type: "answer"; readonly ticket: number; readonly answer: Reply }
  /** The terminal is gone. */
  | { readonly type: "closed" };

export interface Screen {
  /**
   * Takes the terminal: raw mode, alternate screen. However the program ends, it is given back. The
   * mouse stays the terminal's, so that marking and copying work as ever.
   */
  open(): HostError | null;
  close(): void;
  size(): { readonly columns: number; readonly rows: number };
  draw(tree: Widget): void;
  nextInput(timeoutMs: number): News;
  /** Makes a request meanwhile; its answer comes with this ticket. False: there are too many already. */
  submit(ticket: number, call: Call): boolean;
}
