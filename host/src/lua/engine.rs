//! LuaJIT with the functions that the prelude needs of this process. They only touch the kernel or
//! move bytes, and return their failures: what is raised as an error, and how, the prelude decides.

use super::{Own, Script};
use crate::{
    nucleus::{
        gather::{self, Gathered, Line, Wanted, Whole},
        monotonic_ms,
        nursery::{Desk, Input, News, Sink, Start, Stream},
        signals,
    },
    protocol::{Exit, Receipt, ReceiptProcess, SpawnFailure, SpawnSpec},
};
use mlua_sys as lua;
use mlua_sys::lua_State;
use nix::{errno::Errno, libc, sys::signal::Signal};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    ffi::{c_int, CStr},
    io::{self, Write},
    ptr, slice,
    sync::Arc,
    time::Duration,
};

const PRELUDE: &[u8] = include_bytes!("prelude.lua");

/// Longer ones LuaJIT cannot make.
const STRING_MAX: usize = 0x7fff_ff00;
/// What children have written is freed with their handles, and Lua thinks those small: with so many
/// bytes more than twice what was left the last time, it looks which are not needed any more.
const GARBAGE_MIN: usize = 32 << 20;
/// Of a wait: some thirty years.
const WAIT_MAX_S: f64 = 1e9;

/// How a script ended, if it did not end the process itself.
pub enum Ended {
    Well,
    Badly(Vec<u8>),
}

/// What the functions know; it lives as long as the process.
struct Engine {
    desk: Desk,
    own: Own,
    /// Below this address no further coroutine is resumed.
    floor: usize,
    /// What streams held when Lua last looked which handles are needed.
    kept: Cell<usize>,
}

/// What Lua holds of a child.
struct Handle {
    output: [Option<Arc<Gathered>>; 2],
    /// What is being made a string of. Here, as it is then not lost to an error of memory, and no
    /// finalizer that Lua runs meanwhile can put something else in its place.
    moving: [RefCell<Option<Whole>>; 2],
}

const HANDLE: &CStr = c"oneup.child";

/// Runs a script in a fresh engine on this thread, whose stack is `stack` bytes.
pub fn run(
    desk: Desk,
    own: Own,
    script: &Script,
    (source, chunk): (&[u8], &[u8]),
    stack: usize,
) -> Ended {
    let engine = Box::leak(Box::new(Engine {
        desk,
        own,
        floor: here().saturating_sub(stack / 4),
        kept: Cell::new(0),
    }));
    // SAFETY: a state of our own, used on this thread only; every index is of a value pushed here.
    unsafe {
        let state = lua::luaL_newstate();
        if state.is_null() {
            return Ended::Badly(b"no memory for Lua".to_vec());
        }
        lua::luaL_openlibs(state);
        set_arguments(state, script);
        if let Err(message) = load(state, source, chunk) {
            return Ended::Badly([b"syntax error: ", message.as_slice()].concat());
        }
        if let Err(message) = load(state, PRELUDE, b"=init") {
            return Ended::Badly(message);
        }
        push_host(state, engine);
        // [main, prelude, host] → [main, run] → [run, main] → [result]
        if lua::lua_pcall(state, 1, 1, 0) == lua::LUA_OK {
            lua::lua_insert(state, -2);
            if lua::lua_pcall(state, 1, 1, 0) == lua::LUA_OK && lua::lua_isnil(state, -1) != 0 {
                return Ended::Well;
            }
        }
        Ended::Badly(bytes(state, -1).unwrap_or_default().to_vec())
    }
}

/// The global `arg`: every word, the script at 0.
unsafe fn set_arguments(state: *mut lua_State, script: &Script) {
    lua::lua_createtable(state, c_int::try_from(script.after.len()).unwrap_or(0), 2);
    let before = script.before.iter().rev().zip((1..).map(|n: i64| -n));
    let after = script.after.iter().zip(1..);
    for (word, index) in before.chain([(&script.name, 0)]).chain(after) {
        push(state, word);
        lua::lua_rawseti(state, -2, index);
    }
    lua::lua_setglobal(state, c"arg".as_ptr());
}

