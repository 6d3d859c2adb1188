import { PERSONALITIES } from "../../personalities/index.ts";
import { EXIT, Failure } from "../failure.ts";
import type { CliHost } from "../host.ts";
import { absolute } from "../locate.ts";
import type { Verb } from "../verb.ts";

export const link: Verb = {
  name: "link",
  group: "Tools",
  summary: "make links by which this program is called as another one",
  usage: ["link DIR"],
  detail: [
    `The links: ${PERSONALITIES.join(", ")}. Nothing that exists is overwritten: if one is in the way, none is made.`,
  ],
  examples: ["oneup link /usr/local/bin"],
  options: [],
  takes: "folders",
  least: 1,
  most: 1,
  run: (session, input) => {
    const links = makeLinks(
      session.host,
      absolute(session.host.cwd, input.words[0] ?? "").replace(/(?<=.)\/+$/, ""),
    );
    if (session.json) session.document({ links });
    else session.printAll(links.map(({ path, made }) => `${path}: ${made ? "made" : "was there"}`));
    return EXIT.done;
  },
};

interface Link {
  readonly name: string;
  readonly path: string;
  /** False: it was there already and leads here. */
  readonly made: boolean;
}

function makeLinks(host: CliHost, folder: string): Link[] {
  const target = host.executable();
  if (target === null) {
    throw new Failure(
      EXIT.failed,
      "this program's own path is not known here (no /proc), so nothing can link to it",
    );
  }
  const status = host.stat(folder);
  if ("error" in status) {
    const hint = status.error === "ENOENT" ? `make it first: mkdir -p ${folder}` : null;
    throw new Failure(EXIT.usage, `${folder}: ${status.message}`, hint);
  }
  if (status.kind !== "folder") throw new Failure(EXIT.usage, `${folder} is not a folder`, "name a folder");
  const links = PERSONALITIES.map((name) => {
    const path = `${folder === "/" ? "" : folder}/${name}`;
    return { name, path, made: !leadsTo(host, path, target) };
  });
  for (const { path } of links.filter((entry) => entry.made)) {
    const error = host.makeLink(target, path);
    if (error !== null) throw new Failure(EXIT.failed, `${path}: ${error.message}`);
  }
  return links;
}

/** True if our link is there already; anything else that is there ends the verb. */
function leadsTo(host: CliHost, path: string, target: string): boolean {
  if ("error" in host.stat(path)) return false;
  const [there, own] = [host.realPath(path), host.realPath(target)];
  if ("path" in there && "path" in own && there.path === own.path) return true;
  throw new Failure(
    EXIT.failed,
    `${path} exists and is something else; nothing was made`,
    "move it away, or choose another folder",
  );
}
