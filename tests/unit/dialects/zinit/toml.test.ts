import fc from "fast-check";
import { expect, test } from "vitest";
import { decodeService } from "../../../../src/dialects/zinit/decode.ts";
import { parseToml, writeToml } from "../../../../src/dialects/zinit/toml.ts";
import { document, service } from "./helpers.ts";

test("what is written is as people know it", () => {
  const text = `${service("x", 'env = { B = "2", A = "1" }', "ports = [1, 2]")}[health]\ntype = "http"\ntarget = "http://h/"\n`;
  expect(writeToml(document(text))).toBe(`[service]
name = "x"
exec = "sleep 99"
oneshot = false
status = "start"
class = "user"
critical = false
ports = [1, 2]
kill_others = false
process_filters = []

[service.env]
A = "1"
B = "2"

[dependencies]
after = []
requires = []
wants = []
conflicts = []

[lifecycle]
restart = "on-failure"
restart_delay_ms = 1000
restart_delay_max_ms = 300000
max_restarts = 10
stability_period_ms = 30000
start_timeout_ms = 30000
stop_timeout_ms = 10000
stop_signal = "SIGTERM"

[health]
type = "http"
target = "http://h/"
expect_status = 200
interval_ms = 10000
timeout_ms = 5000
retries = 3
start_period_ms = 0

[logging]
buffer_lines = 1000
`);
});

const words = fc.string({ unit: "binary" });
const values = fc.record({
  service: fc.record(
    {
      name: words,
      exec: words,
      dir: words,
      env: fc.dictionary(words, words),
      ports: fc.array(fc.integer({ min: 0, max: 0xffff })),
      process_filters: fc.array(words),
    },
    { requiredKeys: ["name", "exec"] },
  ),
  lifecycle: fc.record({ restart_delay_ms: fc.maxSafeNat(), stop_signal: words }),
  logging: fc.record({ file: words }),
});

test("whatever is written is read as it was", () => {
  fc.assert(
    fc.property(values, (value) => {
      const written = decodeService(value);
      if (!("document" in written)) throw new Error(written.message);
      const parsed = parseToml(writeToml(written.document));
      if (!("value" in parsed)) throw parsed;
      expect(decodeService(parsed.value)).toEqual(written);
    }),
  );
});
