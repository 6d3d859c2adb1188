/**
 * `host.runRhai`: a script whose functions are ours. A call comes as the number of a function in the
 * table and its arguments, and is answered with data; objects stay here and go out as numbers.
 */

/** What a parameter takes; the script's own type errors tell of anything else. */
export type Parameter = "text" | "whole" | "flag" | "any" | { readonly object: number };

export interface RhaiScript {
  readonly text: string;
  /** Names of types of objects, at most six; objects say by number which one they are of. */
  readonly types: readonly string[];
  readonly functions: readonly {
    readonly name: string;
    /** The first one is what a method is called on. */
    readonly parameters: readonly Parameter[];
  }[];
  readonly variables: readonly (readonly [name: string, value: RhaiValue])[];
}

/** Data as it crosses; whole numbers are numbers. */
export type RhaiValue =
  | null
  | boolean
  | number
  | string
  | readonly RhaiValue[]
  | { readonly [key: string]: RhaiValue };

export type RhaiAnswer = { readonly value: RhaiValue } | { readonly error: string };

/** `null`: the script ended well; else what went wrong, and where. */
export type RhaiEnd = { readonly text: string } | null;

export type RunRhai = (
  script: RhaiScript,
  call: (number: number, values: readonly unknown[]) => RhaiAnswer,
  /** The script does not have this object any more. */
  forget: (id: number) => void,
) => RhaiEnd;
