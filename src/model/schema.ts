/**
 * The schema of the configuration: the one place where a field stands with its type, what it
 * does, and what changing it means. Static types (`spec.ts`), validation (`src/dialects/native`),
 * the JSON Schema and the reference page (`reference.ts`) are made from it; its defaults are in
 * `defaults.ts`.
 */
import { limits, resources } from "./bounds.ts";
import { command, hook, reload, stopCommand } from "./commands.ts";
import { field, group, nullable } from "./fields.ts";
import { stderr, stdout } from "./outputs.ts";
import {
  bodyPattern,
  delayProbe,
  execProbe,
  fileProbe,
  headers,
  healthCondition,
  httpProbe,
  listenCondition,
  logProbe,
  notifyCondition,
  statusRanges,
  tcpProbe,
} from "./probes.ts";
import { conflicts, failureAction, followings, names, requirements } from "./relations.ts";
import {
  budget,
  choice,
  count,
  countFromOne,
  cronPattern,
  duration,
  environment,
  exitCodes,
  flag,
  group as groupName,
  groups,
  integer,
  interval,
  labels,
  listenAddress,
  number,
  optionalPath,
  path,
  paths,
  ports,
  processNames,
  signal,
  signals,
  size,
  text,
  umask,
  user,
} from "./values.ts";

/** What a service, a task and a target have in common: how it stands to others. */
const relations = {
  requires: field("requires", requirements, {
    text: 'What must be up first. It is started along, and this one waits until it is ready (a task: until it has succeeded). An asked-for stop or restart of it takes this one along. A name stands for a service, task or target; `{ task = "migrate" }`, `{ target = "net" }` and `{ service = "db" }` also say which kind it must be. With `{ service = "db", bind = true }` a crash of `db`, even one that is restarted, takes this one along too. With `start = false` it is waited for as ever, but not started along.',
    change: "live",
    example:
      'requires = ["db", { task = "migrate" }, { service = "cache", bind = true }]\n# or\nrequires = [{ service = "db", start = false }]',
    errors: "An unknown name; a name of another kind; a cycle, shown as a path with its places.",
  }),
  wants: field("wants", names, {
    text: "Started along and waited for, but its failure is no obstacle.",
    change: "live",
    example: 'wants = ["cache"]',
    errors: "An unknown name; a cycle.",
  }),
  after: field("after", followings, {
    text: 'Order only: if both are to start, this one starts after those are ready, and stops before them. With `until = "begun"` it starts once the other has begun: started at least, whatever has become of it since; and that is waited for whether or not the other is to start. With `until = "up"` its start alone waits, whether or not the other is to start, until that is up: ready, or ended with success where that counts as up; when they stop, neither heeds the other. With `until = "any"` its start waits for nothing, and only the order of stops remains.',
    change: "live",
    example: 'after = ["logger"]\n# or\nafter = [{ service = "logger", until = "begun" }]',
    errors: "An unknown name; a cycle.",
  }),
  before: field("before", names, {
    text: "The reverse of `after`.",
    change: "live",
    example: 'before = ["proxy"]',
    errors: "An unknown name; a cycle.",
  }),
  conflicts: field("conflicts", conflicts, {
    text: "Those that cannot run beside this one: starting one stops the other. With `wait = true` neither stops the other: who comes second waits until nothing of the first is left.",
    change: "live",
    example: 'conflicts = ["legacy-api"]\n# or\nconflicts = [{ service = "legacy-api", wait = true }]',
    errors:
      "An unknown name; two that conflict, without `wait`, and would both start at boot; one that conflicts with what it requires.",
  }),
  autostart: field("autostart", flag, {
    text: "Start at boot. `false`: only when asked for, or when something needs it.",
    change: "live",
    example: "autostart = false",
  }),
  "on-failure": field("onFailure", failureAction, {
    text: 'What happens when it has failed for good. `ignore`: nothing. `stop-dependents`: what requires it is stopped, in order, and waits. `shutdown`: an ordered shutdown, exit code 1. `{ run = "task" }`: this task is started, and finds in its environment what happened: `ONEUP_FAILED_SERVICE`, `ONEUP_FAILED_CAUSE`, and `ONEUP_EXIT_CODE` or `ONEUP_EXIT_SIGNAL`. If the task is at work already, it runs once more afterwards. A task that fails while it handles a failure does not come to handle its own.',
    change: "live",
    example: 'on-failure = "shutdown"\n# or\non-failure = { run = "report" }',
    errors: "`run` names no task, or the task itself.",
  }),
  critical: field("critical", flag, {
    text: "The machine is of no use without it: when it has failed for good, the console says so in a block of its own, with what to look at.",
    change: "live",
    example: "critical = true",
  }),
  labels: field("labels", labels, {
    text: "Free text under names of your choice, shown in the API.",
    change: "live",
    example: 'labels = { tier = "web" }',
  }),
};

