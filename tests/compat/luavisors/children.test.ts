/** Children: how they are started, what they inherit, what they write, how they end. */
import { describe } from "vitest";
import { oneup } from "../../e2e/harness/paths.ts";
import { descendantsOf } from "../../e2e/harness/proc.ts";
import { expect, isRoot, ours, test, until } from "./harness.ts";

describe("the command", () => {
  test("arguments become words", async ({ lua }) => {
    const end = await lua.run(`
      io.write(init.exec("printf", "%s|", 1, 1.5, 2.5, 1e20, 2 ^ 53, -0.0, 0 / 0, 1 / 0, nil, true, "a b", "",
        { 1, "x", 2.5, nil, "behind a hole" }, { key = "ignored", "y" }, {}, 12LL, 0.1, "*", "$HOME"):stdout())
    `);
    expect(end.out).toBe(
      "1|1.5|2.5|100000000000000000000|9007199254740992|-0|NaN|inf|nil|true|a b||1|x|2.5|y|12LL|0.1|*|$HOME|",
    );
  });

  test("what cannot be started is an error", async ({ lua }) => {
    lua.box.write("plain", "no program", 0o644);
    const end = await lua.run(`
      for _, name in ipairs { "no-such-program", "./nothing", "", "/tmp", "./plain" } do
        print((tostring(select(2, pcall(init.exec, name))):match("^[^\\n]*")))
      end
    `);
    const [missing, forbidden] = [
      "No such file or directory (os error 2)",
      "Permission denied (os error 13)",
    ];
    expect(end.out.split("\n").slice(0, -1)).toEqual([missing, missing, missing, forbidden, forbidden]);
  });

  test("PATH as it is now is searched; what has a slash counts from the working directory", async ({
    lua,
  }) => {
    lua.box.write("tools/greet", "#!/bin/sh\necho $0", 0o755);
    const end = await lua.run(`
      local ffi = require("ffi")
      ffi.cdef "int setenv(const char *, const char *, int); int chdir(const char *);"
      ffi.C.setenv("PATH", "/nowhere:tools", 1)
      io.write(init.exec("greet"):stdout())
      ffi.C.chdir("tools")
      io.write(init.exec("./greet"):stdout())
    `);
    expect(end).toMatchObject({ code: 0, out: "tools/greet\n./greet\n" });
  });

  test("group, session, umask, environment and input are inherited, signals as they were", async ({
    lua,
  }) => {
    // Ignored around it stays ignored, as with nohup; but for PIPE, which the program ignores itself.
    const running = lua.start(
      `local ffi = require("ffi")
      ffi.cdef "int umask(int); int getpgrp(void); int getsid(int); int setenv(const char *, const char *, int);"
      ffi.C.umask(27)
      ffi.C.setenv("MADE", "here", 1)
      init.exec("imp", "state", "state.json"):status()
      io.write(init.exec("sh", "-c", "cat; echo $MADE"):stdout(), ffi.C.getpgrp(), " ", ffi.C.getsid(0))`,
      { input: "from outside\n", prelude: "trap '' PIPE HUP USR1" },
    );
    const { out } = await running.outcome();
    const state = await lua.box.inherited("state.json");
    expect(state).toMatchObject({ ignored: ["HUP", "USR1"], blocked: [], umask: 27, cwd: lua.box.folder });
    expect(out).toBe(`from outside\nhere\n${state.pgid} ${state.sid}`);
  });
});