unsafe fn load(state: *mut lua_State, source: &[u8], chunk: &[u8]) -> Result<(), Vec<u8>> {
    let mut name = chunk.to_vec();
    // It ends at the first null byte, if it has one.
    name.push(0);
    let (start, length) = (source.as_ptr().cast(), source.len());
    match lua::luaL_loadbuffer(state, start, length, name.as_ptr().cast()) {
        lua::LUA_OK => Ok(()),
        _ => Err(bytes(state, -1).unwrap_or_default().to_vec()),
    }
}

type Primitive = unsafe extern "C-unwind" fn(*mut lua_State) -> c_int;

const PRIMITIVES: [(&CStr, Primitive); 14] = [
    (c"now", now),
    (c"poll", poll),
    (c"complain", complain),
    (c"number", number),
    (c"pid", pid),
    (c"kill", kill),
    (c"exec", exec),
    (c"signal", signal),
    (c"want", want),
    (c"take", take),
    (c"line", line),
    (c"handle", handle),
    (c"stop", stop),
    (c"deep", deep),
];

unsafe fn push_host(state: *mut lua_State, engine: &'static Engine) {
    lua::lua_createtable(state, 0, 16);
    for (name, primitive) in PRIMITIVES {
        lua::lua_pushlightuserdata(state, ptr::from_ref(engine).cast_mut().cast());
        lua::lua_pushcclosure(state, primitive, 1);
        lua::lua_setfield(state, -2, name.as_ptr());
    }
    lua::lua_createtable(state, 0, 29);
    let usual =
        Signal::iterator().filter(|signal| !matches!(signal, Signal::SIGPWR | Signal::SIGSTKFLT));
    for signal in usual {
        push(state, signal.as_str().as_bytes());
        lua::lua_pushinteger(state, i64::from(signal as i32));
        lua::lua_rawset(state, -3);
    }
    lua::lua_setfield(state, -2, c"signals".as_ptr());
    lua::luaL_newmetatable(state, HANDLE.as_ptr());
    lua::lua_pushcclosure(state, drop_handle, 0);
    lua::lua_setfield(state, -2, c"__gc".as_ptr());
    lua::lua_settop(state, -2);
}

unsafe fn engine<'a>(state: *mut lua_State) -> &'a Engine {
    &*lua::lua_touserdata(state, lua::lua_upvalueindex(1)).cast::<Engine>()
}

unsafe fn push(state: *mut lua_State, bytes: &[u8]) {
    lua::lua_pushlstring(state, bytes.as_ptr().cast(), bytes.len());
}

/// A string at this index. It lives as long as it is on the stack.
unsafe fn bytes<'a>(state: *mut lua_State, index: c_int) -> Option<&'a [u8]> {
    let mut length = 0;
    let start = lua::lua_tolstring(state, index, &mut length);
    (!start.is_null()).then(|| slice::from_raw_parts(start.cast(), length))
}

unsafe fn push_text(state: *mut lua_State, text: &str) {
    push(state, text.as_bytes());
}

/// Where this thread's stack ends at this moment.
#[inline(never)]
fn here() -> usize {
    let place = 0u8;
    ptr::from_ref(std::hint::black_box(&place)) as usize
}

/// Whether there are too many functions in each other for one more coroutine. What Lua itself lets
/// one coroutine have of this stack, by `string.gsub` in `string.gsub`, is three quarters of it.
unsafe extern "C-unwind" fn deep(state: *mut lua_State) -> c_int {
    lua::lua_pushboolean(state, (here() < engine(state).floor).into());
    1
}

// --- time and news

/// Seconds, of a clock that only goes forward.
unsafe extern "C-unwind" fn now(state: *mut lua_State) -> c_int {
    lua::lua_pushnumber(state, monotonic_ms() / 1000.0);
    1
}

/// Waits for news for so many seconds, or for ever: its kind, and what belongs to it.
unsafe extern "C-unwind" fn poll(state: *mut lua_State) -> c_int {
    let within = (lua::lua_isnoneornil(state, 1) == 0).then(|| {
        let seconds = lua::lua_tonumber(state, 1);
        // What is no number is not above zero.
        let seconds = if seconds > 0.0 {
            seconds.min(WAIT_MAX_S)
        } else {
            0.0
        };
        Duration::from_secs_f64(seconds)
    });
    match engine(state).desk.next(within) {
        None => 0,
        Some(News::Exited { id, exit }) => {
            push_text(state, "exited");
            lua::lua_pushinteger(state, i64::from(id));
            push_exit(state, &exit);
            4
        }
        Some(News::Written { id, stream }) => {
            push_text(state, "written");
            lua::lua_pushinteger(state, i64::from(id));
            push_text(state, if stream == Stream::Out { "out" } else { "err" });
            3
        }
        Some(News::Signal { number }) => {
            push_text(state, "signal");
            lua::lua_pushinteger(state, i64::from(number));
            2
        }
        Some(News::Stopped { key, receipts }) => {
            push_text(state, "stopped");
            lua::lua_pushinteger(state, i64::from(key));
            push_report(state, &receipts);
            3
        }
    }
}

