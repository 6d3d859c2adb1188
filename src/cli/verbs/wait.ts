import { queryText, servicePath } from "../client.ts";
import { object } from "../documents.ts";
import { EXIT, Failure } from "../failure.ts";
import { serviceLine } from "../services.ts";
import type { Session } from "../session.ts";
import type { Verb } from "../verb.ts";

export const wait: Verb = {
  name: "wait",
  group: "Act",
  summary: "wait until services are ready, stopped or have succeeded",
  usage: ["wait NAME… [--for ready|stopped|succeeded] [--timeout DURATION]"],
  detail: [
    "Starts nothing. Waits as long as there is hope: a service that has failed for good ends the wait with exit code 1, a timeout with 124.",
  ],
  examples: ["oneup wait web --timeout 30s", "oneup wait migrate --for succeeded"],
  options: ["for", "timeout"],
  takes: "services",
  least: 1,
  most: Number.POSITIVE_INFINITY,
  run: (session, input) => {
    const timeout = input.duration("timeout");
    const until = timeout === null ? null : session.host.now() + timeout;
    const documents = input.words.map((name) => waitForOne(session, name, input.value("for"), until));
    if (session.json) session.document(documents);
    else session.printAll(documents.map((document) => serviceLine(session, object(document))));
    return EXIT.done;
  },
};

/** All share one deadline. */
function waitForOne(session: Session, name: string, wanted: string | null, until: number | null): unknown {
  const left = until === null ? null : Math.max(0, until - session.host.now());
  const query = queryText([
    ["for", wanted],
    ["timeout", left === null ? null : `${Math.ceil(left)}ms`],
  ]);
  const document = session
    .client()
    .ask({ method: "GET", target: servicePath(name, `/wait${query}`), timeoutMs: left });
  if (document === null) throw new Failure(EXIT.failed, `"${name}": empty answer`);
  return document;
}
