/** C by its names: in the static executable, where the system can look up none. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe } from "vitest";
import { root } from "../../e2e/harness/paths.ts";
import { expect, ours, test } from "./harness.ts";

test("what scripts commonly call", async ({ lua }) => {
  const end = await lua.run(`
    local ffi = require("ffi")
    ffi.cdef [[
      int getpid(void); int getppid(void); size_t strlen(const char *); char *getenv(const char *);
      int setenv(const char *, const char *, int);
      int snprintf(char *, size_t, const char *, ...); int access(const char *, int);
      int open(const char *, int, ...); int close(int); long read(int, void *, size_t); int kill(int, int);
      void qsort(void *, size_t, size_t, int (*)(const int *, const int *));
      struct timeval { long sec, usec; }; int gettimeofday(struct timeval *, void *);
      double cos(double); double pow(double, double); char *strerror(int);
      typedef struct FILE FILE; extern FILE *stdout; int fputs(const char *, FILE *); int fflush(FILE *);
      extern char **environ; int unlink(const char *);
    ]]
    local C = ffi.C
    assert(C.getpid() == init.pid() and C.getppid() > 0)
    assert(C.strlen("four") == 4 and ffi.string(C.getenv("HOME")) == os.getenv("HOME"))
    assert(C.setenv("SET_BY", "ffi", 1) == 0 and os.getenv("SET_BY") == "ffi")
    local buffer = ffi.new("char[64]")
    assert(C.snprintf(buffer, 64, "%d %s %.2f", ffi.new("int", 7), "x", 1.5) == 8 and ffi.string(buffer) == "7 x 1.50")
    local fd = C.open("/dev/zero", 0)
    assert(fd > 2 and C.read(fd, buffer, 64) == 64 and buffer[63] == 0 and C.close(fd) == 0)
    assert(C.access("/no/such", 0) == -1 and ffi.errno() == 2 and ffi.string(C.strerror(2)) == "No such file or directory")
    local numbers = ffi.new("int[4]", 4, 2, 3, 1)
    C.qsort(numbers, 4, 4, function(a, b) return a[0] - b[0] end)
    assert(numbers[0] == 1 and numbers[3] == 4)
    local time = ffi.new("struct timeval")
    assert(C.gettimeofday(time, nil) == 0 and math.abs(tonumber(time.sec) - os.time()) <= 1)
    assert(C.cos(0) == 1 and C.pow(2, 10) == 1024)
    assert(C.environ[0] ~= nil)
    C.fputs("written by C\\n", C.stdout)
    C.fflush(C.stdout)
    assert(C.kill(C.getpid(), 0) == 0)
  `);
  expect(end).toMatchObject({ code: 0, out: "written by C\n", err: "" });
});

test("the C library's parts are found by their usual names", async ({ lua }) => {
  const end = await lua.run(`
    local ffi = require("ffi")
    ffi.cdef "double sin(double); int getpid(void); unsigned long pthread_self(void);"
    for _, name in ipairs { "m", "libm.so.6" } do assert(ffi.load(name).sin(0) == 0) end
    assert(ffi.load("libc.so.6").getpid() == init.pid())
    assert(ffi.load("libpthread.so.0").pthread_self() ~= 0)
    ffi.load("librt.so.1") ffi.load("libdl.so.2") ffi.load("libm.so.6", true)
  `);
  expect(end).toMatchObject({ code: 0, err: "" });
});

ours(
  "a fork is a process of its own: its signals are not the script's, its starts are errors",
  async ({ lua }) => {
    const end = await lua.run(`
    local ffi = require("ffi")
    ffi.cdef "int fork(void); int pause(void); int kill(int, int); int waitpid(int, int *, int);"
    local status = ffi.new("int[1]")
    local copy = ffi.C.fork()
    if copy == 0 then while true do ffi.C.pause() end end
    ffi.C.kill(copy, 15)
    print(ffi.C.waitpid(copy, status, 0) == copy, status[0])
    io.flush()
    copy = ffi.C.fork()
    if copy == 0 then
      print(pcall(init.exec, "true"))
      print(pcall(init.stop))
      os.exit(7)
    end
    print(ffi.C.waitpid(copy, status, 0) == copy, status[0] / 256)
  `);
    expect(end).toMatchObject({
      code: 0,
      out: [
        "true\t15",
        "false\tnobody starts processes any more",
        "false\tnobody ends processes any more",
        "true\t7",
        "",
      ].join("\n"),
    });
  },
);

ours("who closes descriptors of others is told, and that is the end", async ({ lua }) => {
  const end = await lua.run(`
    local ffi = require("ffi")
    ffi.cdef "int close(int);"
    for fd = 3, 255 do ffi.C.close(fd) end
    -- Something happens, at the latest with the end of this one.
    os.execute("true")
    init.exec("true")
    init.sleep(99)
  `);
  expect(end).toMatchObject({ code: 1, out: "" });
  expect(end.err).toMatch(/^luavisors: the script has closed descriptors that are not its own .*\n$/);
});

test("errors name what is missing", async ({ lua }) => {
  const end = await lua.run(`
    local ffi = require("ffi")
    ffi.cdef "int there_is_no_such_function(void);"
    print(pcall(function() return ffi.C.there_is_no_such_function end))
    print(pcall(ffi.load, "no-such-library"))
  `);
  const [symbol, library] = end.out.split("\n");
  expect(symbol).toMatch(/^false\t.*undefined symbol: there_is_no_such_function/);
  expect(library).toMatch(/^false\t.*libno-such-library\.so/);
});

describe("in the static executable", () => {
  ours("every name of the list is there", async ({ lua }) => {
    const list = readFileSync(join(root, "host/src/lua/symbols.txt"), "utf8");
    const names = list
      .split("\n")
      .filter((line) => !line.startsWith("#"))
      .flatMap((line) => line.split(/\s+/))
      .filter((name) => name !== "");
    const more = ["dlopen", "dlsym", "getpwnam", "getpwuid", "getgrnam", "getgrgid"];
    lua.box.write("names", [...names, ...more].join("\n"));
    const end = await lua.run(`
      local ffi, missing, count = require("ffi"), {}, 0
      for name in io.lines("names") do
        ffi.cdef("void " .. name .. "(void);")
        local ok, address = pcall(function() return ffi.C[name] end)
        if not ok or address == nil then table.insert(missing, name) end
        count = count + 1
      end
      print(count, table.concat(missing, " "))
    `);
    expect(end).toMatchObject({ code: 0, err: "", out: `${names.length + more.length}\t\n` });
    expect(names.length).toBeGreaterThan(900);
  });

  ours("errors say where there is more", async ({ lua }) => {
    const end = await lua.run(`
      local ffi = require("ffi")
      print(pcall(ffi.load, "z"))
      ffi.cdef "int crc32(void);"
      print(pcall(function() return ffi.C.crc32 end))
      io.open("native.so", "w"):close()
      print(pcall(require, "native"))
    `);
    const lines = end.out.split("\n").filter((line) => line.includes("npm run build:dynamic"));
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatch(/^false\tcannot load libz\.so: this oneup is linked statically/);
  });

  ours("users and groups are looked up in their files", async ({ lua }) => {
    const end = await lua.run(`
      local ffi = require("ffi")
      ffi.cdef [[
        struct passwd { char *name, *password; unsigned uid, gid; char *comment, *home, *shell; };
        struct group { char *name, *password; unsigned gid; char **members; };
        struct passwd *getpwnam(const char *); struct passwd *getpwuid(unsigned);
        struct group *getgrnam(const char *); struct group *getgrgid(unsigned);
      ]]
      local C = ffi.C
      assert(C.getpwnam("root").uid == 0 and ffi.string(C.getpwuid(0).home) == "/root")
      assert(C.getgrnam("root").gid == 0 and ffi.string(C.getgrgid(0).name) == "root")
      assert(C.getpwnam("nobody at all") == nil and C.getpwuid(987654) == nil and C.getgrnam("x y") == nil)
    `);
    expect(end).toMatchObject({ code: 0, err: "" });
  });

  ours("threads and signal handlers of C work beside the script", async ({ lua }) => {
    const end = await lua.run(`
      local ffi = require("ffi")
      ffi.cdef [[
        int pipe(int *); long write(int, const void *, size_t); long read(int, void *, size_t);
        int sem_init(void *, int, unsigned); int sem_post(void *); int sem_wait(void *);
        int getgroups(int, unsigned *); int prctl(int, ...); int unshare(int);
      ]]
      local ends, byte = ffi.new("int[2]"), ffi.new("char[1]")
      assert(ffi.C.pipe(ends) == 0 and ffi.C.write(ends[1], "x", 1) == 1 and ffi.C.read(ends[0], byte, 1) == 1)
      local semaphore = ffi.new("char[64]")
      assert(ffi.C.sem_init(semaphore, 0, 0) == 0 and ffi.C.sem_post(semaphore) == 0 and ffi.C.sem_wait(semaphore) == 0)
      assert(byte[0] == string.byte("x"))
    `);
    expect(end).toMatchObject({ code: 0, err: "" });
  });
});

/** `npm run build:dynamic` makes it; without it these are left out. */
const dynamic = resolve(root, process.env.ONEUP_DYNAMIC_BIN ?? "dist/oneup-dynamic");

