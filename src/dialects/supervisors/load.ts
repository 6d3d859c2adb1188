/** The one file that the program supervisors reads, or why it cannot. */
import type { FileHost } from "../../cli/host.ts";
import type { SupervisorsInput, SupervisorsOutput } from "../../config/contract.ts";
import { readDocument } from "../../config/document.ts";
import { Issues, sortIssues } from "../../config/issues.ts";
import { absolutePath } from "../../config/paths.ts";
import { decode } from "./decode.ts";
import { specOf } from "./spec.ts";

export function loadSupervisors(
  { supervisors: file, cwd }: SupervisorsInput,
  host: FileHost,
): SupervisorsOutput {
  const answer = host.readFile(absolutePath(file, cwd));
  if ("error" in answer) return { unreadable: `${file}: ${answer.message} (${answer.error})` };
  const issues = new Issues();
  const tree = readDocument(file, answer.text, issues);
  const decoded = tree && decode(tree.root, { issues, warnings: new Issues() });
  if (decoded === null || issues.list.length > 0) return { errors: sortIssues([...issues.list], [file]) };
  const services = decoded.programs.map((program) => specOf(program, cwd));
  return { services, listen: decoded.listen };
}