/** How a process is made. */
const execution = {
  command: field(null, command, {
    text: "What to run. A string is split into words as a shell splits it (quotes and backslashes count), and no shell runs: `$`, `*` and `~` are plain characters, and unquoted `|`, `&`, `;`, `<`, `>`, parentheses and backquotes are refused. A list is the program and its arguments as they are. A program without a slash is searched in `PATH`.",
    change: "restart",
    example: 'command = "node server.js"\n# or\ncommand = ["node", "server.js"]',
    errors: "Missing or empty; a quote that is not closed; what only a shell could do.",
    default: "required",
  }),
  shell: field(null, flag, {
    text: "Run `command`, which must be a string then, by `/bin/sh -c`. `$NAME` is the shell's; write `$${NAME}` for the shell's braces, because `${NAME}` is expanded when the file is read.",
    change: "restart",
    example: 'command = "sort < in.txt | uniq > out.txt"\nshell = true',
    errors: "`command` is a list.",
    default: "`false`",
  }),
  directory: nullable("directory", path, {
    text: "The folder it runs in.",
    change: "restart",
    example: 'directory = "/srv/api"',
    default: "the folder of the file that defines it",
  }),
  user: nullable("user", user, {
    text: "Who it runs as, by name or number. `HOME`, `USER`, `LOGNAME` and `SHELL` follow.",
    change: "restart",
    example: 'user = "www"',
    errors: "An unknown name (a number needs no entry).",
    default: "the supervisor's own user",
  }),
  group: nullable("group", groupName, {
    text: "Its main group, by name or number.",
    change: "restart",
    example: 'group = "www"',
    errors: "An unknown name.",
    default: "the main group of `user`",
  }),
  groups: nullable("groups", groups, {
    text: "Its supplementary groups.",
    change: "restart",
    example: 'groups = ["video", "audio"]',
    errors: "An unknown name.",
    default: "as `id` prints them for `user`",
  }),
  umask: nullable("umask", umask, {
    text: "Which permissions the files it makes do not get, as an octal string.",
    change: "restart",
    example: 'umask = "022"',
    default: "the supervisor's own",
  }),
  environment: field("environment", environment, {
    text: "Environment variables, on top of the supervisor's own and of `environment-file`.",
    change: "restart",
    example: 'environment = { PORT = "8080", NODE_ENV = "production" }',
    errors: "A name that is empty or has `=` in it.",
    default: "none",
  }),
  "environment-file": field(null, paths, {
    text: 'Files of `NAME=value` lines, read when the configuration is read. `#` starts a comment, `export` may stand in front. Single quotes keep everything; double quotes know `\\n`, `\\r`, `\\t`, `\\"`, `\\\\`, `\\$` and may span lines. Values are taken as they are: `${NAME}` is not expanded in them. A later file beats an earlier one, `environment` beats them all. With `?` in front the file may be missing.',
    change: "restart",
    example: 'environment-file = [".env", "?.env.local"]',
    errors: "A missing file; a line of another form. A message never shows a value.",
    default: "none",
  }),
  "clean-environment": field("cleanEnvironment", flag, {
    text: "Start from an empty environment instead of the supervisor's own.",
    change: "restart",
    example: "clean-environment = true",
  }),
  nice: nullable("nice", integer(-20, 19), {
    text: "Its priority: the higher, the more it gives way.",
    change: "restart",
    example: "nice = 5",
    default: "the supervisor's own",
  }),
  "oom-score-adjust": nullable("oomScoreAdjust", integer(-1000, 1000), {
    text: "How early the kernel ends it when memory runs out: 1000 first, -1000 never.",
    change: "restart",
    example: "oom-score-adjust = 500",
    default: "as the supervisor was started with",
  }),
  limits: field("limits", limits, {
    text: 'Resource limits by their names in prlimit(1): `as`, `core`, `cpu`, `data`, `fsize`, `locks`, `memlock`, `msgqueue`, `nice`, `nofile`, `nproc`, `rss`, `rtprio`, `rttime`, `sigpending`, `stack`. A number, `"unlimited"`, or `"soft:hard"`; those that count bytes also take a size.',
    change: "restart",
    example: 'limits = { nofile = 65536, core = "0", stack = "8MiB:unlimited" }',
    errors: "An unknown name; a soft limit above the hard one.",
    default: "as the supervisor was started with",
  }),
  resources: nullable("resources", resources, {
    text: "What all its processes together may use, by a cgroup of its own. `cpu`: processors, `0.5` being half the time of one. `memory`: beyond it the kernel ends one of them; without a unit, bytes. `pids`: processes and threads. Where there is no cgroup for it (no right to make one, no such controller), it runs without that limit, and a warning says so.",
    change: "restart",
    example: 'resources = { memory = "512MiB", cpu = 1.5, pids = 100 }',
    errors: "A `cpu` of less than 0.01; a `memory` or `pids` of 0; nothing in it.",
    default: "no limits",
  }),
  "no-new-privileges": field("noNewPrivileges", flag, {
    text: "It and its children can never gain privileges, by set-user-ID programs or otherwise.",
    change: "restart",
    example: "no-new-privileges = true",
  }),
  stdin: field("stdin", choice("null", "inherit"), {
    text: "What it reads. `null`: nothing, as from /dev/null. `inherit`: the supervisor's own stdin.",
    change: "restart",
    example: 'stdin = "inherit"',
  }),
  stdout: field("stdout", stdout, {
    text: "Where its stdout goes. `log`: through the supervisor, as `log` says. `stdout` and `stderr`: the supervisor's own, as they are, without a name in front. `{ file = … }`: this file, which it writes by itself; the supervisor opens it at each start, as itself and not as `user`, to append, and makes it with `mode` less the supervisor's umask where it is missing. A relative path starts from the folder of the file that defines the service. What does not go through the supervisor is in no log, and `ready.log` does not see it.",
    change: "restart",
    example: 'stdout = "stdout"\n# or\nstdout = { file = "api.out", mode = "0640" }',
    errors: "A mode that is not octal.",
    default: '`"log"`',
  }),
  stderr: field("stderr", stderr, {
    text: "Where its stderr goes, as `stdout`; with `same` wherever stdout goes.",
    change: "restart",
    example: 'stderr = "same"\n# or\nstderr = { file = "api.err" }',
    errors: "A mode that is not octal.",
    default: '`"log"`',
  }),
};

