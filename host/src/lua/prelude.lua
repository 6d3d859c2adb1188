-- What `require('init')` does, and how the script's pieces take turns. Called once, by the host,
-- with the functions that it gives; returns what runs the script's main chunk.
--
-- A piece of Lua that can wait is a task: the main chunk, each call of a timer, each handler of a
-- signal. One runs at a time. What waits leaves by a yield of `WAIT`, also from coroutines that the
-- script made: those that resume them hand it on, up to the task, and back when it is over.
local host = ...

local create, yield, status = coroutine.create, coroutine.yield, coroutine.status
local pack, unpack, select, type, tostring = table.pack, table.unpack, select, type, tostring
local tonumber, error, pcall, ipairs, pairs = tonumber, error, pcall, ipairs, pairs
local setmetatable, traceback, format = setmetatable, debug.traceback, string.format
local floor, insert, remove = math.floor, table.insert, table.remove
local now, poll, complain, deep = host.now, host.poll, host.complain, host.deep

local WAIT = {}
local streams = { stdout = "out", stderr = "err" }

-- ---------------------------------------------------------------- tasks

-- Coroutines in coroutines take from the one stack of the thread, which Lua does not look after.
local step = coroutine.resume
local depth, depth_max = 0, 5000

local function back(...)
  depth = depth - 1
  return ...
end

local function resume(co, ...)
  if depth >= depth_max or deep() then return false, "C stack overflow" end
  depth = depth + 1
  return back(step(co, ...))
end

local ready, first, last = {}, 1, 0

local function enqueue(task)
  last = last + 1
  ready[last] = task
end

-- What is waited for is kept until it has come: a child may be known to nobody else.
local kept = {}

-- A wait is over, and everybody who has it goes on.
local function finish(wait, result)
  if wait.done then return end
  wait.done, wait.result = true, result
  kept[wait] = nil
  for _, task in ipairs(wait) do
    if task.wait == wait then
      task.wait = nil
      enqueue(task)
    end
  end
end

local function suspend(wait)
  while not wait.done do yield(WAIT, wait) end
  return wait.result
end

local function start(body)
  enqueue({ co = create(body) })
end

-- What a task did: it waits, it has ended, or the script has yielded by itself, which lets others
-- have their turn.
local function on_pause(task, ok, tag, wait)
  if status(task.co) == "dead" then return ok, tag end
  if tag == WAIT and not wait.done then
    task.wait = wait
    insert(wait, task)
  else
    enqueue(task)
  end
end

local function hand_on(co, ok, ...)
  if ok and (...) == WAIT then
    yield(...)
    return hand_on(co, resume(co))
  end
  return ok, ...
end

function coroutine.resume(co, ...)
  return hand_on(co, resume(co, ...))
end

local function unwrap(ok, ...)
  if ok then return ... end
  local message = ...
  if type(message) == "string" then error(message, 2) end
  error(message, 0)
end

function coroutine.wrap(body)
  local co = create(body)
  return function(...) return unwrap(hand_on(co, resume(co, ...))) end
end

-- ---------------------------------------------------------------- time

-- A heap of waits by the time at which they are over, those of the same time in their order.
local heap, size, stamp = {}, 0, 0
-- When there are so many, it is looked who of them still waits.
local tidy = 64

local function before(a, b)
  return a.at < b.at or (a.at == b.at and a.stamp < b.stamp)
end

local function sift_up(entry, at)
  while at > 1 do
    local above = floor(at / 2)
    if not before(entry, heap[above]) then break end
    heap[at] = heap[above]
    at = above
  end
  heap[at] = entry
end

local function sift_down(entry, at)
  while true do
    local below = at * 2
    if below > size then break end
    if below < size and before(heap[below + 1], heap[below]) then below = below + 1 end
    if not before(heap[below], entry) then break end
    heap[at] = heap[below]
    at = below
  end
  heap[at] = entry
end

local function pop()
  local top, moved = heap[1], heap[size]
  heap[size] = nil
  size = size - 1
  if size > 0 then sift_down(moved, 1) end
  return top
