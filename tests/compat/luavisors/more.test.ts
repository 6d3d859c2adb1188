/** What is more than luavisors has: docs/compat/luavisors.md, "More". */
import { describe } from "vitest";
import { childrenOf } from "../../e2e/harness/proc.ts";
import { expect, isRoot, ours, until } from "./harness.ts";

describe("options of exec", () => {
  ours("folder, environment, input, and where output goes", async ({ lua }) => {
    const end = await lua.run(`
      local child = init.exec({ "sh", "-c", "pwd; echo $A $B; cat; echo err >&2", cwd = "/usr",
        env = { A = "a b", B = 7 }, input = "some text\\n", stderr = "stdout" })
      io.write(child:stdout())
      print(child:stderr(), child:status())
      print(init.exec({ "env", env = { ONLY = "this" }, clear_env = true }):stdout())
      print(init.exec({ stdin = "null" }, "cat"):stdout())
      print(init.exec({ stdout = "inherit", stderr = "null" }, "sh", "-c", "echo through; echo lost >&2"):status())
    `);
    expect(end).toMatchObject({
      code: 0,
      err: "",
      // What goes through does not wait for what Lua has not flushed yet.
      out: "through\n/usr\na b 7\nsome text\nerr\nnil\t0\nONLY=this\n\nnil\n0\n",
    });
  });

  ours("user and group", async ({ lua }) => {
    if (!isRoot) return;
    const end = await lua.run(
      `io.write(init.exec({ "sh", "-c", "id -un; id -gn; echo $HOME", user = "nobody" }):stdout())
      print(pcall(init.exec, { "true", user = "no such user" }))`,
    );
    expect(end.out).toBe(
      'nobody\nnogroup\n/nonexistent\nfalse\tuser "no such user" not found in /etc/passwd\n',
    );
  });

  ours("what is no option is an error", async ({ lua }) => {
    const end = await lua.run(`
      for _, given in ipairs { { "true", cmd = 1 }, { "true", cwd = {} }, { "true", stdout = "file" },
          { "true", env = { ["A=B"] = "x" } }, { "true", env = { A = {} } }, { "true", limit = -1 } } do
        print(select(2, pcall(init.exec, given)))
      end
      print(pcall(init.exec, { "true", cwd = "/no/such" }))
    `);
    expect(end.out.split("\n").slice(0, -1)).toEqual([
      'init.exec has no option "cmd": there are cwd, env, clear_env, user, group, stdin, input, stdout, stderr, limit',
      "init.exec: cwd has to be a string, not a table",
      'init.exec: stdout cannot be "file"',
      'init.exec: "A=B" cannot be the name of a variable',
      "init.exec: the variable A has to be a string, not a table",
      "init.exec: limit has to be a number of bytes",
      'false\tcannot enter the folder "/no/such": No such file or directory',
    ]);
  });
});

describe("child:wait", () => {
  ours("for so long, and how it ended", async ({ lua }) => {
    const end = await lua.run(`
      local child = init.exec("sleep", 99)
      print(child:wait(0.02))
      print(child.wait(0))
      init.every(0.02, function() child:kill() end)
      print(child:wait())
      print(child:wait(5))
      print(init.exec("sh", "-c", "exit 9"):wait(60))
    `);
    expect(end).toMatchObject({
      code: 0,
      out: "nil\ttimeout\nnil\ttimeout\n9\tsignal\n9\tsignal\n9\texit\n",
    });
  });

  ours("ten thousand waits that time did not end leave nothing behind", async ({ lua }) => {
    const end = await lua.run(`
      local child = init.exec("sleep", 99)
      for i = 1, 10000 do child:wait(0) end
      child:kill()
      for i = 1, 10000 do assert(child:wait(3600) == 9) end
      collectgarbage() collectgarbage()
      print(collectgarbage("count") < 1000)
    `);
    expect(end).toMatchObject({ code: 0, out: "true\n", err: "" });
  });
});

describe("child:lines", () => {
  ours("lines as they come, and the rest at the end", async ({ lua }) => {
    const end = await lua.run(`
      os.execute("mkfifo gate")
      local child = init.exec("sh", "-c", "echo one; echo; read line < gate; echo err >&2; printf 'two\\\\nrest'")
      local lines = child:lines()
      print(lines())
      print("[" .. lines() .. "]")
      io.open("gate", "w"):write("go\\n"):close()
      for line in lines do print(line) end
      for line in child:lines("stderr") do print(line) end
      print(pcall(child.stdout))
      print(pcall(child.lines, child, "stdin"))
    `);
    expect(end).toMatchObject({
      code: 0,
      out: 'one\n[]\ntwo\nrest\nerr\nfalse\tstream already consumed\nfalse\tchild:lines: there are stdout and stderr, not "stdin"\n',
    });
  });
});

