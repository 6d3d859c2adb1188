/** What a personality can answer beside the native API. */
import { describe, expect, it } from "vitest";
import { dispatchLine } from "../../../src/api/jsonrpc.ts";
import { createBrain, type Personality } from "../../../src/brain/brain.ts";
import * as engine from "../../../src/engine/index.ts";
import type { Boot, Call, Command } from "../../../src/generated/protocol.ts";
import { answered, replies } from "./stub.ts";

const BOOT: Boot = {
  lost: null,
  config: {
    services: [{ name: "web", kind: "service", argv: ["web"] }],
    supervisor: { shutdownTimeoutMs: 60_000, single: false },
  },
  seed: 1,
  nextId: 1,
  nextSeq: 1,
  children: [],
  slate: {},
  pid: 1,
  pidOne: true,
  wallStarted: 0,
};

function ask(call: Call, more: Partial<Personality>): Command[] {
  const batch = createBrain(engine, () => ({ dispatchLine, ...more }));
  const request = { type: "request", request: 1, uid: 5, pid: 7, call } as const;
  const events = [{ type: "boot", ...BOOT }, request];
  return JSON.parse(batch(JSON.stringify({ now: 1, wall: 1, events }))) as Command[];
}

const PUBLIC = {
  type: "http",
  method: "GET",
  path: "/v1/services",
  query: "",
  body: "",
  public: true,
} as const;

describe("a request that anybody may have sent", () => {
  it("gets nothing of the native API", () => {
    expect(answered(ask(PUBLIC, {}))).toMatchObject({ status: 404 });
    expect(answered(ask({ ...PUBLIC, public: false }, {}))).toMatchObject({ status: 200 });
  });

  it("is the personality's", () => {
    const commands = ask(PUBLIC, {
      answerPublic: (call, { services }) => ({
        status: 200,
        json: { path: call.path, names: services.names() },
      }),
    });
    expect(answered(commands).json).toEqual({ path: "/v1/services", names: ["web"] });
  });
});

describe("a message", () => {
  it("is answered by a message", () => {
    const [reply] = replies(
      ask(
        { type: "message", bytes: "\u0000ÿ" },
        { answerMessage: (bytes, { caller }) => `${bytes}${caller.uid}` },
      ),
    );
    expect(reply?.parts).toEqual([{ type: "bytes", bytes: "\u0000ÿ5" }]);
  });
});
