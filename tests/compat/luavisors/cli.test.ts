/** The command line, the script, and how it ends. */
import { describe } from "vitest";
import { expect, original, ours, test } from "./harness.ts";

describe("the script", () => {
  test("without arguments there is a line about usage", async ({ lua }) => {
    expect(await lua.call()).toMatchObject({
      code: 0,
      out: "Usage: luavisors [script [args...]]\n",
      err: "",
    });
  });

  test("a word that does not end in .lua is source text", async ({ lua }) => {
    expect(await lua.call("print('hi', arg[1])", "a")).toMatchObject({ code: 0, out: "hi\ta\n" });
    expect(await lua.call("--help")).toMatchObject({ code: 0, out: "", err: "" });
    expect(await lua.call("")).toMatchObject({ code: 0, out: "", err: "" });
    expect((await lua.call("-h")).code).toBe(1);
  });

  test("the first word that ends in .lua is the script, wherever it is", async ({ lua }) => {
    const path = lua.script("for i = -3, 2 do print(i, arg[i]) end print(#arg, select('#', ...))");
    const other = lua.script("print('not this one')");
    const end = await lua.call("-x", "word", path, other);
    expect(end.out.split("\n").slice(0, -1)).toEqual([
      `-3\t${lua.program}`,
      "-2\t-x",
      "-1\tword",
      `0\t${path}`,
      `1\t${other}`,
      "2\tnil",
      "1\t0",
    ]);
  });

  test("source text stands in arg[0], the program in arg[-1]", async ({ lua }) => {
    const text = "io.write(arg[0], '|', arg[-1], '|', #arg)";
    expect((await lua.call(text, "a", "b")).out).toBe(`${text}|${lua.program}|2`);
  });

  test("a first line for the kernel, a mark of UTF-8 and bytecode are understood", async ({ lua }) => {
    const { box } = lua;
    box.write("a.lua", "\ufeff#!/usr/bin/env luavisors\nprint('a') error('here')");
    const end = await lua.call("a.lua");
    expect(end).toMatchObject({ code: 1, out: "a\n" });
    expect(end.err).toMatch(/:2: here\n/);
    await lua.run(`io.open("b.lua", "wb"):write(string.dump(function() print("b") end)):close()`);
    expect(await lua.call("b.lua")).toMatchObject({ code: 0, out: "b\n" });
  });

  test("one that cannot be read", async ({ lua }) => {
    const missing = await lua.call("missing.lua");
    expect(missing).toMatchObject({ code: 1, out: "" });
    expect(missing.err).toContain("No such file or directory (os error 2)");
    lua.box.write("folder.lua/x", "");
    const folder = await lua.call("folder.lua");
    expect(folder).toMatchObject({ code: 1, out: "" });
    expect(folder.err).toContain("Is a directory (os error 21)");
  });

  test("files beside it can be required", async ({ lua }) => {
    lua.box.write("helper.lua", "return { answer = 42 }");
    expect((await lua.run("print(require('helper').answer)")).out).toBe("42\n");
  });

  ours("arguments are bytes, and errors name the script", async ({ lua }) => {
    const end = await lua.box.run([
      "sh",
      "-c",
      `exec "$0" 'io.write(#arg[1], " ", arg[1]:byte(1, -1))' "$(printf '\\377x')"`,
      lua.program,
    ]);
    expect(end).toMatchObject({ code: 0, out: "2 255120" });
    const path = lua.script("\nlocal x = nil\nx.y = 1");
    expect((await lua.call(path)).err).toContain(`runtime error: ${path}:3: attempt to index`);
    expect((await lua.call("x = = 1")).err).toBe(
      `syntax error: [string "x = = 1"]:1: unexpected symbol near '='\n`,
    );
  });

  ours("as another name's argument it is the same", async ({ lua }) => {
    const path = lua.script("print(arg[0], arg[-1], arg[1]) print(init.exec(arg[-1], 'print(7)'):stdout())");
    const end = await lua.box.oneup(["as", "luavisors", path, "a"]);
    expect(end).toMatchObject({ code: 0, out: `${path}\tluavisors\ta\n7\n\n`, err: "" });
  });
});