/** What must not be there when it starts. */
const guarding = {
  guard: group(
    "guard",
    {
      ports: field("ports", ports, {
        text: "No other service that is up may have one of these ports in its own guard, and nobody may listen on one (TCP, on any address of this machine by IPv4).",
        change: "live",
        example: "guard = { ports = [80, 443] }",
        errors: "A port outside 1 to 65535; an empty list.",
        default: "none",
      }),
      processes: field("processes", processNames, {
        text: "No process may run whose name (the 15 characters of `/proc/PID/comm`) has one of these in it, in upper or lower case.",
        change: "live",
        example: 'guard = { processes = ["nginx"] }',
        errors: "An empty list; an empty string.",
        default: "none",
      }),
      kill: field("kill", flag, {
        text: "Who listens there or is called so is killed, with all that it has started, and then the service starts. The supervisor, what has started it, and what belongs to other services is never killed.",
        change: "live",
        example: "guard = { ports = [8080], kill = true }",
        default: "`false`",
      }),
      services: field("services", flag, {
        text: "What belongs to other services is in the way, too, also where these have no such port in their guards. Without effect beside `kill`, which spares them.",
        change: "live",
        example: 'guard = { processes = ["worker"], services = true }',
        default: "`false`",
      }),
    },
    {
      text: "Who would be in its way is looked for before each start: first other services with the same port, then who listens on its ports, then processes of these names. While somebody is in the way it stays `waiting` and says for whom; it is looked again when any service changes its state, and else after 1 s, 2 s, … up to 30 s. The supervisor, what has started it, and what belongs to its services are not in the way, unless `services` says so. A listener whose process cannot be found out is no obstacle.",
      change: "live",
      example: 'guard = { ports = [80], processes = ["nginx"] }',
      errors: "A table with neither ports nor processes.",
      default: "none",
    },
  ),
};

/** When it is started again, and when it counts as failed. */
const restarts = {
  main: field("main", flag, {
    text: 'The one the supervisor is there for: when it has ended for good, everything is shut down in order, and the supervisor leaves with its exit code (128+n for a signal). `restart` is `"never"` then unless set.',
    change: "live",
    example: "main = true",
    errors: "More than one has it.",
  }),
  "start-delay": field("startDelayMs", duration, {
    text: "How long to wait before each start, also one that somebody asked for, once nothing else is in its way. Before a restart it comes on top of `restart-delay`.",
    change: "live",
    example: 'start-delay = "500ms"',
  }),
  restart: field("restart", choice("always", "on-failure", "never"), {
    text: "When to start it again. `always`: whenever it has ended. `on-failure`: unless it ended with success (`success-codes`, `success-signals`). `never`: not at all.",
    change: "live",
    example: 'restart = "on-failure"',
    default: '`"always"`; `"never"` for a task, and with `main = true`',
  }),
  "restart-delay": field("restartDelayMs", duration, {
    text: "How long to wait before the first restart. It grows with each further one as `restart-backoff` says, give or take `restart-jitter`. `0s`: restart at once.",
    change: "live",
    example: 'restart-delay = "1s"',
    errors: "More than `restart-delay-max`, where both are set.",
  }),
  "restart-delay-max": field("restartDelayMaxMs", duration, {
    text: "The delay grows no further than this.",
    change: "live",
    example: 'restart-delay-max = "1m"',
    errors: "Less than `restart-delay`.",
    default: '`"30s"`, or `restart-delay` if that is longer',
  }),
  "restart-backoff": field("restartBackoff", choice("doubling", "linear"), {
    text: "How the delay grows with each restart in a row. `doubling`: once, twice, four times `restart-delay`, and so on. `linear`: once, twice, three times, by how many runs in a row did not last as long as `restart-reset` asks for; after one that did it is started again at once.",
    change: "live",
    example: 'restart-backoff = "linear"',
  }),
  "restart-jitter": field("restartJitter", number(0, 1), {
    text: "How far the delay may be off at random, so that services which fail together do not come back together: `0.1` is 10 % in both directions, never beyond `restart-delay-max`. `0`: exactly the delay.",
    change: "live",
    example: "restart-jitter = 0",
    errors: "Less than 0; more than 1.",
  }),
  "restart-reset": field("restartResetMs", duration, {
    text: "After a run of at least this length the delay starts over, and so does the limit that counts restarts in a row.",
    change: "live",
    example: 'restart-reset = "30s"',
  }),
  "restart-reset-from": field("restartResetFrom", choice("start", "ready"), {
    text: "What `restart-reset` counts from. `start`: from the start of the run. `ready`: from when it was ready, so that a run which never was so is never long enough.",
    change: "live",
    example: 'restart-reset = "1m"\nrestart-reset-from = "ready"',
  }),
  "restart-unstartable": field("restartUnstartable", flag, {
    text: "Where it could not even be started (no such program, no such user), that is a failed run like others, and `restart` says whether it is tried again. Otherwise it has failed at once, unless what was missing may come by itself, such as memory.",
    change: "live",
    example: "restart-unstartable = true",
  }),
  "restart-limit": field("restartLimit", count, {
    text: "More restarts than this within `restart-window`, and it has failed. `0`: no limit.",
    change: "live",
    example: 'restart-limit = 5\nrestart-window = "1m"',
  }),
  "restart-limit-means": field("restartLimitMeans", choice("failure", "end"), {
    text: "What it is when `restart-limit` has put an end to it. `failure`: it has failed. `end`: what its last run says; after one that ended with success it is `exited`.",
    change: "live",
    example: 'restart = "always"\nrestart-limit = 5\nrestart-limit-means = "end"',
  }),
  "restart-window": field("restartWindowMs", duration, {
    text: "The time over which `restart-limit` counts. `0s`: it counts restarts in a row, that is since the last run of at least `restart-reset`, however long they take.",
    change: "live",
    example: 'restart-window = "10m"',
  }),
  "remain-after-exit": field("remainAfterExit", flag, {
    text: "Having ended with success, it is still as good as ready for what requires it, as a task is. Not for a task.",
    change: "live",
    example: 'restart = "on-failure"\nremain-after-exit = true',
  }),
  "end-counts": field("endCounts", flag, {
    text: "While it is down, or waits to be started again, it counts as what its last run ended as, also where a stop has ended that: after a success it is as good as ready for what requires it, and after any end it has begun for what only waits for that.",
    change: "live",
    example: 'restart = "always"\nremain-after-exit = true\nend-counts = true',
  }),
  "success-codes": field("successCodes", exitCodes, {
    text: "The exit codes that count as success.",
    change: "live",
    example: "success-codes = [0, 143]",
  }),
  "success-signals": field("successSignals", signals, {
    text: "The signals by which it may end with success, where nobody asked it to end.",
    change: "live",
    example: 'success-signals = ["TERM"]',
    errors: "An unknown name; a number.",
    default: "none: death by a signal that nobody asked for is a failure",
  }),
  "on-failure-at": field("onFailureAt", choice("end", "each"), {
    text: "When `on-failure` acts. `end`: when it has failed for good. `each`: each time a run has failed, also when it is started again.",
    change: "live",
    example: 'on-failure = "stop-dependents"\non-failure-at = "each"',
  }),
  "fail-with": field("failWith", names, {
    text: "Each time one of these has failed, also when it is started again, the run of this one is ended as by a stop, and then `restart` says what follows: it ended with success or failure as its exit says. One that waits to start is `exited` then without having run, unless `restart` is `always`. It makes no order.",
    change: "live",
    example: 'fail-with = ["db"]',
    errors: "An unknown name; its own name.",
  }),
  "no-restart-codes": field("noRestartCodes", exitCodes, {
    text: "Exit codes after which it is not started again, whatever `restart` says.",
    change: "live",
    example: "no-restart-codes = [78]",
    default: "none",
  }),
};

