/** What `horust --sample-service` prints: every key, with its default or an example, explained. */
export const SAMPLE = `# A service of horust. Save it as NAME.toml among your services and change it.
#
# Only "command" is required. Variables of horust's environment are put in before the file is read:
# a dollar and a name, in braces if you like, and there with ":-" and a default behind the name.
# Two dollars make one.

# The name that other services and horustctl use. Without it: the file's name, with its ".toml".
name = "my-service"

# What to run. It is split into words as a shell does it, with quotes and backslashes, but no shell
# runs: for pipes and the like write /bin/sh -c '…'.
command = "/bin/sh -c 'echo hello from $$HOSTNAME; exec sleep 30'"

# Who it runs as: a name, or a number without quotes. Without it: the user that horust runs as.
# user = "root"

# Where it runs. Without it: where horust was started.
working-directory = "/"

# Where its output goes: "STDOUT" and "STDERR" are horust's own; anything else is a file, to which
# it is appended. stderr = "STDOUT" follows wherever stdout goes.
stdout = "STDOUT"
stderr = "STDERR"

# With a file as stdout: after so many bytes the output goes on in FILE.1, FILE.2, and so on, and
# each start begins anew with FILE. "0" does not split it.
stdout-rotate-size = "0"

# With that: the files are FILE.SECONDS, FILE.SECONDS.1, …, with the time of the start since 1970.
stdout-should-append-timestamp-to-filename = false

# How long to wait before each start, restarts included.
start-delay = "0s"

# It starts when all of these are running, or have finished well.
start-after = []

# When horust stops everything, it is stopped after all of these.
shutdown-after = []

[restart]
# "always": whenever it has ended. "on-failure": when it has failed. "never": not at all.
strategy = "never"

# How long to wait before the first restart; twice that before the second, and so on, for as long
# as it fails too quickly to be running.
backoff = "0s"

# How many restarts such a service gets, by whatever strategy. 0: as many as the strategy says.
attempts = 0

[healthiness]
# It is running as soon as all of these hold, and unhealthy when one of them does not.
# This answers a HEAD request with a status from 200 to 299, within a second:
# http-endpoint = "http://localhost:8080/health"
# This file is there. It is removed before each start:
# file-path = "/run/my-service.ready"
# This command leaves with 0. It runs as horust does:
# command = "curl -sf http://localhost:8080/health"

# So many checks in a row may fail; with the next one it is ended, as a failure.
max-failed = 3

# It has to have run for so long before it counts as running.
healthy-after = "0s"

[failure]
# The exit codes that count as success. -137 stands for death by any signal.
successful-exit-code = [0]

# What a failure does to others. "ignore": nothing. "kill-dependents": those that start after it are
# ended. "shutdown": everything is stopped.
strategy = "ignore"

[environment]
# Whether it gets horust's own variables. HOSTNAME, PATH, USER, HOME and TERM it gets anyway.
keep-env = false

# These of horust's variables it gets.
re-export = []

# And these, with these values, which count before all others.
additional = { GREETING = "hello" }

[termination]
# The signal that asks it to end.
signal = "TERM"

# How long it then has, before it is killed.
wait = "5s"

# Each time one of these fails, it is ended, too.
die-if-failed = []

# What it may use, by a cgroup. Also called [resource].
[resource-limit]
# Processors; 0.5 is half of one. Or cpu-percent = 50.
# cpu = 0.5
# memory = "100 MiB"
# How many processes and threads.
# pids-max = 100
`;