/// Code, signal; both nil where nobody can tell.
unsafe fn push_exit(state: *mut lua_State, exit: &Exit) {
    match exit {
        Exit::Code(code) => {
            lua::lua_pushinteger(state, i64::from(*code));
            lua::lua_pushnil(state);
        }
        Exit::Signal(name) => {
            lua::lua_pushnil(state);
            lua::lua_pushinteger(state, signals::number(name).unwrap_or(0).into());
        }
        Exit::Unknown(()) => {
            lua::lua_pushnil(state);
            lua::lua_pushnil(state);
        }
    }
}

/// A list of the processes that were there, with `clean`: all went, and nobody needed KILL.
unsafe fn push_report(state: *mut lua_State, receipts: &[Receipt]) {
    lua::lua_createtable(state, 0, 1);
    let all = receipts.iter().flat_map(|receipt| &receipt.processes);
    let clean =
        receipts.iter().all(|receipt| receipt.empty) && all.clone().all(|process| !process.killed);
    lua::lua_pushboolean(state, clean.into());
    lua::lua_setfield(state, -2, c"clean".as_ptr());
    for (process, index) in all.zip(1..) {
        push_process(state, process);
        lua::lua_rawseti(state, -2, index);
    }
}

unsafe fn push_process(state: *mut lua_State, process: &ReceiptProcess) {
    lua::lua_createtable(state, 0, 6);
    lua::lua_pushinteger(state, i64::from(process.pid));
    lua::lua_setfield(state, -2, c"pid".as_ptr());
    push_text(state, &process.command);
    lua::lua_setfield(state, -2, c"command".as_ptr());
    lua::lua_pushboolean(state, process.killed.into());
    lua::lua_setfield(state, -2, c"killed".as_ptr());
    lua::lua_pushboolean(state, process.left_ms.is_some().into());
    lua::lua_setfield(state, -2, c"gone".as_ptr());
    if let Some(exit) = &process.exit {
        push_exit(state, exit);
        lua::lua_setfield(state, -3, c"signal".as_ptr());
        lua::lua_setfield(state, -2, c"code".as_ptr());
    }
}

/// A line on stderr.
unsafe extern "C-unwind" fn complain(state: *mut lua_State) -> c_int {
    let text = bytes(state, 1).unwrap_or_default();
    let line = [text, b"\n"].concat();
    // Nobody is left to be told.
    let _ = io::stderr().write_all(&line);
    0
}

/// A number as a word of a command.
unsafe extern "C-unwind" fn number(state: *mut lua_State) -> c_int {
    let text = lua::lua_tonumber(state, 1).to_string();
    push_text(state, &text);
    1
}

// --- processes

unsafe extern "C-unwind" fn pid(state: *mut lua_State) -> c_int {
    lua::lua_pushinteger(state, std::process::id().into());
    1
}

/// kill(2); what went wrong.
unsafe extern "C-unwind" fn kill(state: *mut lua_State) -> c_int {
    let argument = |index| lua::lua_tointeger(state, index) as c_int;
    if libc::kill(argument(1), argument(2)) == 0 {
        return 0;
    }
    push_text(state, &io::Error::last_os_error().to_string());
    1
}

/// Words and options → handle, number, pid; or nil and what went wrong.
unsafe extern "C-unwind" fn exec(state: *mut lua_State) -> c_int {
    let engine = engine(state);
    if gather::weight() > 2 * engine.kept.get() + GARBAGE_MIN {
        lua::lua_gc(state, lua::LUA_GCCOLLECT, 0);
        engine.kept.set(gather::weight());
    }
    let words = list(state, 1);
    let is_us = words.first() == Some(&engine.own.name);
    let start = Start {
        spec: spec(state, &words),
        input: input(state),
        output: [
            sink(text_field(state, c"stdout")),
            sink(text_field(state, c"stderr")),
        ],
        limit: number_field(state, c"limit"),
        own: engine.own.path.clone().filter(|_| is_us),
        words,
    };
    match engine.desk.ask(|nursery| nursery.start(start)) {
        Some(Ok(started)) => {
            push_handle(state, started.output);
            lua::lua_pushinteger(state, i64::from(started.id));
            lua::lua_pushinteger(state, i64::from(started.pid));
            3
        }
        Some(Err(failure)) => {
            lua::lua_pushnil(state);
            push_text(state, &explain(&failure));
            2
        }
        None => {
            lua::lua_pushnil(state);
            push_text(state, "nobody starts processes any more");
            2
        }
    }
}

