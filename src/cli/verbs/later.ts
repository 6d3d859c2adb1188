import { EXIT, Failure } from "../failure.ts";
import type { Verb } from "../verb.ts";

/** Verbs that have their place and do nothing yet. */
export const LATER: readonly Verb[] = [
  later("plan", "plan [PATH…]", "what applying would do, per service"),
  later("apply", "apply [PATH…|PLAN-ID]", "plan and do it"),
  later("upgrade", "upgrade [BINARY]", "replace the running supervisor in place"),
  later("simulate", "simulate [PATH…]", "the timeline that would follow, on a simulated machine"),
];

function later(name: string, usage: string, summary: string): Verb {
  return {
    name,
    group: "Change",
    summary,
    usage: [usage],
    detail: ["Not supported yet."],
    examples: [`oneup ${name}`],
    options: [],
    takes: "nothing",
    least: 0,
    most: Number.POSITIVE_INFINITY,
    later: true,
    run: () => {
      throw new Failure(EXIT.usage, `"${name}" is not supported yet`);
    },
  };
}
