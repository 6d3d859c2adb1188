/** A command line into words by the rules of a shell's quoting, without a shell. */
import { splitQuoted } from "../../model/words.ts";

/** `null`: a quote is never closed, or a backslash has nothing behind it. */
export function splitCommand(text: string): readonly string[] | null {
  const words = splitQuoted(text);
  return "value" in words ? words.value : null;
}
