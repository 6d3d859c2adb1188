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

function treeLines(session: Session, services: readonly Fields[]): string[] {
  const edges = new Map(services.map((service) => [text(service, "name"), edgesOf(service)]));
  const needed = new Set([...edges.values()].flatMap((list) => list.filter(needs).map((edge) => edge.to)));
  const roots = [...edges.keys()].filter((name) => !needed.has(name));
  const lines: string[] = [];
  const shown = new Set<string>();
  const draw = (edge: Edge, first: string, further: string) => {
    // What it only comes after is no part of it.
    const below = needs(edge) ? (edges.get(edge.to) ?? []) : [];
    const again = shown.has(edge.to) && below.length > 0;
    const notes = [edge.how, again ? "see above" : ""].filter((note) => note !== "").join(", ");
    lines.push(`${first}${edge.to}${notes === "" ? "" : session.paint("dim", ` (${notes})`)}`);
    if (again || !needs(edge)) return;
    shown.add(edge.to);
    for (const [index, next] of below.entries()) {
      const last = index === below.length - 1;
      draw(next, `${further}${last ? "└─ " : "├─ "}`, `${further}${last ? "   " : "│  "}`);
    }
  };
  for (const root of roots) draw({ to: root, how: "" }, "", "");
  return lines;
}

function needs(edge: Edge): boolean {
  return edge.how !== "after";
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
