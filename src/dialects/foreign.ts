/** Tells files of other programs by what is in them, so that they are refused by name. */
import type { TableNode } from "../config/document.ts";

/** The program whose format it is, or `null` if it is none of those known. */
export function foreignFormat(root: TableNode): string | null {
  if (root.entries.get("programs")?.node.type === "table") return "supervisors";
  for (const section of ["service", "target"]) {
    const node = root.entries.get(section)?.node;
    if (node?.type === "table" && node.entries.get("name")?.node.type === "scalar") return "zinit";
  }
  const hasOwnSections = ["service", "task", "target"].some((section) => root.entries.has(section));
  if (!hasOwnSections && root.entries.get("command")?.node.type === "scalar") return "Horust";
  return null;
}