describe("the child", () => {
  test("five functions, which need no self", async ({ lua }) => {
    const end = await lua.run(`
      local child = init.exec("sh", "-c", "echo out; echo err >&2; exit 7")
      for _, name in ipairs { "pid", "status", "stdout", "stderr", "kill" } do io.write(type(child[name]), " ") end
      print(child.pid() == child:pid(), child.status(), child:status(), getmetatable(child))
      io.write(child.stdout(), child:stderr())
    `);
    expect(end.out).toBe("function function function function function true\t7\t7\tnil\nout\nerr\n");
  });

  test("status is the code, or the number of the signal", async ({ lua }) => {
    const end = await lua.run(`
      for _, script in ipairs { "exit 0", "exit 255", "kill -15 $$", "kill -9 $$" } do
        io.write(init.exec("sh", "-c", script):status(), " ")
      end
    `);
    expect(end.out).toBe("0 255 15 9 ");
  });

  test("kill is KILL, and 9 whenever", async ({ lua }) => {
    const end = await lua.run(`
      local child = init.exec("sh", "-c", "trap '' TERM; sleep 99")
      print(child:kill(), child:status(), child:kill(), child:pid() > 1)
    `);
    expect(end.out).toBe("9\t9\t9\ttrue\n");
  });

  test("output is any bytes, nil if there is none, and given out once", async ({ lua }) => {
    const end = await lua.run(`
      local child = init.exec("printf", "a\\\\0b\\\\377")
      print(#child:stdout(), child:stderr(), (tostring(select(2, pcall(child.stdout))):match("^[^\\n]*")))
      print((tostring(select(2, pcall(child.stderr))):match("^[^\\n]*")))
    `);
    expect(end.out).toBe("4\tnil\tstream already consumed\nstream already consumed\n");
  });

  test("megabytes are collected while nobody asks", async ({ lua }) => {
    const end = await lua.run(`
      local child = init.exec("sh", "-c", "head -c 3000000 /dev/zero; head -c 2000000 /dev/zero >&2; echo end >&2")
      print(child:status())
      print(#child:stdout(), #child:stderr())
    `);
    expect(end.out).toBe("0\n3000000\t2000004\n");
  });

  test("stdout waits for everybody who has the pipe, status does not", async ({ lua }) => {
    const end = await lua.run(`
      os.execute("mkfifo gate")
      local child = init.exec("sh", "-c", "(read line < gate; echo late) & echo early")
      print(child:status())
      io.open("gate", "w"):write("now\\n"):close()
      io.write(child:stdout())
    `);
    expect(end.out).toBe("0\nearly\nlate\n");
  });

  test("one that only its waiter knows is not forgotten", async ({ lua }) => {
    const end = await lua.run(`
      local ends = 0
      init.every(0.01, function() collectgarbage() end)
      for _, wait in ipairs { "status", "stdout", "stderr" } do
        init.every(0.01, function() init.exec("sleep", 0.05)[wait]() ends = ends + 1 end)
      end
      for i = 1, 5 do init.exec("sleep", 0.05):status() end
      while ends < 10 do init.sleep(0.01) end
    `);
    expect(end).toMatchObject({ code: 0, err: "" });
  });

  test("many at once", async ({ lua }) => {
    const end = await lua.run(`
      local all = {}
      for i = 1, 100 do all[i] = init.exec("sh", "-c", "echo " .. i .. "; exit " .. i) end
      for i = 1, 100 do assert(all[i]:status() == i and all[i]:stdout() == i .. "\\n") end
    `);
    expect(end).toMatchObject({ code: 0, err: "" });
  });
});

