-- Everything that the module `init` has.
local init = require("init")

print("this is process " .. init.pid())

-- What a child writes is collected: stdout and stderr give it out, nil if there was nothing.
local child = init.exec("printf", "%s and %s", { "one", "two" })
print("it wrote " .. child:stdout())
assert(child:stderr() == nil)
assert(child:status() == 0)

-- KILL by the child itself, any signal by its process id; status is the number of the signal.
local first = init.exec("sleep", 30)
assert(first:kill() == init.signal.SIGKILL)
assert(first:status() == init.signal.SIGKILL)

local second = init.exec("sleep", 30)
assert(init.kill(second:pid(), init.signal.SIGTERM) == 0)
assert(second:status() == init.signal.SIGTERM)

-- A timer gets what stands behind its function, and the rest goes on meanwhile.
init.every(1, function(name, ...)
  print(os.date("%H:%M:%S"), name, ...)
end, "tick", 42)

init.sleep(3)