end

-- Most that wait with a time limit do not need it. When they are more than half, they go.
local function sweep()
  local all, count = heap, size
  heap, size = {}, 0
  for at = 1, count do
    if not all[at].wait.done then
      size = size + 1
      sift_up(all[at], size)
    end
  end
  tidy = 2 * size + 64
end

local function finish_at(wait, at)
  if size >= tidy then sweep() end
  size, stamp = size + 1, stamp + 1
  sift_up({ at = at, stamp = stamp, wait = wait }, size)
end

local function sleep_until(at)
  local wait = {}
  finish_at(wait, at)
  suspend(wait)
end

-- ---------------------------------------------------------------- errors

-- The last that one of these functions has raised: the host tells it from the script's own.
local raised

local function raise(message)
  raised = message
  error(message, 0)
end

local function text_of(message)
  if message == raised and type(message) == "string" then return message end
  local ok, text = pcall(tostring, message)
  return "runtime error: " .. (ok and text or type(message))
end

-- ---------------------------------------------------------------- arguments

local function kind_of(value)
  local kind = type(value)
  if kind == "cdata" then return "other" end
  if kind == "number" and value == floor(value) and value >= -2 ^ 63 and value < 2 ^ 63 then return "integer" end
  return kind
end

local function unfit(value, wanted, why)
  return format("error converting Lua %s to %s", kind_of(value), wanted) .. (why and " (" .. why .. ")" or "")
end

local function bad(position, value, wanted, why)
  raise(format("bad argument #%d: %s", position, unfit(value, wanted, why)))
end

local function number(position, value)
  local result = type(value) ~= "cdata" and tonumber(value) or nil
  if result == nil then bad(position, value, "f64", "expected number or string coercible to number") end
  return result
end

local function integer(position, value)
  local result = type(value) ~= "cdata" and tonumber(value) or nil
  if result == nil then bad(position, value, "i32", "expected number or string coercible to number") end
  result = result < 0 and -floor(-result) or floor(result)
  if not (result >= -2147483648 and result <= 2147483647) then bad(position, value, "i32", "out of range") end
  return result
end

local function text(position, value)
  if type(value) == "string" then return value end
  if type(value) == "number" then return host.number(value) end
  bad(position, value, "String", "expected string or number")
end

local function duration(position, value)
  local seconds = number(position, value)
  if seconds < 0 then raise("cannot convert float seconds to Duration: value is negative") end
  if not (seconds < 2 ^ 64) then
    raise("cannot convert float seconds to Duration: value is either too big or NaN")
  end
  return seconds
end

-- ---------------------------------------------------------------- children

-- By their numbers, as long as the script has them.
local children = setmetatable({}, { __mode = "v" })
local limit = 64 * 1024 * 1024

-- One word of a command, or the words of a table up to its first hole.
local function add_words(words, value)
  local kind = type(value)
  if kind == "string" then
    insert(words, value)
  elseif kind == "number" then
    insert(words, host.number(value))
  elseif kind == "table" then
    for _, inner in ipairs(value) do
      if type(inner) ~= "string" and type(inner) ~= "number" then
        raise(unfit(inner, "String", "expected string or number"))
      end
      add_words(words, inner)
    end
  else
    insert(words, tostring(value))
  end
end

local options = {
  env = "table", clear_env = "boolean", cwd = "string", user = "string", group = "string",
  stdin = "string", input = "string", stdout = "string", stderr = "string", limit = "number",
}

local choices = {
  stdin = { inherit = true, null = true },
  stdout = { collect = true, inherit = true, null = true },
  stderr = { collect = true, inherit = true, null = true, stdout = true },
}

