/** The module `init`: its functions, what they take, timers, and who has a turn when. */
import { describe } from "vitest";
import { expect, ours, test } from "./harness.ts";

/** Runs each expression under pcall and returns the first line of each outcome. */
const outcomes = (expressions: readonly string[]) =>
  expressions
    .map(
      (each) =>
        `do local ok, e = pcall(function() return ${each} end) print(ok, (tostring(e):match("^[^\\n]*"):gsub("^runtime error: ", ""))) end`,
    )
    .join("\n");

test("it is one table with six entries", async ({ lua }) => {
  const end = await lua.run(`
    local names = {}
    for name in pairs(init) do table.insert(names, name) end
    table.sort(names)
    print(table.concat(names, " "), init == require("init"), rawget(_G, "init"))
    local count = 0
    for name, number in pairs(init.signal) do count = count + 1 end
    print(count, init.signal.SIGTERM, init.signal.SIGKILL, init.signal.SIGCHLD, init.signal.SIGSYS, init.signal.SIGPWR)
  `);
  expect(end.out).toBe("every exec kill pid signal sleep\ttrue\tnil\n29\t15\t9\t17\t31\tnil\n");
});

test("pid is the program's own", async ({ lua }) => {
  const running = lua.start("print(init.pid()) io.read()", { as: "bare", input: "pipe" });
  running.child.stdin?.end();
  expect((await running.outcome()).out).toBe(`${running.pid}\n`);
});

describe("arguments", () => {
  test("numbers may be strings, and integers are cut", async ({ lua }) => {
    const end = await lua.run(
      outcomes([
        "init.kill(init.pid(), '0')",
        "init.kill(init.pid() + 0.9, -0.5)",
        "init.sleep(' 0.01 ')",
        "init.sleep('0x0')",
      ]),
    );
    expect(end.out).toBe("true\t0\ntrue\t0\ntrue\t0.01\ntrue\t0\n");
  });

  test("what does not fit is an error that says which and why", async ({ lua }) => {
    const no = "expected number or string coercible to number";
    const cases: [string, string][] = [
      ["init.kill('x', 9)", `bad argument #1: error converting Lua string to i32 (${no})`],
      ["init.kill()", `bad argument #1: error converting Lua nil to i32 (${no})`],
      ["init.kill(1)", `bad argument #2: error converting Lua nil to i32 (${no})`],
      ["init.kill(true, 0)", `bad argument #1: error converting Lua boolean to i32 (${no})`],
      ["init.kill(1LL, 0)", `bad argument #1: error converting Lua other to i32 (${no})`],
      ["init.kill(2 ^ 31, 0)", "bad argument #1: error converting Lua integer to i32 (out of range)"],
      ["init.kill(0 / 0, 0)", "bad argument #1: error converting Lua number to i32 (out of range)"],
      ["init.kill('1e10', 0)", "bad argument #1: error converting Lua string to i32 (out of range)"],
      ["init.sleep({})", `bad argument #1: error converting Lua table to f64 (${no})`],
      ["init.every('x', print)", `bad argument #1: error converting Lua string to f64 (${no})`],
      ["init.every(1, 2)", "bad argument #2: error converting Lua integer to function"],
      [
        "init.every(1, setmetatable({}, { __call = print }))",
        "bad argument #2: error converting Lua table to function",
      ],
      ["init.exec()", "bad argument #1: error converting Lua nil to String (expected string or number)"],
      [
        "init.exec(true)",
        "bad argument #1: error converting Lua boolean to String (expected string or number)",
      ],
      ["init.exec('true', { {} })", "error converting Lua table to String (expected string or number)"],
      ["init.exec('true', { false })", "error converting Lua boolean to String (expected string or number)"],
    ];
    const end = await lua.run(outcomes(cases.map(([expression]) => expression)));
    expect(end.out.split("\n").slice(0, -1)).toEqual(cases.map(([, message]) => `false\t${message}`));
  });

  test("time that cannot be", async ({ lua }) => {
    const end = await lua.run(outcomes(["init.sleep(-1)", "init.sleep(0 / 0)", "init.sleep(1e300)"]));
    const what = "cannot convert float seconds to Duration:";
    expect(end.out).toBe(
      `false\t${what} value is negative\n${`false\t${what} value is either too big or NaN\n`.repeat(2)}`,
    );
  });

  ours("time that cannot be is an ordinary error, for timers too", async ({ lua }) => {
    const end = await lua.run("print(pcall(init.every, -1, print)) init.sleep(-1)");
    expect(end).toMatchObject({
      code: 1,
      out: "false\tcannot convert float seconds to Duration: value is negative\n",
    });
    expect(end.err).toMatch(/^cannot convert float seconds to Duration: value is negative\nstack traceback:/);
  });

  ours("errors are strings", async ({ lua }) => {
    const end = await lua.run("local _, e = pcall(init.kill, 99999999, 0) print(e .. '!', type(e))");
    expect(end.out).toBe("No such process (os error 3)!\tstring\n");
  });
});

