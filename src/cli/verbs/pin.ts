import { servicePath } from "../client.ts";
import { object } from "../documents.ts";
import { EXIT, usage } from "../failure.ts";
import { serviceLine } from "../services.ts";
import type { Session } from "../session.ts";
import type { Verb } from "../verb.ts";

const STATES = ["up", "down"] as const;

export const pin: Verb = {
  name: "pin",
  group: "Act",
  summary: "hold a service up or down, whatever its rules say",
  usage: ["pin NAME up|down"],
  detail: [
    "up: it is started now, and again after every end; no limit, no dependency, no conflict and no stop takes it down, only a shutdown. down: it is stopped now, with what requires it, and not started; what needs it waits.",
    "Returns at once. Pins are forgotten when the supervisor leaves.",
  ],
  examples: ["oneup pin web down", "oneup pin db up"],
  options: [],
  takes: "services",
  afterFirst: STATES,
  least: 2,
  most: 2,
  run: (session, input) => {
    const [name = "", given = ""] = input.words;
    const state = STATES.find((known) => known === given);
    if (state === undefined) throw usage(`"${given}" is neither up nor down`, "pin");
    return holdFast(session, name, "pin", { state });
  },
};

/** The four of them differ in a word. */
export function holdFast(
  session: Session,
  name: string,
  verb: "pin" | "unpin" | "mask" | "unmask",
  body?: object,
): number {
  const target = servicePath(name, `/${verb}`);
  const document = session.client().ask({ method: "POST", target, ...(body === undefined ? {} : { body }) });
  if (session.json) session.document(document);
  else session.print(serviceLine(session, object(document)));
  return EXIT.done;
}