describe("what was wrong", () => {
  ours("B1: a timer can kill what the main script waits for", async ({ lua }) => {
    const end = await lua.run(`
      local child = init.exec("sleep", 99)
      init.every(0.05, function() if child:pid() > 1 then child:kill() end end)
      print(child:status())
    `);
    expect(end).toMatchObject({ code: 0, out: "9\n" });
  });

  ours("B5: a child that nobody asks about is no zombie", async ({ lua }) => {
    const running = lua.start('child = init.exec("true") print(child:pid()) io.flush() init.sleep(99)');
    await lua.says(running, "\n");
    const left = () =>
      descendantsOf(running.pid).filter((one) => one.comm !== "sh" && one.comm !== "luavisors");
    await until("no trace of the child", () => left().length === 0);
  });

  ours(
    "a chatty child never blocks: more than is kept in memory goes into a file without a name",
    async ({ lua }) => {
      const end = await lua.run(`
      init.limit(10000)
      local child = init.exec("sh", "-c", "seq 1 200000; seq 1 50000 >&2")
      print(child:status())
      for name in io.popen("ls -a " .. os.getenv("TMPDIR")):lines() do assert(not name:find("luavisors"), name) end
      local text = child:stdout()
      print(#text, text:sub(1, 4) == "1\\n2\\n", text:sub(-7))
      local count = 0
      for line in child:lines("stderr") do
        count = count + 1
        assert(line == tostring(count))
      end
      print(count)
    `);
      expect(end).toMatchObject({ code: 0, err: "", out: "0\n1288895\ttrue\t200000\n\n50000\n" });
    },
  );

  ours(
    "where there is no place the child goes on, and asking for its output is a clear error",
    async ({ lua }) => {
      if (!isRoot) return;
      const script = `
      local init = require("init")
      init.limit(10000)
      local child = init.exec("sh", "-c", "seq 1 200000; exit 3")
      print(child:status())
      print(pcall(child.stdout))
      local lines = init.exec("seq", 1, 200000):lines()
      print(pcall(function() for line in lines do last = line end end))
      print(tonumber(last) > 1000)`;
      const full = (path: string) => `mount -t tmpfs -o ro tmpfs ${path}`;
      const end = await lua.box.run([oneup(), "as", "luavisors", script], {
        as: "child",
        cwd: "/",
        env: { TMPDIR: "/nowhere" },
        prelude: `${full("/tmp")}; ${full("/var/tmp")}`,
      });
      const [status, whole, lines, some] = end.out.split("\n");
      expect([status, some, end.err]).toEqual(["3", "true", ""]);
      for (const text of [whole, lines]) {
        expect(text).toMatch(/^false\t.* the 10000 bytes that are kept in memory, .*Read-only file system/);
      }
    },
  );

  ours("output that somebody has cut off where it lies is an error, too", async ({ lua }) => {
    lua.box.write(
      "cut.sh",
      `head -c 100000 /dev/zero
      exec > /dev/null
      for file in /proc/$PPID/fd/*; do
        case "$(readlink $file)" in "$TMPDIR"/*deleted*) : > $file; echo cut >&2 ;; esac
      done`,
    );
    const end = await lua.run(`
      local ffi = require("ffi")
      ffi.cdef "int setenv(const char *, const char *, int);"
      ffi.C.setenv("TMPDIR", "${lua.box.folder}", 1)
      init.limit(1000)
      for _, read in ipairs { function(child) return child:stdout() end, function(child) return child:lines()() end } do
        local child = init.exec("sh", "cut.sh")
        assert(child:status() == 0)
        io.write(child:stderr())
        print(pcall(read, child))
      end
    `);
    expect(end).toMatchObject({ code: 0, err: "" });
    const lost =
      /^cut\nfalse\tits output cannot be read back: .*\ncut\nfalse\tits output cannot be read back: .*\n$/;
    expect(end.out).toMatch(lost);
  });

  ours("where address space is rationed the limit is not reached, and that ends nothing", async ({ lua }) => {
    const end = await lua.runWith(
      { prelude: "ulimit -v 250000" },
      `init.limit(math.huge)
      local child = init.exec("head", "-c", 400000000, "/dev/zero")
      print(child:status())
      print((pcall(child.stdout)))
      print(init.exec("echo", "on"):stdout())`,
    );
    expect(end).toMatchObject({ code: 0, err: "", out: "0\nfalse\non\n\n" });
  });

  ours("what nobody can ask for any more is not kept", async ({ lua }) => {
    const end = await lua.run(`
      local function megabytes()
        for line in io.lines("/proc/self/status") do
          local kilobytes = line:match("^VmHWM:%s*(%d+)")
          if kilobytes then return kilobytes / 1024 end
        end
      end
      for i = 1, 25 do init.exec("head", "-c", 20000000, "/dev/zero"):status() end
      print(megabytes() < 200 or megabytes())
      init.limit(100)
      for i = 1, 200 do init.exec("head", "-c", 200, "/dev/zero"):status() end
      local files = 0
      for _ in io.popen("ls /proc/" .. init.pid() .. "/fd"):lines() do files = files + 1 end
      print(files < 100 or files)
    `);
    expect(end).toMatchObject({ code: 0, err: "", out: "true\ntrue\n" });
  });

  ours("what other code of the process starts and waits for is left to it", async ({ lua }) => {
    const end = await lua.run(`
      local ffi = require("ffi")
      ffi.cdef "int fork(void); int waitpid(int, int *, int); void _exit(int);"
      local busy = {}
      for i = 1, 20 do busy[i] = init.exec("sh", "-c", "exit " .. i) end
      assert(select(3, os.execute("exit 3")) == 3)
      local pipe = io.popen("echo piped; exit 4")
      assert(pipe:read("*a") == "piped\\n" and select(3, pipe:close()) == 4)
      local pid = ffi.C.fork()
      if pid == 0 then ffi.C._exit(7) end
      local status = ffi.new("int[1]")
      assert(ffi.C.waitpid(pid, status, 0) == pid and bit.rshift(status[0], 8) == 7)
      for i = 1, 20 do assert(busy[i]:status() == i) end
      print(select(2, pcall(function()
        local stolen = init.exec("sleep", 99)
        stolen:kill()
        ffi.C.waitpid(stolen:pid(), status, 0)
        return stolen:status()
      end)))
    `);
    expect(end.err).toBe("");
    expect(end.out).toMatch(/^(9|somebody else has waited for this child, .*)\n$/);
  });

  ours("what os.execute starts has no signal blocked or ignored", async ({ lua }) => {
    const end = await lua.runWith(
      { as: "init" },
      'os.execute("grep -E \\"^Sig(Blk|Ign)\\" /proc/self/status")',
    );
    // The two that the C library has for itself may come from around us.
    const masks = end.out.match(/[0-9a-f]{16}/g)?.map((mask) => BigInt(`0x${mask}`) & 0x7fffffffn);
    expect(masks).toEqual([0n, 0n]);
  });
});
