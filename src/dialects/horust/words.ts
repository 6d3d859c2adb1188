/**
 * A command line into words by the rules of a shell's quoting, without a shell: `'…'`, `"…"`, `\`,
 * and a comment from a word that begins with `#` to the end of its line. Everything else, pipes and
 * variables too, is text.
 */

/** `null`: a quote is never closed, or a backslash has nothing behind it. */
export function splitCommand(text: string): readonly string[] | null {
  const splitter = new Splitter(text);
  return splitter.run() ? splitter.words : null;
}

class Splitter {
  readonly words: string[] = [];
  readonly #text: string;
  #at = 0;
  /** `null` between words; `''` is one, too. */
  #word: string | null = null;

  constructor(text: string) {
    this.#text = text;
  }

  run(): boolean {
    while (this.#at < this.#text.length) if (!this.#take()) return false;
    this.#end();
    return true;
  }

  #take(): boolean {
    const character = this.#text.charAt(this.#at);
    if (character === "#" && this.#word === null) {
      const line = this.#text.indexOf("\n", this.#at);
      this.#at = line < 0 ? this.#text.length : line;
      return true;
    }
    this.#at++;
    if (character === " " || character === "\t" || character === "\n") this.#end();
    else if (character === "'") return this.#single();
    else if (character === '"') return this.#double();
    else if (character === "\\") return this.#escaped();
    else this.#add(character);
    return true;
  }

  #escaped(): boolean {
    if (this.#at >= this.#text.length) return false;
    const next = this.#text.charAt(this.#at++);
    if (next !== "\n") this.#add(next);
    return true;
  }

  #single(): boolean {
    const close = this.#text.indexOf("'", this.#at);
    if (close < 0) return false;
    this.#add(this.#text.slice(this.#at, close));
    this.#at = close + 1;
    return true;
  }

  #double(): boolean {
    this.#add("");
    for (; this.#at < this.#text.length; this.#at++) {
      const character = this.#text.charAt(this.#at);
      if (character === '"') {
        this.#at++;
        return true;
      }
      const next = this.#text.charAt(this.#at + 1);
      if (character !== "\\" || !'$`"\\\n'.includes(next) || next === "") this.#add(character);
      else {
        this.#at++;
        if (next !== "\n") this.#add(next);
      }
    }
    return false;
  }

  #add(text: string): void {
    this.#word = (this.#word ?? "") + text;
  }

  #end(): void {
    if (this.#word !== null) this.words.push(this.#word);
    this.#word = null;
  }
}
