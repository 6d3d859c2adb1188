import { type Fields, list, object, objects, text } from "../documents.ts";
import { EXIT } from "../failure.ts";
import type { Session } from "../session.ts";
import type { Verb } from "../verb.ts";

export const tree: Verb = {
  name: "tree",
  group: "Look",
  summary: "the dependency graph",
  usage: ["tree"],
  detail: ["Below each service stands what it requires, what it wants, and what it only comes after."],
  examples: ["oneup tree"],
  options: [],
  takes: "nothing",
  least: 0,
  most: 0,
  run: (session) => {
    const document = session.client().get("/v1/tree");
    if (session.json) session.document(document);
    else session.printAll(treeLines(session, objects(object(document).services)));
    return EXIT.done;
  },
};

interface Edge {
  readonly to: string;
  readonly how: "" | "wanted" | "after";
}

export function treeLines(session: Session, services: readonly Fields[]): string[] {
  const edges = new Map(services.map((service) => [text(service, "name"), edgesOf(service)]));
  const needed = new Set([...edges.values()].flatMap((list) => list.map((edge) => edge.to)));
  const roots = [...edges.keys()].filter((name) => !needed.has(name));
  const lines: string[] = [];
  const shown = new Set<string>();
  const draw = (name: string, first: string, further: string, how: string) => {
    const below = edges.get(name) ?? [];
    const again = shown.has(name) && below.length > 0;
    const notes = [how, again ? "see above" : ""].filter((note) => note !== "").join(", ");
    lines.push(`${first}${name}${notes === "" ? "" : session.paint("dim", ` (${notes})`)}`);
    if (again) return;
    shown.add(name);
    for (const [index, edge] of below.entries()) {
      const last = index === below.length - 1;
      draw(edge.to, `${further}${last ? "└─ " : "├─ "}`, `${further}${last ? "   " : "│  "}`, edge.how);
    }
  };
  for (const root of roots) draw(root, "", "", "");
  return lines;
}

function edgesOf(service: Fields): Edge[] {
  const found = new Map<string, Edge>();
  const add = (names: readonly string[], how: Edge["how"]) => {
    for (const to of names) if (!found.has(to)) found.set(to, { to, how });
  };
  add(list(service, "requires"), "");
  add(list(service, "wants"), "wanted");
  add(list(service, "after"), "after");
  return [...found.values()];
}