/** What `ready` and `health` may ask of an HTTP answer. */
function httpFields(table: "ready" | "health") {
  const with_ = (more: string) => `${table} = { http = "https://localhost:8443/health", ${more} }`;
  return {
    status: field("status", statusRanges, {
      text: "Which statuses of an answer to `http` are good: one, or ranges.",
      change: "live",
      example: `${with_('status = "200-299,401"')}\n# or\n${with_("status = 204")}`,
      errors: "A status outside 100 to 599; set without `http`.",
      default: '`"200-399"`',
    }),
    body: field("body", bodyPattern, {
      text: "A regular expression that the first 64 KiB of the answer to `http` must match.",
      change: "live",
      example: with_('body = \'"status": *"ok"\''),
      errors: "A malformed regular expression; set without `http`.",
      default: "any body is good",
    }),
    method: field("method", choice("GET", "HEAD"), {
      text: "What the request of `http` asks for. An answer to `HEAD` has no body.",
      change: "live",
      example: with_('method = "HEAD"'),
      errors: "`HEAD` beside `body`; set without `http`.",
      default: '`"GET"`',
    }),
    redirects: field("redirects", integer(0, 20), {
      text: "How many redirections (an answer of 301, 302, 303, 307 or 308 with a `Location`) of `http` are followed in one check, within its time. `headers` go along to the same host and port only. One too many fails the check; with `0` such an answer is looked at as it is.",
      change: "live",
      example: with_("redirects = 5"),
      errors: "More than 20; set without `http`.",
      default: "`0`",
    }),
    headers: field("headers", headers, {
      text: "Headers that are sent with the request of `http`.",
      change: "live",
      example: with_('headers = { Host = "example.org", X-Probe = "oneup" }'),
      errors: "A name that is none; `Connection`, `Content-Length`, `Transfer-Encoding`; set without `http`.",
      default: "none",
    }),
    "ca-file": field("caFile", path, {
      text: "With `https`: a PEM file of the certificates to trust instead of the system's. A relative path starts from the folder of the file that defines the service.",
      change: "live",
      example: with_('ca-file = "ca.pem"'),
      errors: "A missing file; set without an address that begins with `https://`.",
      default: "the system's certificates",
    }),
    insecure: field("insecure", flag, {
      text: "With `https`: do not look at the certificate at all.",
      change: "live",
      example: with_("insecure = true"),
      errors: "Set beside `ca-file`, or without an address that begins with `https://`.",
      default: "`false`",
    }),
  };
}

function freshField(table: "ready" | "health") {
  return field("fresh", flag, {
    text: "The file of `file` is removed before each start, by the supervisor, so that one of a run before does not count. Where it cannot be removed, the start fails.",
    change: "live",
    example: `${table} = { file = "run/api.ready", fresh = true }`,
    errors: "Set without `file`.",
    default: "`false`",
  });
}

