/** What a command of these programs takes. Help, parsing and completion come from these tables. */

export interface Flag {
  readonly long: string;
  readonly short?: string;
  /** Other spellings, which the help does not show. */
  readonly also?: readonly string[];
  /** The word for its value; absent: it takes none. */
  readonly value?: string;
  /** A whole number in these bits. */
  readonly number?: "u32" | "u64";
  /** It may be given again. */
  readonly many?: true;
  readonly required?: true;
  readonly fallback?: string;
  /** Flags (or the word, by its name) that cannot stand beside it. */
  readonly excludes?: readonly string[];
  /** Flags that must stand beside it. */
  readonly needs?: readonly string[];
  readonly help: string;
}

/** An argument that is told by its place. */
export interface Word {
  readonly name: string;
  readonly required?: true;
  /** It and all that follows is taken as it is, whatever it looks like. */
  readonly rest?: true;
  readonly excludes?: readonly string[];
  readonly help: string;
  /** What completion offers; absent: names of services. */
  readonly takes?: "files" | "nothing" | readonly string[];
}

export interface Command<Run> {
  readonly name: string;
  /** Other names, which the help does not show. */
  readonly also?: readonly string[];
  readonly about: string;
  /** Instead of `about` in the long help. */
  readonly long?: string;
  readonly flags?: readonly Flag[];
  readonly words?: readonly Word[];
  /** Options and their texts on lines of their own. */
  readonly wide?: true;
  readonly examples?: readonly string[];
  readonly commands?: readonly Command<Run>[];
  readonly version?: string;
  /** Absent where a command of its own has to follow. */
  readonly run?: Run;
}

export class Input {
  readonly flags = new Map<string, string[]>();
  readonly words: string[] = [];

  has(flag: string): boolean {
    return this.flags.has(flag);
  }

  /** The value, or the last of several. */
  value(flag: string): string | null {
    return this.flags.get(flag)?.at(-1) ?? null;
  }

  values(flag: string): readonly string[] {
    return this.flags.get(flag) ?? [];
  }

  /** One that was checked and has a fallback. */
  number(flag: string, fallback: number): number {
    const text = this.value(flag);
    return text === null ? fallback : Number(text);
  }

  word(index: number): string | null {
    return this.words[index] ?? null;
  }
}