describe.skipIf(!existsSync(dynamic))("in the dynamically linked build", () => {
  ours("other libraries and every function of C are found", async ({ lua }) => {
    const script = `
      local ffi = require("ffi")
      ffi.cdef "int getpid(void); double cos(double); int getaddrinfo(void); int strxfrm(char *, const char *, size_t); char *zlibVersion(void);"
      assert(ffi.C.getpid() == require("init").pid() and ffi.C.cos(0) == 1 and ffi.C.getaddrinfo and ffi.C.strxfrm)
      local ok, z = pcall(ffi.load, "libz.so.1")
      assert(not ok or ffi.string(z.zlibVersion()):match("^1"))
      print(pcall(ffi.load, "no-such-library"))
      print(require("init").exec("echo", "child"):stdout())`;
    const end = await lua.box.run([dynamic, "as", "luavisors", script]);
    expect(end).toMatchObject({ code: 0, err: "" });
    expect(end.out).toMatch(/^false\tlibno-such-library\.so: cannot open shared object file: .*\nchild\n/);
  });

  ours("a module that is written in C", async ({ lua }) => {
    lua.box.write(
      "native.c",
      `typedef struct lua_State lua_State;
      void lua_pushinteger(lua_State *, long);
      int luaopen_native(lua_State *state) { lua_pushinteger(state, 42); return 1; }`,
    );
    execFileSync("cc", ["-shared", "-fPIC", "-o", "native.so", "native.c"], { cwd: lua.box.folder });
    const end = await lua.box.run([dynamic, "as", "luavisors", 'print(require("native"))']);
    expect(end).toMatchObject({ code: 0, out: "42\n", err: "" });
  });
});