const ready = {
  ready: group(
    "ready",
    {
      tcp: field("tcp", tcpProbe, {
        text: "A connection can be made to this port (of 127.0.0.1) or address.",
        change: "live",
        example: 'ready = { tcp = 5432 }\n# or\nready = { tcp = "[::1]:5432" }',
        errors: "A port outside 1 to 65535.",
      }),
      http: field("http", httpProbe, {
        text: "A GET request to this address is answered as `status`, `body` and the other keys below say.",
        change: "live",
        example: 'ready = { http = "http://127.0.0.1:8080/ready" }',
        errors: "A scheme other than http and https; a user name or a `#` in the address.",
      }),
      exec: field("exec", execProbe, {
        text: "This command leaves with 0, within 10 s. It is written as `command` is and runs as the service does: same user, folder and environment. As a table it takes `command`, `shell`, and `outside`: with `outside = true` it runs as the supervisor does instead, in its folder, with its environment and the plain `PATH` of a system.",
        change: "live",
        example:
          'ready = { exec = "pg_isready -q" }\n# or\nready = { exec = { command = "test -S /run/db.sock && pg_isready", shell = true, outside = true } }',
      }),
      file: field("file", fileProbe, {
        text: "This file exists. A relative path starts from the folder of the file that defines the service.",
        change: "live",
        example: 'ready = { file = "run/api.ready" }',
      }),
      fresh: freshField("ready"),
      log: field("log", logProbe, {
        text: "A line that it wrote, on either stream, matches this regular expression.",
        change: "live",
        example: "ready = { log = 'listening on port \\d+' }",
        errors: "A malformed regular expression.",
      }),
      notify: field("notify", notifyCondition, {
        text: "It tells by itself that it is ready. `sd`: by sd_notify(3), over a socket that only its own processes may use and that `NOTIFY_SOCKET` names (in the abstract namespace; with `sd:PATH` it is made at this path). `fd:N`: by a line written to this descriptor.",
        change: "restart",
        example:
          'ready = { notify = "sd" }\n# or\nready = { notify = "sd:run/notify.sock" }\n# or\nready = { notify = "fd:3" }',
        errors: "A descriptor below 3 or above 1023; `fd:N` beside `watchdog`, which needs the socket.",
      }),
      listen: field("listen", listenCondition, {
        text: "A process of it has a listening socket of its own, TCP or Unix, whichever comes first.",
        change: "live",
        example: "ready = { listen = true }",
        errors: "`false`.",
      }),
      health: field("health", healthCondition, {
        text: "Its `health` says that it is well: the checks begin with the run instead of with its readiness, and the first good one makes this hold. As many bad ones in a row as `failures` says end the run then, as they do later.",
        change: "live",
        example: 'ready = { health = true }\nhealth = { tcp = 5432, every = "2s" }',
        errors: "`false`; set without `health`.",
      }),
      delay: field("delay", delayProbe, {
        text: "It has run for this long.",
        change: "live",
        example: 'ready = { delay = "2s" }',
      }),
      ...httpFields("ready"),
      "initial-delay": field("initialDelayMs", duration, {
        text: "`tcp`, `http`, `exec`, `file` and `listen` are tried for the first time when it has run for this long.",
        change: "live",
        example: 'ready = { http = "http://127.0.0.1:8080/ready", initial-delay = "5s" }',
        errors: "Set without any of them.",
        default: '`"0s"`',
      }),
    },
    {
      text: "When it counts as ready, which is what those that require it wait for. Without it: as soon as it runs. With several conditions, all must hold once. What has to be tried is tried at once, then after 10, 20, 40, 80, 160 and from then on every 250 ms, and never again once it is ready. Not for a task, which is ready when it has succeeded.",
      change: "live",
      example: 'ready = { tcp = 8080, log = "ready" }',
      errors: "A table without a condition.",
      default: "running is ready",
    },
  ),
};

/** The hooks of a service; a task has no `after-start`, because it is ready when it is over. */
const hookFields = {
  "before-start": field("beforeStart", hook, {
    text: "Runs before each start, when the order allows it. If it fails or is not done in time, the service is not started, and that counts as a failed run.",
    change: "live",
    example: 'hooks = { before-start = "node migrate.js" }',
    default: "none",
  }),
  "after-start": field("afterStart", hook, {
    text: "Runs when the service has become ready, beside it. Its failure is told, and nothing else.",
    change: "live",
    example: 'hooks = { after-start = ["curl", "-fsS", "http://127.0.0.1:8080/warm-up"] }',
    default: "none",
  }),
  "before-stop": field("beforeStop", hook, {
    text: "Runs before a service that lives is stopped, whoever asked for it; the stop waits for it. Its failure is told, and the stop goes on. A hurried shutdown does not wait for it.",
    change: "live",
    example: 'hooks = { before-stop = { command = "drain --wait", timeout = "1m" } }',
    default: "none",
  }),
  "after-exit": field("afterExit", hook, {
    text: "Runs after each run, when nothing of it is left, however it ended, also when `before-start` had failed; what follows (a restart, the end of a stop) waits for it. Its failure is told, and nothing else.",
    change: "live",
    example: 'hooks = { after-exit = { command = "rm -f /tmp/api.*", shell = true } }',
    default: "none",
  }),
  timeout: field("timeoutMs", duration, {
    text: "How long each hook may take that has no `timeout` of its own; then its whole tree is killed, and it has failed.",
    change: "live",
    example: 'hooks = { before-start = "node migrate.js", timeout = "5m" }',
    errors: "`0s`.",
    default: '`"30s"`',
  }),
};

