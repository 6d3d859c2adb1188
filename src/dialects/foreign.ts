/** Tells files of other programs by what is in them, so that they are refused by name. */
import type { Node } from "../model/node.ts";

/** The same of a text that is not TOML as it stands: variables may still have to be put in. */
export function foreignText(text: string): string | null {
  const header = /^\s*\[/m.exec(text);
  const top = header === null ? text : text.slice(0, header.index);
  return text.includes("$") && /^\s*command\s*=\s*["']/m.test(top) ? "Horust" : null;
}

/** The program whose format it is, or `null` if it is none of those known. */
export function foreignFormat(root: Node): string | null {
  if (root.get("programs")?.type === "table") return "supervisors";
  for (const section of ["service", "target"]) {
    if (typeof root.get(section)?.get("name")?.value === "string") return "zinit";
  }
  const hasOwnSections = ["service", "task", "target"].some((section) => root.get(section) !== undefined);
  if (!hasOwnSections && typeof root.get("command")?.value === "string") return "Horust";
  return null;
}
