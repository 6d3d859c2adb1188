import { expect, test } from "vitest";
import type { Command } from "../../../../src/generated/protocol.ts";
import { withLines } from "../../../../src/personalities/zinit/brain/journal.ts";

function published(fields: object): Command {
  return { type: "publish", seq: 1, text: JSON.stringify({ seq: 1, time: "", from: null, ...fields }) };
}

test("a change of a state is a line behind its event, and nothing else is", () => {
  const failed = published({ service: "web", event: "state", to: "failed", cause: 'exit "3"' });
  const others: Command[] = [
    published({ service: "web", event: "ready", to: null, cause: "" }),
    published({ service: null, event: "supervisor", to: null, cause: "" }),
    published({ service: "web", event: "state", to: "unheard-of", cause: "" }),
    { type: "forget", id: 1 },
  ];
  expect(withLines([failed, ...others])).toEqual([
    failed,
    { type: "say", level: "warn", text: 'service failed service=web cause="exit \\"3\\""' },
    ...others,
  ]);
});