/// As the system says it where the system is all there is to say.
fn explain(failure: &SpawnFailure) -> String {
    let errno = Errno::from_raw(failure.errno);
    match failure.step.as_str() {
        "exec" | "fork" | "stdin" | "stdout" | "stderr" if errno != Errno::EINVAL => {
            io::Error::from_raw_os_error(failure.errno).to_string()
        }
        _ => failure.message.clone(),
    }
}

unsafe fn spec(state: *mut lua_State, words: &[Vec<u8>]) -> SpawnSpec {
    let argv = words
        .iter()
        .map(|word| String::from_utf8_lossy(word).into_owned());
    lua::lua_getfield(state, 2, c"env".as_ptr());
    let mut environment = BTreeMap::new();
    if lua::lua_istable(state, -1) != 0 {
        let mut entries = list(state, lua::lua_gettop(state)).into_iter();
        while let (Some(name), Some(value)) = (entries.next(), entries.next()) {
            let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
            environment.insert(text(name), text(value));
        }
    }
    lua::lua_getfield(state, 2, c"clear_env".as_ptr());
    let clean_environment = lua::lua_toboolean(state, -1) != 0;
    lua::lua_settop(state, 2);
    SpawnSpec {
        argv: argv.collect(),
        environment,
        clean_environment,
        directory: text_field(state, c"cwd"),
        user: text_field(state, c"user"),
        group: text_field(state, c"group"),
        ..SpawnSpec::default()
    }
}

unsafe fn input(state: *mut lua_State) -> Input {
    lua::lua_getfield(state, 2, c"input".as_ptr());
    let text = bytes(state, -1).map(<[u8]>::to_vec);
    lua::lua_settop(state, 2);
    match (text, text_field(state, c"stdin").as_deref()) {
        (Some(text), _) => Input::Text(text),
        (None, Some("null")) => Input::Nothing,
        (None, _) => Input::Own,
    }
}

fn sink(name: Option<String>) -> Sink {
    match name.as_deref() {
        Some("inherit") => Sink::Own,
        Some("null") => Sink::Nothing,
        Some("stdout") => Sink::Same,
        _ => Sink::Gathered,
    }
}

unsafe fn text_field(state: *mut lua_State, name: &CStr) -> Option<String> {
    lua::lua_getfield(state, 2, name.as_ptr());
    let text = bytes(state, -1).map(|text| String::from_utf8_lossy(text).into_owned());
    lua::lua_settop(state, 2);
    text
}

unsafe fn number_field(state: *mut lua_State, name: &CStr) -> usize {
    lua::lua_getfield(state, 2, name.as_ptr());
    let number = lua::lua_tonumber(state, -1);
    lua::lua_settop(state, 2);
    // Whatever is beyond is cut to what there is.
    number as usize
}

/// The strings of a list.
unsafe fn list(state: *mut lua_State, index: c_int) -> Vec<Vec<u8>> {
    let length = i64::try_from(lua::lua_objlen(state, index)).unwrap_or(0);
    let mut all = Vec::new();
    for at in 1..=length {
        lua::lua_rawgeti(state, index, at);
        all.push(bytes(state, -1).unwrap_or_default().to_vec());
        lua::lua_settop(state, -2);
    }
    all
}

/// Number of a child, number of a signal.
unsafe extern "C-unwind" fn signal(state: *mut lua_State) -> c_int {
    let id = lua::lua_tointeger(state, 1) as u32;
    let number = lua::lua_tointeger(state, 2) as i32;
    engine(state)
        .desk
        .ask(move |nursery| nursery.signal(id, number));
    0
}