describe("the end", () => {
  test.for([
    ["return 5", 0],
    ["os.exit()", 0],
    ["os.exit(true)", 0],
    ["os.exit(false)", 1],
    ["os.exit(7)", 7],
    ["os.exit(300)", 44],
    ["os.exit(-1)", 255],
    ["error('x')", 1],
    ["x = = 1", 1],
    ["init.every(0.01, function() os.exit(9) end) init.sleep(60)", 9],
  ] as const)("%s: %i", async ([text, code], { lua }) => {
    expect((await lua.run(text)).code).toBe(code);
  });

  test("what was written comes out, however it ends", async ({ lua }) => {
    for (const end of ["", "os.exit(3)", "error('x')", "os.exit(false)"]) {
      expect((await lua.run(`io.write('written') ${end}`)).out).toBe("written");
    }
  });

  test.for([
    ["error('boom', 0)", "runtime error: boom\nstack traceback:\n"],
    ["error()", "runtime error: nil\nstack traceback:\n"],
    [
      "error(setmetatable({}, { __tostring = function() return 'T' end }))",
      "runtime error: T\nstack traceback:\n",
    ],
    ["init.kill(99999999, 0)", "runtime error: No such process (os error 3)\nstack traceback:\n"],
    ["init.exec('/no/such')", "No such file or directory (os error 2)\nstack traceback:\n"],
    ["init.sleep('x')", "bad argument #1: error converting Lua string to f64 "],
  ] as const)("%s is told on stderr", async ([text, message], { lua }) => {
    const end = await lua.run(text);
    expect(end).toMatchObject({ code: 1, out: "" });
    expect(end.err.startsWith(message), end.err).toBe(true);
  });

  test("a value that is no string is told by tostring", async ({ lua }) => {
    expect((await lua.run("error({})")).err).toMatch(
      /^runtime error: table: 0x[0-9a-f]+\nstack traceback:\n/,
    );
    expect((await lua.run("x = = 1")).err).toMatch(/^syntax error: \S+:1: unexpected symbol near '='\n/);
  });

  test("it does not wait for children or timers", async ({ lua }) => {
    const end = await lua.runWith(
      { as: "child" },
      "init.every(0.01, print) io.write(init.exec('sleep', 99):pid())",
    );
    expect(end.code).toBe(0);
    expect(Number(end.out)).toBeGreaterThan(1);
  });
});

describe("the language", () => {
  test("it is LuaJIT with the extensions of 5.2, and nothing is missing", async ({ lua }) => {
    const end = await lua.run(`
      print(_VERSION, jit.version:match("^LuaJIT 2.1"), (jit.status()))
      goto there
      error("skipped")
      ::there::
      print("\\x41\\z
             B", table.pack(1, nil).n, rawlen({ 1 }), #setmetatable({}, { __len = function() return 9 end }))
      print(load("return x", "c", "t", { x = 3 })(), math.log(8, 2), ("a"):rep(2, "-"))
      print(os.execute("exit 3"))
      print(io.popen("exit 4"):close())
      print(io.popen("kill -9 $$"):close())
      for _, name in ipairs { "debug", "ffi", "jit", "bit", "string.buffer", "table.new", "table.clear", "jit.util" } do
        require(name)
      end
      print(coroutine.running() ~= nil, coroutine.isyieldable(), package.searchpath("none", "?") == nil)
    `);
    expect(end.err).toBe("");
    expect(end.out.split("\n")).toEqual([
      "Lua 5.1\tLuaJIT 2.1\ttrue",
      "AB\t2\t1\t9",
      "3\t3\ta-a",
      "nil\texit\t3",
      "nil\texit\t4",
      "nil\tsignal\t9",
      "true\ttrue\ttrue",
      "",
    ]);
  });

  test("where modules are looked for", async ({ lua }) => {
    const end = await lua.runWith(
      { env: { LUA_PATH: "/x/?.lua;;", LUA_INIT: "error('run')" } },
      "print(package.path) print(package.cpath)",
    );
    expect(end.out).toBe(
      "/x/?.lua;./?.lua;/usr/local/share/luajit-2.1/?.lua;/usr/local/share/lua/5.1/?.lua;/usr/local/share/lua/5.1/?/init.lua;\n" +
        "./?.so;/usr/local/lib/lua/5.1/?.so;/usr/local/lib/lua/5.1/loadall.so\n",
    );
  });

  test("a yield of the main chunk by itself lets others have their turn", async ({ lua }) => {
    expect((await lua.run("print(select('#', coroutine.yield(1, 2)))")).out).toBe("0\n");
  });
});

test("the program under test is the one that is meant", async ({ lua }) => {
  const end = await lua.run("io.write(tostring(require('init').stop))");
  expect(end.out === "nil").toBe(original !== null);
});
