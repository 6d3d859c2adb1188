-- Two programs at the same time, and the end when both have ended well.
local init = require("init")

local nap = init.exec("sleep", 1)
local greeting = init.exec("echo", "hello")

assert(nap:status() == 0, "the nap was disturbed")
assert(greeting:status() == 0, "nobody was greeted")
