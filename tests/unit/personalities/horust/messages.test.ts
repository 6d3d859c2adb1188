import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  decodeRequest,
  decodeResponse,
  encodeRequest,
  encodeResponse,
  type Request,
  type Response,
  STATUSES,
} from "../../../../src/personalities/horust/messages.ts";
import { Malformed } from "../../../../src/personalities/horust/wire.ts";

const bytes = (hex: string) => Buffer.from(hex.replace(/ /g, ""), "hex").toString("latin1");
const hex = (text: string) => Buffer.from(text, "latin1").toString("hex");

const name = fc.string({ unit: "grapheme" });
const status = fc.constantFrom(...STATUSES);
const request: fc.Arbitrary<Request> = fc.oneof(
  fc.record({ type: fc.constantFrom("status" as const, "restart" as const), name }),
  fc.record({ type: fc.constant("change" as const), name, status }),
  fc.constant({ type: "all-status" as const }),
);
const response: fc.Arbitrary<Response> = fc.oneof(
  fc.record({ type: fc.constant("error" as const), message: name }),
  fc.record({ type: fc.constant("status" as const), name, status }),
  fc.record({ type: fc.constantFrom("change" as const, "restart" as const), name, accepted: fc.boolean() }),
  fc.record({ type: fc.constant("all-status" as const), services: fc.array(fc.record({ name, status })) }),
);

describe("messages", () => {
  test("as they look on the wire", () => {
    expect(hex(encodeRequest({ type: "status", name: "ä" }))).toBe("0a060a040a02c3a4");
    expect(hex(encodeRequest({ type: "change", name: "a", status: "INITIAL" }))).toBe("0a0712050a01611008");
    expect(hex(encodeRequest({ type: "all-status" }))).toBe("0a022200");
    // STARTING is 0 and so is not written.
    expect(hex(encodeResponse({ type: "status", name: "a", status: "STARTING" }))).toBe("120512030a0161");
    expect(hex(encodeResponse({ type: "error", message: "no" }))).toBe("12060a040a026e6f");
  });

  test("what is written can be read", () => {
    fc.assert(
      fc.property(request, (one) => {
        expect(decodeRequest(encodeRequest(one))).toEqual(one);
      }),
    );
    fc.assert(
      fc.property(response, (one) => {
        expect(decodeResponse(encodeResponse(one))).toEqual(one);
      }),
    );
  });

  test("whatever bytes come, they are read, or refused as malformed", () => {
    const any = fc.uint8Array().map((array) => Buffer.from(array).toString("latin1"));
    fc.assert(
      fc.property(any, (text) => {
        for (const decode of [decodeRequest, decodeResponse]) {
          try {
            decode(text);
          } catch (error) {
            expect(error).toBeInstanceOf(Malformed);
          }
        }
      }),
    );
  });

  test("a message that is cut off is malformed", () => {
    const whole = encodeRequest({ type: "change", name: "service", status: "INKILLING" });
    for (let length = 1; length < whole.length; length++) {
      expect(() => decodeRequest(whole.slice(0, length))).toThrow(Malformed);
    }
  });

  test("fields that are not known are passed over; of several the last counts", () => {
    expect(decodeRequest("")).toBeNull();
    expect(decodeRequest(bytes("0a00"))).toBeNull();
    expect(decodeRequest(bytes("1200"))).toBeNull();
    // A varint, 64 bits, 32 bits and a text of numbers nobody knows, then a name twice.
    const known = "18 01 21 0000000000000000 2d 00000000 3a 01 78 0a 01 61 0a 01 62";
    const inner = `0a ${(known.replace(/ /g, "").length / 2).toString(16).padStart(2, "0")} ${known}`;
    const length = (inner.replace(/ /g, "").length / 2).toString(16).padStart(2, "0");
    expect(decodeRequest(bytes(`0a ${length} ${inner}`))).toEqual({ type: "status", name: "b" });
  });

  test.each([
    ["a field without a number", "02 00"],
    ["a group", "0b"],
    ["a number without end", "08 ff ff ff ff ff ff ff ff ff ff ff"],
    ["a number where a message is meant", "08 01"],
    ["a text that is not UTF-8", "0a 05 0a 03 0a 01 ff"],
    ["a status that is none", "0a 07 12 05 0a 01 61 10 09"],
  ])("%s", (_, text) => {
    expect(() => decodeRequest(bytes(text))).toThrow(Malformed);
  });
});