-- The named fields of the table that may come before or hold the command.
local function checked(given)
  local result = { limit = limit }
  for name, value in pairs(given) do
    if type(name) ~= "number" then
      local kind = options[name]
      if kind == nil then
        raise(format("init.exec has no option %q: there are cwd, env, clear_env, user, group, stdin, input, stdout, stderr, limit", tostring(name)))
      end
      if kind == "string" and type(value) == "number" then value = host.number(value) end
      if type(value) ~= kind then
        raise(format("init.exec: %s has to be a %s, not a %s", name, kind, type(value)))
      end
      if choices[name] and not choices[name][value] then
        raise(format("init.exec: %s cannot be %q", name, value))
      end
      result[name] = value
    end
  end
  if not (result.limit >= 0) then raise("init.exec: limit has to be a number of bytes") end
  if result.env then
    local pairs_ = {}
    for name, value in pairs(result.env) do
      if type(name) ~= "string" or name == "" or name:find("[=%z]") then
        raise(format("init.exec: %q cannot be the name of a variable", tostring(name)))
      end
      if type(value) == "number" then value = host.number(value) end
      if type(value) ~= "string" then
        raise(format("init.exec: the variable %s has to be a string, not a %s", name, type(value)))
      end
      insert(pairs_, name)
      insert(pairs_, value)
    end
    result.env = pairs_
  end
  return result
end

-- The script's side of a child. `handle` is the host's; as long as somebody has one of these
-- functions, what the child has written is kept.
local function new_child(handle, id, pid)
  local waits, ending = {}, nil
  local consumed = {}
  local child = {}

  local record
  record = {
    waits = {},
    ended = function(how)
      ending = how
      local all = waits
      waits = {}
      for _, wait in ipairs(all) do finish(wait) end
    end,
  }
  children[id] = record

  -- How it ended; nil if time ran out first.
  local function await(at)
    if ending == nil then
      local wait = {}
      insert(waits, wait)
      kept[wait] = record
      if at then finish_at(wait, at) end
      suspend(wait)
      -- Those that time has ended are not looked at any more.
      for index, other in ipairs(waits) do
        if other == wait then remove(waits, index) break end
      end
    end
    return ending
  end

  local function await_stream(stream, what)
    if host.want(handle, stream, what) then
      local wait = {}
      record.waits[stream] = wait
      kept[wait] = record
      suspend(wait)
    end
  end

  local function consume(stream)
    if consumed[stream] then raise("stream already consumed") end
    consumed[stream] = true
  end

  local function take(stream)
    consume(stream)
    await_stream(stream, "end")
    local text, why = host.take(handle, stream)
    if why then raise(why) end
    return text
  end

  local function result(how)
    if how.code then return how.code, "exit" end
    if how.signal then return how.signal, "signal" end
    raise("somebody else has waited for this child, so that nobody can tell how it ended")
  end

  function child.pid() return pid end

  function child.status() return (result(await())) end

  function child.stdout() return take("out") end

  function child.stderr() return take("err") end

  function child.kill()
    host.signal(id, 9)
    return 9
  end

  -- As status, for so long; also tells an exit from a signal.
  function child.wait(self, seconds)
    if self ~= child then seconds = self end
    local at = seconds ~= nil and now() + duration(1, seconds) or nil
    local how = await(at)
    if how == nil then return nil, "timeout" end
    return result(how)
  end

  -- What it writes, line by line, as it comes.
  function child.lines(self, name)
    if self ~= child then name = self end
    local stream = name == nil and "out" or streams[name]
    if stream == nil then raise(format("child:lines: there are stdout and stderr, not %q", tostring(name))) end
    consume(stream)
    return function()
      while true do
        local line, why = host.line(handle, stream)
        if line then return line end
        if why == nil then return nil end
        if why ~= "later" then raise(why) end
        await_stream(stream, "more")
      end
    end
  end

  return child
end

-- ---------------------------------------------------------------- the module

local init = {}

function init.pid() return host.pid() end

function init.kill(pid, signal)
  pid, signal = integer(1, pid), integer(2, signal)
  local why = host.kill(pid, signal)
  if why then error(why, 0) end
  return 0
end

function init.sleep(seconds)
  seconds = duration(1, seconds)
  sleep_until(now() + seconds)
  return seconds
end

