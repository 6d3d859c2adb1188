-- A main program that is taken down for an update now and then, and comes back after it. Both are
-- this interpreter with a line of Lua of their own: arg[-1] is how it was called.
local init = require("init")

local function nap(seconds)
  return init.exec(arg[-1], string.format("require('init').sleep(%d)", seconds))
end

local main

local function run_main()
  main = nap(3)
  print("main program runs as " .. main:pid())
end

run_main()

init.every(3, function()
  assert(main:kill() == init.signal.SIGKILL)
  print("main program is down for an update")
  assert(nap(1):status() == 0, "the update failed")
  print("the update is through")
  run_main()
end)

init.sleep(5)