function hooksOf<F extends Partial<typeof hookFields>>(fields: F) {
  return group("hooks", fields, {
    text: "Commands around its life. Each is written as `command` is, or as a table with `command`, `shell` and `timeout`, and runs as the service does: same user, folder and environment, with `ONEUP_SERVICE`, `ONEUP_HOOK` (the hook's name), `ONEUP_CAUSE`, `ONEUP_RESTARTS`; `ONEUP_PID` while the service runs; after it `ONEUP_EXIT_CODE` or `ONEUP_EXIT_SIGNAL`. Its output is in the log `NAME/HOOK`, which `oneup logs NAME` shows too. Processes that a hook leaves behind are stopped. Others never wait for a hook, but for the state of the service.",
    change: "live",
    example:
      '[service.api.hooks]\nbefore-start = "node migrate.js"\nafter-exit = { command = "rm -f /tmp/api.*", shell = true, timeout = "5s" }',
    errors: "An empty table; an unknown hook.",
    default: "none",
  });
}

const { "after-start": _afterStart, ...taskHooks } = hookFields;

const reloading = {
  reload: nullable("reload", reload, {
    text: 'What `oneup reload` does: send a signal to the main process, or run a command as the service does, with `ONEUP_PID` (`timeout`: 30 s unless set; its output is in the log `NAME/reload`). With `ready = { notify = "sd" }` a service that answers with `RELOADING=1` is waited for until it says `READY=1`.',
    change: "live",
    example: 'reload = { signal = "HUP" }\n# or\nreload = { command = "nginx -s reload" }',
    errors: "Both a signal and a command, or neither.",
    default: "none",
  }),
};

/** What is looked after while it is ready. */
const wellbeing = {
  health: group(
    "health",
    {
      tcp: field("tcp", tcpProbe, {
        text: "A connection can be made, as in `ready`.",
        change: "live",
        example: "health = { tcp = 5432 }",
        errors: "A port outside 1 to 65535.",
      }),
      http: field("http", httpProbe, {
        text: "A GET request is answered well, as in `ready`.",
        change: "live",
        example: 'health = { http = "http://127.0.0.1:8080/health" }',
        errors: "A scheme other than http and https; a user name or a `#` in the address.",
      }),
      exec: field("exec", execProbe, {
        text: "A command leaves with 0 within `timeout`, as in `ready`. If it does not leave in time, its whole tree is killed.",
        change: "live",
        example: 'health = { exec = "redis-cli ping" }',
      }),
      file: field("file", fileProbe, {
        text: "A file exists, as in `ready`.",
        change: "live",
        example: 'health = { file = "run/alive" }',
      }),
      fresh: freshField("health"),
      ...httpFields("health"),
      every: field("everyMs", duration, {
        text: "How often it is checked. The first check comes at a random part of this time, so that services which became ready together are not checked together. A check that takes longer is waited for: two of a service are never at work at once.",
        change: "live",
        example: 'health = { tcp = 5432, every = "30s" }',
        errors: "Less than `timeout`; `0s`.",
      }),
      timeout: field("timeoutMs", duration, {
        text: "How long an answer may take. On a machine (or in a cgroup) where something had to wait for a processor, memory or a disk for 40 % of the last ten seconds or more, an answer that did not come in time does not count: it is asked for once more, with up to ten times the time, and that answer counts.",
        change: "live",
        example: 'health = { http = "http://127.0.0.1:8080/health", timeout = "5s" }',
        errors: "More than `every`; `0s`.",
      }),
      failures: field("failures", countFromOne, {
        text: "After so many failed checks in a row it is unhealthy.",
        change: "live",
        example: "health = { tcp = 5432, failures = 5 }",
        errors: "Less than 1.",
      }),
      successes: field("successes", countFromOne, {
        text: "After so many good checks in a row it is healthy.",
        change: "live",
        example: "health = { tcp = 5432, successes = 2 }",
        errors: "Less than 1.",
      }),
      "initial-delay": field("initialDelayMs", duration, {
        text: "No check before it has been ready for this long.",
        change: "live",
        example: 'health = { tcp = 5432, initial-delay = "1m" }',
      }),
      "on-failure": field("onFailure", choice("restart", "stop", "mark"), {
        text: "What happens when it is unhealthy. `restart`: it is stopped, and that counts as a failed run, so that `restart`, its delays and its limit apply. `stop`: it is stopped and has failed. `mark`: it is shown as unhealthy, and runs on.",
        change: "live",
        example: 'health = { tcp = 5432, on-failure = "mark" }',
      }),
    },
    {
      text: "Whether it is well, asked again and again while it is ready. With several probes, all must hold in a check. Not for a task.",
      change: "live",
      example:
        'health = { http = "http://127.0.0.1:8080/health", every = "10s", timeout = "2s", failures = 3 }',
      errors: "A table without a probe.",
      default: "not checked",
    },
  ),
  watchdog: field("watchdogMs", duration, {
    text: "It has to send `WATCHDOG=1` over `NOTIFY_SOCKET` (sd_notify(3)) at least this often, from when it is ready on; `WATCHDOG_USEC` tells it so. If it does not, it is stopped, with ABRT as first signal, and that counts as a failed run. On a starved machine (see `health.timeout`) the first time that it is late it gets up to ten times as long. Not for a task.",
    change: "restart",
    example: 'watchdog = "30s"',
    errors: '`0s`; set beside `ready = { notify = "fd:N" }`.',
    default: "none",
  }),
};