function init.exec(first, ...)
  local words, given = {}, {}
  if type(first) == "table" then
    given = first
    add_words(words, first)
  else
    insert(words, text(1, first))
  end
  for position = 1, select("#", ...) do add_words(words, (select(position, ...))) end
  local handle, id, pid = host.exec(words, checked(given))
  if not handle then raise(id) end
  return new_child(handle, id, pid)
end

-- Runs a function of the script so that its error is told and ends nothing.
local function guarded(what, body, ...)
  local co = create(body)
  local ok, message = hand_on(co, resume(co, ...))
  while status(co) ~= "dead" do
    -- It has yielded by itself: others have their turn.
    yield()
    ok, message = hand_on(co, resume(co))
  end
  if not ok then complain("error in " .. what .. ": " .. traceback(co, text_of(message))) end
end

function init.every(seconds, body, ...)
  seconds = duration(1, seconds)
  if type(body) ~= "function" then bad(2, body, "function") end
  local due, arguments = now() + seconds, pack(...)
  start(function()
    while true do
      -- Also when it is late: others have their turn, and what was missed follows at once.
      sleep_until(due)
      guarded("'init.every' task", body, unpack(arguments, 1, arguments.n))
      due = due + seconds
    end
  end)
end

init.signal = host.signals

-- What is more than luavisors has. `pairs(init)` shows what it shows there.
local more = {}
setmetatable(init, { __index = more })

local handlers = {}
-- How many calls of a signal's handler have not ended, and whether one has come since there were so many.
local at_work, again, at_work_max = {}, {}, 16

local function handle(number)
  if (at_work[number] or 0) >= at_work_max then
    again[number] = true
    return
  end
  at_work[number] = (at_work[number] or 0) + 1
  start(function()
    repeat
      again[number] = nil
      local handler = handlers[number]
      if handler then guarded("'init.on' handler", handler, number) end
    until not again[number]
    at_work[number] = at_work[number] - 1
  end)
end

function more.on(signal, handler)
  signal = integer(1, signal)
  if handler ~= nil and type(handler) ~= "function" then bad(2, handler, "function") end
  if not host.handle(signal, handler ~= nil) then
    raise(format("init.on: signal %d cannot be handled", signal))
  end
  handlers[signal] = handler
end

local stops = {}

function more.stop(seconds)
  seconds = seconds == nil and 10 or duration(1, seconds)
  local wait, key = {}, host.stop(seconds)
  if key == nil then raise("nobody ends processes any more") end
  stops[key] = wait
  local report = suspend(wait)
  return report.clean, report
end

function more.limit(bytes)
  local former = limit
  if bytes ~= nil then
    bytes = number(1, bytes)
    if not (bytes >= 0) then raise("init.limit: a number of bytes is expected") end
    limit = bytes
  end
  return former
end

package.preload.init = function() return init end

-- ---------------------------------------------------------------- turns

local told = {
  exited = function(id, code, signal)
    local child = children[id]
    if child then child.ended({ code = code, signal = signal }) end
  end,
  written = function(id, stream)
    local child = children[id]
    if child and child.waits[stream] then finish(child.waits[stream]) end
  end,
  signal = handle,
  stopped = function(key, report)
    local wait = stops[key]
    stops[key] = nil
    if wait then finish(wait, report) end
  end,
}

local function hear(kind, ...)
  if kind == nil then return false end
  told[kind](...)
  return true
end

local function listen(within)
  if hear(poll(within)) then
    while hear(poll(0)) do end
  end
end

-- Runs the main chunk to its end. Returns nothing, or the message of its error.
return function(main)
  local whole = { co = create(main) }
  enqueue(whole)
  while true do
    listen(0)
    local time = now()
    while size > 0 and heap[1].at <= time do finish(pop().wait) end
    for _ = first, last do
      local task = ready[first]
      ready[first] = nil
      first = first + 1
      depth = 0
      local ok, message = on_pause(task, resume(task.co))
      if task == whole and status(task.co) == "dead" then
        if ok then return nil end
        return traceback(task.co, text_of(message))
      end
    end
    if first > last then listen(size > 0 and heap[1].at - now() or nil) end
  end
end