/// Whether a signal, by its number, is the script's from now on. False: it cannot be.
unsafe extern "C-unwind" fn handle(state: *mut lua_State) -> c_int {
    let number = lua::lua_tointeger(state, 1) as i32;
    let taken = lua::lua_toboolean(state, 2) != 0;
    let done = engine(state)
        .desk
        .ask(move |nursery| nursery.take_signal(number, taken));
    lua::lua_pushboolean(state, (done == Some(true)).into());
    1
}

/// Ends everything with TERM, with KILL after so many seconds; the key of the news of its end, or
/// nil if nobody does that any more.
unsafe extern "C-unwind" fn stop(state: *mut lua_State) -> c_int {
    let timeout_ms = lua::lua_tonumber(state, 1).min(WAIT_MAX_S) * 1000.0;
    let key = engine(state)
        .desk
        .ask(move |nursery| nursery.stop(libc::SIGTERM, timeout_ms));
    match key {
        Some(key) => lua::lua_pushinteger(state, key.into()),
        None => lua::lua_pushnil(state),
    }
    1
}

// --- what children write

unsafe fn push_handle(state: *mut lua_State, output: [Option<Arc<Gathered>>; 2]) {
    let place = lua::lua_newuserdata(state, size_of::<Handle>()).cast::<Handle>();
    let moving = Default::default();
    place.write(Handle { output, moving });
    lua::lua_getfield(state, lua::LUA_REGISTRYINDEX, HANDLE.as_ptr());
    lua::lua_setmetatable(state, -2);
}

unsafe extern "C-unwind" fn drop_handle(state: *mut lua_State) -> c_int {
    let handle = lua::lua_touserdata(state, 1).cast::<Handle>();
    // At most once, as Lua calls it; nobody has the userdata any more.
    ptr::drop_in_place(handle);
    0
}

/// Handle and number of the stream that is named.
unsafe fn named<'a>(state: *mut lua_State) -> (&'a Handle, usize) {
    let handle = &*lua::lua_touserdata(state, 1).cast::<Handle>();
    (handle, usize::from(bytes(state, 2) == Some(b"err")))
}

/// `None`: it is not gathered.
unsafe fn stream<'a>(state: *mut lua_State) -> Option<&'a Gathered> {
    let (handle, index) = named(state);
    handle.output[index].as_deref()
}

/// Whether it is to be waited for: `end` of a stream, or `more` of it.
unsafe extern "C-unwind" fn want(state: *mut lua_State) -> c_int {
    let wanted = match bytes(state, 3) {
        Some(b"more") => Wanted::More,
        _ => Wanted::End,
    };
    let waits = stream(state).is_some_and(|gathered| gathered.want(wanted));
    lua::lua_pushboolean(state, waits.into());
    1
}

/// A whole stream, nil if it is empty; or nil and what went wrong.
unsafe extern "C-unwind" fn take(state: *mut lua_State) -> c_int {
    let Some(gathered) = stream(state) else {
        return 0;
    };
    let (handle, index) = named(state);
    let moving = &handle.moving[index];
    let length = match gathered.take() {
        Ok(whole) => {
            let length = whole.as_ref().len();
            moving.replace(Some(whole));
            length
        }
        Err(reason) => {
            lua::lua_pushnil(state);
            push_text(state, &reason);
            return 2;
        }
    };
    let mut results = 0;
    if length >= STRING_MAX {
        lua::lua_pushnil(state);
        let text = format!(
            "its output of {length} bytes is too long for a string of Lua: read it by child:lines()"
        );
        push_text(state, &text);
        results = 2;
    } else if length > 0 {
        let (start, length) = {
            let moving = moving.borrow();
            let whole = moving.as_ref().map_or(&[][..], AsRef::as_ref);
            (whole.as_ptr(), whole.len())
        };
        lua::lua_pushlstring(state, start.cast(), length);
        results = 1;
    }
    moving.replace(None);
    results
}

/// The next line; or nil and why there is none: `later`, what went wrong, or nothing at the end.
unsafe extern "C-unwind" fn line(state: *mut lua_State) -> c_int {
    match stream(state).map_or(Line::End, Gathered::line) {
        Line::Text(line) => {
            push(state, &line);
            1
        }
        Line::End => 0,
        Line::Later => {
            lua::lua_pushnil(state);
            push_text(state, "later");
            2
        }
        Line::Lost(reason) => {
            lua::lua_pushnil(state);
            push_text(state, &reason);
            2
        }
    }
}