describe("init.on", () => {
  ours("a signal is the script's own, until it is given back", async ({ lua }) => {
    const running = lua.start(
      `init.on(init.signal.SIGTERM, function(number)
        init.sleep(0.01)
        print("got", number) io.flush()
        init.on("15", nil)
      end)
      init.exec("imp", "on", "TERM", "marks", "mark", "up", "marks", "pause")
      init.sleep(99)`,
      { as: "bare" },
    );
    await lua.box.wordsOf("marks", 1);
    running.child.kill("SIGTERM");
    await lua.says(running, "got\t15");
    expect(lua.box.words("marks")).toEqual(["up"]);
    await until("TERM at the child", () => {
      running.child.kill("SIGTERM");
      return lua.box.words("marks").includes("TERM");
    });
  });

  ours("of handlers that wait there are only so many, and none too few", async ({ lua }) => {
    const end = await lua.run(`
      local begun, over = 0, false
      init.on(init.signal.SIGUSR1, function()
        begun = begun + 1
        while not over do init.sleep(0.001) end
      end)
      for _ = 1, 500 do
        init.kill(init.pid(), init.signal.SIGUSR1)
        init.sleep(0.001)
      end
      io.write(begun, " ")
      over = true
      while begun < 17 do init.sleep(0.001) end
      print(begun)
    `);
    expect(end).toMatchObject({ code: 0, out: "16 17\n", err: "" });
  });

  ours("errors of it are told, and what cannot be handled is one", async ({ lua }) => {
    const end = await lua.run(`
      init.on(init.signal.SIGUSR1, function() error("oops", 0) end)
      init.kill(init.pid(), init.signal.SIGUSR1)
      init.sleep(0.2)
      print(pcall(init.on, 9, print))
      print(pcall(init.on, init.signal.SIGCHLD, print))
      print((select(2, pcall(init.on, 15, 1))))
    `);
    expect(end.err).toMatch(/^error in 'init.on' handler: runtime error: oops\nstack traceback:/);
    expect(end.out).toBe(
      "false\tinit.on: signal 9 cannot be handled\nfalse\tinit.on: signal 17 cannot be handled\nbad argument #2: error converting Lua integer to function\n",
    );
  });
});

describe("init.stop", () => {
  ours("on TERM, as a container's program would have it", async ({ lua }) => {
    const running = lua.init(
      `init.on(init.signal.SIGTERM, function()
        init.stop(20)
        os.exit(0)
      end)
      for i = 1, 3 do init.exec("imp", "leave", "TERM", "marks", 20, 0, "mark", "up", "marks", "pause") end
      init.sleep(99)`,
    );
    await lua.box.wordsOf("marks", 3);
    const one = childrenOf(running.pid)[0];
    process.kill(one?.pid ?? 0, "SIGTERM");
    expect(await running.outcome()).toMatchObject({ code: 0 });
    expect(lua.box.words("marks").filter((word) => word === "done")).toHaveLength(3);
  });

  ours("ends the whole tree, what has left it included, with TERM", async ({ lua }) => {
    const running = lua.start(
      `init.exec("imp", "orphan", "{", "setsid", "leave", "TERM", "marks", 0, 0, "mark", "up", "marks", "pause", "}", "exit", 0)
      child = init.exec("imp", "leave", "TERM", "marks", 0, 3, "mark", "up", "marks", "pause")
      while true do
        local file = io.open("marks")
        local text = file and file:read("*a") or ""
        if file then file:close() end
        if select(2, text:gsub("up", "")) == 2 then break end
        init.sleep(0.01)
      end
      local clean, processes = init.stop(30)
      print(clean, #processes, processes[1].killed, child:status(), child:wait())
      print((init.stop(30)))
      io.flush() init.sleep(99)`,
    );
    await lua.says(running, "true\n");
    expect(running.out).toBe("true\t2\tfalse\t3\t3\texit\ntrue\n");
    expect(lua.box.words("marks").filter((word) => word === "done")).toHaveLength(2);
    const shell = childrenOf(running.pid)[0];
    const own = childrenOf(shell?.pid ?? 0)[0];
    expect(childrenOf(own?.pid ?? 0)).toEqual([]);
  });

  ours("who does not go gets KILL, and is named", async ({ lua }) => {
    const end = await lua.runWith(
      { as: "child" },
      `local child = init.exec("imp", "ignore", "TERM", "say", "up", "pause")
      child:lines()()
      local clean, processes = init.stop(0.05)
      print(clean, #processes, processes[1].command, processes[1].killed, processes[1].signal, child:status())`,
    );
    expect(end.out).toBe("false\t1\timp ignore TERM say up pause\ttrue\t9\t9\n");
  });
});