const ending = {
  "start-timeout": field("startTimeoutMs", duration, {
    text: "How long it may take to become ready (a task: to finish). After that it is stopped, and the run counts as failed. `0s`: no limit.",
    change: "live",
    example: 'start-timeout = "2m"',
    default: '`"30s"`; none for a task',
  }),
  stop: group(
    "stop",
    {
      signal: field("signal", signal, {
        text: "The signal that asks it to stop, by name with or without SIG. CONT follows it, unless it is one that stops processes (STOP, TSTP, TTIN, TTOU) and would be taken back by that.",
        change: "live",
        example: 'stop = { signal = "QUIT" }',
        errors: "An unknown name; a number.",
      }),
      timeout: field("timeoutMs", duration, {
        text: "How long it may take; then what is left gets KILL.",
        change: "live",
        example: 'stop = { timeout = "30s" }',
      }),
      command: nullable("command", stopCommand, {
        text: "Asks it to stop, before any signal does: run as the service is (same user, folder and environment), with `ONEUP_PID`. When it has succeeded, the service has until `timeout` has passed since the command began; then, or as soon as the command has failed, the signal is sent. It is written as a hook is, and its output is in the log `NAME/stop`.",
        change: "live",
        example:
          'stop = { command = "redis-cli shutdown" }\n# or\nstop = { command = { command = "kill -QUIT $ONEUP_PID", shell = true } }',
        errors: "Empty; what only a shell could do, without `shell = true`.",
        default: "none",
      }),
      evict: field("evict", choice("stop", "kill"), {
        text: "How a run is ended that was not ready in time or is unhealthy. `stop`: as by any stop. `kill`: with KILL, at once, without hooks or `command`.",
        change: "live",
        example: 'stop = { evict = "kill" }',
      }),
      tree: field("tree", flag, {
        text: "All its descendants get the signal, also those that left its process group. `false`: its process group only.",
        change: "live",
        example: "stop = { tree = false }",
      }),
    },
    {
      text: "How it is stopped.",
      change: "live",
      example: 'stop = { signal = "INT", timeout = "20s" }',
    },
  ),
  log: group(
    "log",
    {
      file: nullable("file", path, {
        text: "A file that gets every line as well. A relative path starts from the folder of the file that defines the service.",
        change: "live",
        example: 'log = { file = "logs/api.log" }',
        default: "none",
      }),
      "max-size": field("maxSize", size, {
        text: "The file is rotated before it grows beyond this. `0B`: never.",
        change: "live",
        example: 'log = { file = "api.log", max-size = "50MiB" }',
      }),
      keep: field("keep", integer(0, 1000), {
        text: "How many rotated files are kept: `api.log.1` is the newest.",
        change: "live",
        example: 'log = { file = "api.log", keep = 2 }',
      }),
      split: field("split", flag, {
        text: "Instead of rotating, what comes is cut into pieces of exactly `max-size` bytes, also within a line: the first is named as `file` says, the next ones `FILE.1`, `FILE.2`, …; nothing is renamed or deleted. Each start of the service begins anew with the first, and overwrites. stdout alone goes there. An output that ends where a piece does leaves an empty one after it.",
        change: "restart",
        example: 'log = { file = "api.log", max-size = "1MiB", split = true }',
        errors: '`max-size` of `0B`; `keep`, or `format = "json"`, beside it; set without `file`.',
      }),
      stamp: field("stamp", flag, {
        text: "With `split`: the time when the service was started, in seconds since 1970, is part of the names: `FILE.1767225600`, `FILE.1767225600.1` and so on.",
        change: "restart",
        example: 'log = { file = "api.log", max-size = "1MiB", split = true, stamp = true }',
        errors: "Set without `split`.",
      }),
      format: field("format", choice("text", "json"), {
        text: "`text`: the lines as they came. `json`: one record a line, with time, stream and process.",
        change: "live",
        example: 'log = { file = "api.log", format = "json" }',
      }),
      console: field("console", flag, {
        text: "Show it on the supervisor's own stdout as `name | line`.",
        change: "live",
        example: "log = { console = false }",
      }),
      lines: field("lines", integer(0, 100_000), {
        text: "How many lines are kept in memory for `oneup logs`.",
        change: "live",
        example: "log = { lines = 5000 }",
      }),
    },
    {
      text: "Where its output goes.",
      change: "live",
      example: 'log = { file = "logs/api.log", keep = 3 }',
    },
  ),
};