describe("kill", () => {
  test("it is kill(2)", async ({ lua }) => {
    const end = await lua.run(`
      local child = init.exec("sleep", 99)
      print(init.kill(child:pid(), 0), init.kill(child:pid(), init.signal.SIGTERM), child:status())
      ${outcomes(["init.kill(99999999, 0)", "init.kill(init.pid(), 99)"])}
    `);
    expect(end.out).toBe(
      "0\t0\t15\nfalse\tNo such process (os error 3)\nfalse\tInvalid argument (os error 22)\n",
    );
  });
});

describe("every", () => {
  test("a timer gets its arguments, nils kept, and returns nothing", async ({ lua }) => {
    const end = await lua.run(`
      local done = 0
      print(select("#", init.every(0.01, function(...)
        done = done + 1
        if done == 2 then print(select("#", ...), ...) end
      end, nil, 1, nil)))
      while done < 2 do init.sleep(0.01) end
    `);
    expect(end).toMatchObject({ code: 0, out: "0\n3\tnil\t1\tnil\n" });
  });

  test("the first call comes after one period", async ({ lua }) => {
    const end = await lua.run(`
      local order = {}
      init.every(0.3, function() table.insert(order, "timer") end)
      table.insert(order, "main")
      init.sleep(0.05)
      table.insert(order, "slept")
      while #order < 3 do init.sleep(0.05) end
      print(table.concat(order, " "))
    `);
    expect(end.out).toMatch(/^main slept/);
  });

  test("an error is told, and the timer goes on", async ({ lua }) => {
    const end = await lua.run(`
      local count = 0
      init.every(0.01, function() count = count + 1 error("tick " .. count) end)
      while count < 2 do init.sleep(0.01) end
    `);
    expect(end.code).toBe(0);
    expect(end.err).toMatch(/^error in 'init.every' task: runtime error: \S+ tick 1\nstack traceback:\n/);
    expect(end.err).toMatch(/\nerror in 'init.every' task: runtime error: \S+ tick 2\n/);
  });

  test("calls of one timer do not overlap, those of several do", async ({ lua }) => {
    const end = await lua.run(`
      local inside, most, others = 0, 0, 0
      init.every(0.01, function()
        inside = inside + 1
        most = math.max(most, inside)
        init.sleep(0.05)
        inside = inside - 1
      end)
      init.every(0.01, function() if inside > 0 then others = others + 1 end end)
      while others < 5 do init.sleep(0.01) end
      print(most)
    `);
    expect(end).toMatchObject({ code: 0, out: "1\n" });
  });

  test("what was missed is made up for in a burst", async ({ lua }) => {
    // The first call holds Lua for as long as eleven periods take; they follow at once, so that
    // there are as many as the clock has passed periods.
    const end = await lua.run(`
      local ffi = require("ffi")
      ffi.cdef "int usleep(unsigned); typedef struct { long s, n; } now; int clock_gettime(int, now *);"
      local function clock()
        local now = ffi.new("now")
        ffi.C.clock_gettime(1, now)
        return tonumber(now.s) + tonumber(now.n) / 1e9
      end
      local start, count = clock(), 0
      init.every(0.05, function()
        count = count + 1
        if count == 1 then ffi.C.usleep(550000) end
      end)
      repeat init.sleep(0.01) until count > 1
      init.sleep(0.02)
      print(count >= 10, count <= (clock() - start) / 0.05 + 1)
    `);
    expect(end).toMatchObject({ code: 0, out: "true\ttrue\n" });
  });

  ours("a period of nothing is as fast as it goes, and stops nobody", async ({ lua }) => {
    const end = await lua.run(`
      local count = 0
      init.every(0, function() count = count + 1 end)
      while count < 100 do init.sleep(0) end
      init.sleep(0.01)
      print(init.exec("echo", "still"):stdout())
    `);
    expect(end.out).toBe("still\n\n");
  });

  test("a wait in a function that C calls is an error of that call", async ({ lua }) => {
    const end = await lua.run(
      `print(pcall(string.gsub, "a", "a", function() init.sleep(0.01) end)) init.sleep(0.05)`,
    );
    expect(end).toMatchObject({ code: 0, err: "" });
    expect(end.out).toMatch(/attempt to yield across C-call boundary/);
  });

  test("waits are possible under pcall and in metamethods", async ({ lua }) => {
    const end = await lua.run(`
      print(pcall(function() init.sleep(0.01) return "slept" end))
      print(setmetatable({}, { __index = function(_, key) init.sleep(0.01) return key end }).found)
    `);
    expect(end.out).toBe("true\tslept\nfound\n");
  });

  ours("coroutines of the script can wait, and the others go on", async ({ lua }) => {
    const end = await lua.run(`
      local ticks = 0
      init.every(0.01, function() ticks = ticks + 1 end)
      local step = coroutine.wrap(function(first)
        local before = ticks
        while ticks == before do init.sleep(0.01) end
        local second = coroutine.yield(first + 1)
        print(init.exec("echo", "from within"):stdout())
        return second * 2
      end)
      print(step(1))
      print(step(21))
      print(pcall(step))
      local co = coroutine.create(function() init.sleep(0.01) error("late", 0) end)
      print(coroutine.resume(co))
      print(coroutine.status(co), coroutine.resume(co))
      local outer = coroutine.wrap(function()
        local inner = coroutine.wrap(function() init.sleep(0.01) coroutine.yield("inner") end)
        coroutine.yield(inner())
        return "outer"
      end)
      print(outer(), outer())
      init.every(0.01, coroutine.wrap(function() init.sleep(0.01) print("in a timer") os.exit(5) end))
      init.sleep(60)
    `);
    expect(end).toMatchObject({ code: 5, err: "" });
    expect(end.out.split("\n").slice(0, -1)).toEqual([
      "2",
      "from within",
      "",
      "42",
      expect.stringMatching(/^false\t.*cannot resume dead coroutine/),
      "false\tlate",
      "dead\tfalse\tcannot resume dead coroutine",
      "inner\touter",
      "in a timer",
    ]);
  });

  ours("a wait that failed in C does not disturb those that follow", async ({ lua }) => {
    const end = await lua.run(`
      local co = coroutine.create(function() init.sleep(0.02) return "late" end)
      pcall(string.gsub, "a", "a", function() coroutine.resume(co) end)
      init.sleep(0.05)
      print(coroutine.resume(co))
    `);
    expect(end).toMatchObject({ code: 0, out: "true\tlate\n", err: "" });
  });
});

describe("functions without end in each other", () => {
  // Each is one call away from itself; what they take of the thread's stack Lua does not see.
  const endless = {
    "string.gsub": 'f = function() return (string.gsub("x", "x", f)) end',
    "coroutine.wrap": "f = function() return (coroutine.wrap(f)()) end",
    "coroutine.resume": "f = function() return assert(coroutine.resume(coroutine.create(f))) end",
    both: 'f = function() return (string.gsub("x", "x", coroutine.wrap(f))) end',
  };
  for (const [name, text] of Object.entries(endless)) {
    ours(`are an error: ${name}`, async ({ lua }) => {
      const end = await lua.run(`${text} print(pcall(f)) print(init.exec("true"):status())`);
      expect(end).toMatchObject({ code: 0, err: "" });
      expect(end.out).toMatch(/^false\t.*stack overflow\n0\n$/);
    });
  }
});