const schedule = {
  schedule: group(
    "schedule",
    {
      cron: field("cron", cronPattern, {
        text: "Five fields: minute, hour, day of the month, month, weekday; or six, with seconds first. Each is `*`, a number, a range `1-5`, a step `*/10` or `0-30/10`, or several of these with commas. Months and weekdays also go by name (`JAN`, `MON`, in any case), Sunday is 0 or 7. Where day and weekday are both restricted (neither begins with `*`), either is enough. Also `@hourly`, `@daily` (`@midnight`), `@weekly`, `@monthly` and `@yearly` (`@annually`).",
        change: "live",
        example: 'schedule = { cron = "0 3 * * *" }\n# or\nschedule = { cron = "*/10 * 8-17 * * MON-FRI" }',
        errors: "A number out of its range; another number of fields; a date that never comes.",
        default: "none; either this or `every` must be set",
      }),
      every: field("everyMs", interval, {
        text: "From the start of a run to the start of the next, and from the supervisor's start to the first one.",
        change: "live",
        example: 'schedule = { every = "15m" }',
        errors: "Less than `1s`; set beside `cron`.",
        default: "none",
      }),
      overlap: field("overlap", choice("skip", "queue", "kill"), {
        text: "What happens when its time comes while the run before it is still at work. `skip`: nothing. `queue`: it runs as soon as the other has ended; at most one waits. `kill`: the other is stopped as by `stop`, and when all of it has left, it runs.",
        change: "live",
        example: 'schedule = { every = "1m", overlap = "queue" }',
        default: '`"skip"`',
      }),
      missed: field("missed", choice("skip", "once"), {
        text: "What happens when its time went by while the machine slept, or was left out when the clock was put forward. `skip`: nothing. `once`: it runs now, once, however many times went by. What is late by less than a minute runs in any case.",
        change: "live",
        example: 'schedule = { cron = "@daily", missed = "once" }',
        default: '`"skip"`',
      }),
      "at-start": field("atStart", flag, {
        text: "It also runs when the supervisor starts. Without it a scheduled task does not, whatever `autostart` says.",
        change: "live",
        example: 'schedule = { every = "1h", at-start = true }',
        default: "`false`",
      }),
      "time-zone": field("timeZone", text, {
        text: "In which time zone `cron` is meant: a name of the system's zone files (package tzdata), or `UTC`.",
        change: "live",
        example: 'schedule = { cron = "30 2 * * *", time-zone = "Europe/Berlin" }',
        errors: "An unknown zone; set beside `every`, which knows no time of day.",
        default: "the system's: `TZ`, else `/etc/localtime`, else UTC",
      }),
    },
    {
      text: "When it runs by itself, beside the times that it is asked for or needed. [schedules.md](schedules.md) tells what happens when clocks change.",
      change: "live",
      example: 'schedule = { cron = "0 3 * * *", time-zone = "Europe/Berlin" }',
      errors: "Neither `cron` nor `every`. For a service: a schedule belongs to a task.",
      default: "none",
    },
  ),
};

export const serviceFields = {
  ...relations,
  ...execution,
  ...guarding,
  ...restarts,
  ...ready,
  ...wellbeing,
  hooks: hooksOf(hookFields),
  ...reloading,
  ...ending,
};
const { "remain-after-exit": _remainAfterExit, ...taskRestarts } = restarts;

export const taskFields = {
  ...relations,
  ...execution,
  ...guarding,
  ...taskRestarts,
  hooks: hooksOf(taskHooks),
  ...reloading,
  ...ending,
  ...schedule,
};
export const targetFields = relations;

export const supervisorFields = {
  "shutdown-timeout": field("shutdownTimeoutMs", duration, {
    text: "How long an ordered shutdown may take in all; then everything that is left gets KILL at once.",
    change: "live",
    example: 'shutdown-timeout = "2m"',
  }),
  "start-concurrency": field("startConcurrency", count, {
    text: "How many services may be `starting` at a time: between their start and being ready. The others stay `waiting`; what others depend on goes first, then who came first. One that does not become ready keeps its place until its `start-timeout` has passed; a task takes one only until its process runs. `0`: no limit.",
    change: "live",
    example: "start-concurrency = 4",
  }),
  "restart-budget": field("restartBudget", budget, {
    text: "How many automatic restarts, of all services together, there may be: so many at once, and they grow back evenly over the time (`10/1m`: ten at once, then one every 6 seconds). A service that is without a token stays `waiting`; what others depend on goes first. A start that somebody asks for costs nothing. `0/1m`: no limit.",
    change: "live",
    example: 'restart-budget = "10/1m"',
    errors: "No number of restarts, no time, or a time of 0.",
    default: '`"0/1m"`: no limit',
  }),
  "api-listen": field("apiListen", listenAddress, {
    text: "A TCP address for the API beside the Unix socket. Empty: none.",
    change: "restart",
    example: 'api-listen = "127.0.0.1:7700"\napi-token-file = "/run/secrets/oneup-token"',
    errors: "Set without `api-token-file`; a port outside 1 to 65535.",
    default: "none",
  }),
  "api-token-file": field("apiTokenFile", optionalPath, {
    text: "The file with the token that requests over TCP must carry (`Authorization: Bearer …`).",
    change: "restart",
    example: 'api-token-file = "/run/secrets/oneup-token"',
    errors: "A missing file.",
    default: "none",
  }),
  "leave-when-done": field("leaveWhenDone", flag, {
    text: "The supervisor leaves by itself when there is nothing left to do: when every service has ended for good (`exited`, `failed`, `inactive`), or waits for what will not come: for one of these, or for itself in a circle. What is to start by a schedule is still to do.",
    change: "live",
    example: "leave-when-done = true",
  }),
  "failed-exit-code": nullable("failedExitCode", integer(0, 255), {
    text: "What the supervisor leaves with if a service is `failed` then, whatever the shutdown came from. What was ended by a stop has not failed, and a `main` service that ends otherwise than with 0 has its own say.",
    change: "live",
    example: "leave-when-done = true\nfailed-exit-code = 101",
    default: '1 after `on-failure = "shutdown"`, otherwise 0',
  }),
  "log-format": field("logFormat", choice("text", "json"), {
    text: "What stdout gets: `name | line`, or a JSON record a line.",
    change: "restart",
    example: 'log-format = "json"',
  }),
};

/** The sections of a file: `[service.NAME]`, … */
export const SECTIONS = {
  service: serviceFields,
  task: taskFields,
  target: targetFields,
} as const;
