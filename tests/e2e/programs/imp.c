/*
 * imp: the test suite's ill-mannered program. Its arguments are a little script that it carries
 * out from left to right:
 *
 *   imp ignore TERM say "still here" pause
 *   imp orphan { sleep 50 exit 0 } wait exit 3
 *
 * It is C because it must change nothing by itself: no run time that ignores SIGPIPE, opens
 * descriptors or raises limits. The words are listed in `run` at the end of this file.
 * Numbers called MS are milliseconds. When the words run out it leaves with 0.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

static void die(const char *what) {
  fprintf(stderr, "imp: %s: %s\n", what, strerror(errno));
  _exit(99);
}

static const char *names[] = {
    [SIGHUP] = "HUP",   [SIGINT] = "INT",   [SIGQUIT] = "QUIT", [SIGABRT] = "ABRT", [SIGKILL] = "KILL",
    [SIGUSR1] = "USR1", [SIGUSR2] = "USR2", [SIGPIPE] = "PIPE", [SIGALRM] = "ALRM", [SIGTERM] = "TERM",
    [SIGCHLD] = "CHLD", [SIGCONT] = "CONT", [SIGSTOP] = "STOP", [SIGTSTP] = "TSTP", [SIGTTIN] = "TTIN",
    [SIGTTOU] = "TTOU", [SIGWINCH] = "WINCH", [SIGSEGV] = "SEGV", [SIGXFSZ] = "XFSZ", [SIGPWR] = "PWR",
    [SIGIO] = "IO",     [SIGVTALRM] = "VTALRM", [SIGPROF] = "PROF", [SIGURG] = "URG", [SIGXCPU] = "XCPU",
};

static int signal_number(const char *name) {
  if (strncmp(name, "RTMIN+", 6) == 0) return SIGRTMIN + atoi(name + 6);
  for (size_t n = 1; n < sizeof names / sizeof *names; n++)
    if (names[n] && strcmp(names[n], name) == 0) return (int)n;
  return atoi(name);
}

static const char *signal_name(int number) {
  static char text[16];
  if (number < (int)(sizeof names / sizeof *names) && names[number]) return names[number];
  if (number >= SIGRTMIN) snprintf(text, sizeof text, "RTMIN+%d", number - SIGRTMIN);
  else snprintf(text, sizeof text, "%d", number);
  return text;
}

/* CLOCK_MONOTONIC in microseconds: the same clock in every process of the machine. */
static long long micros(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (long long)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void nap(int ms) {
  struct timespec t = {ms / 1000, (ms % 1000) * 1000000L};
  while (nanosleep(&t, &t) != 0 && errno == EINTR)
    ;
}

/* One write, so that lines of several processes do not mix. */
static void line_to(int fd, const char *format, ...) {
  char text[4096];
  va_list list;
  va_start(list, format);
  int size = vsnprintf(text, sizeof text - 1, format, list);
  va_end(list);
  text[size++] = '\n';
  if (write(fd, text, (size_t)size) < 0) return;
}

/* Appends "WORD PID MICROSECONDS" to a file. */
static void mark(const char *file, const char *word) {
  int fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
  if (fd < 0) die(file);
  line_to(fd, "%s %d %lld", word, (int)getpid(), micros());
  close(fd);
}

/* What `on`, `leave` and `breed` ask to happen on a signal. */
static struct reaction {
  const char *file;
  int leaves, after, code, breeds;
} reactions[_NSIG];

static void react(int number) {
  int saved = errno;
  struct reaction *what = &reactions[number];
  if (what->file) mark(what->file, signal_name(number));
  if (what->breeds) {
    /* A child that is just as stubborn. */
    if (fork() == 0) {
      if (what->file) mark(what->file, "born");
      what->breeds--;
    }
  }
  if (what->leaves) {
    nap(what->after);
    if (what->file) mark(what->file, "done");
    _exit(what->code);
  }
  errno = saved;
}

static void handle(int number) {
  struct sigaction action = {.sa_handler = react, .sa_flags = SA_RESTART};
  sigfillset(&action.sa_mask);
  sigdelset(&action.sa_mask, SIGCONT);
  if (sigaction(number, &action, NULL) != 0) die("sigaction");
}

static void disposition(int number, void (*how)(int)) {
  struct sigaction action = {.sa_handler = how};
  if (sigaction(number, &action, NULL) != 0) die("sigaction");
}

static void json_string(FILE *out, const char *text) {
  fputc('"', out);
  for (; *text; text++) {
    if (*text == '"' || *text == '\\') fprintf(out, "\\%c", *text);
    else if ((unsigned char)*text < 32) fprintf(out, "\\u%04x", (unsigned char)*text);
    else fputc(*text, out);
  }
  fputc('"', out);
}

static void file_json(FILE *out, const char *path) {
  char text[256] = "";
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  if (fd >= 0) close(fd);
  if (size < 0) {
    fputs("null", out);
    return;
  }
  text[size] = 0;
  text[strcspn(text, "\n")] = 0;
  json_string(out, text);
}

static void limit_json(FILE *out, const char *name, int which, const char *end) {
  struct rlimit l;
  getrlimit(which, &l);
  fprintf(out, "\"%s\":[%lld,%lld]%s", name, l.rlim_cur == RLIM_INFINITY ? -1LL : (long long)l.rlim_cur,
          l.rlim_max == RLIM_INFINITY ? -1LL : (long long)l.rlim_max, end);
}

/* Everything that a process inherits, as JSON, into a file made by rename. */
static void state(const char *path) {
  /* Descriptors first: what is opened below must not be among them. */
  int fds[256], count = 0;
  for (int fd = 0; fd < 4096 && count < 256; fd++)
    if (fcntl(fd, F_GETFD) >= 0) fds[count++] = fd;
  char temporary[4096];
  snprintf(temporary, sizeof temporary, "%s.%d", path, (int)getpid());
  FILE *out = fopen(temporary, "we");
  if (!out) die(temporary);
  fprintf(out, "{\"pid\":%d,\"ppid\":%d,\"pgid\":%d,\"sid\":%d,", (int)getpid(), (int)getppid(), (int)getpgrp(),
          (int)getsid(0));
  int terminal = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
  fprintf(out, "\"foreground\":%d,", terminal < 0 ? -1 : (int)tcgetpgrp(terminal));
  if (terminal >= 0) close(terminal);
  sigset_t blocked;
  sigprocmask(SIG_SETMASK, NULL, &blocked);
  const char *comma = "";
  fputs("\"blocked\":[", out);
  for (int n = 1; n < _NSIG; n++)
    if (sigismember(&blocked, n) == 1) {
      fprintf(out, "%s\"%s\"", comma, signal_name(n));
      comma = ",";
    }
  comma = "";
  fputs("],\"ignored\":[", out);
  for (int n = 1; n < _NSIG; n++) {
    struct sigaction action;
    if (sigaction(n, NULL, &action) == 0 && action.sa_handler == SIG_IGN) {
      fprintf(out, "%s\"%s\"", comma, signal_name(n));
      comma = ",";
    }
  }
  comma = "";
  fputs("],\"fds\":[", out);
  for (int n = 0; n < count; n++) {
    fprintf(out, "%s%d", comma, fds[n]);
    comma = ",";
  }
  fputs("],\"types\":[", out);
  for (int n = 0; n < 3; n++) {
    struct stat s;
    char type = fstat(n, &s) != 0 ? '-' : S_ISCHR(s.st_mode) ? 'c' : S_ISFIFO(s.st_mode) ? 'p' : S_ISSOCK(s.st_mode) ? 's' : 'f';
    fprintf(out, "%s\"%c%s\"", n ? "," : "", type, isatty(n) ? "t" : "");
  }
  fputs("],\"limits\":{", out);
  limit_json(out, "nofile", RLIMIT_NOFILE, ",");
  limit_json(out, "core", RLIMIT_CORE, ",");
  limit_json(out, "nproc", RLIMIT_NPROC, "},");
  mode_t mask = umask(0);
  umask(mask);
  fprintf(out, "\"umask\":%d,\"nice\":%d,", (int)mask, getpriority(PRIO_PROCESS, 0));
  char cwd[4096];
  fputs("\"cwd\":", out);
  json_string(out, getcwd(cwd, sizeof cwd) ? cwd : "");
  fputs(",\"oom\":", out);
  file_json(out, "/proc/self/oom_score_adj");
  uid_t u[3];
  gid_t g[3], groups[256];
  getresuid(&u[0], &u[1], &u[2]);
  getresgid(&g[0], &g[1], &g[2]);
  fprintf(out, ",\"uids\":[%d,%d,%d],\"gids\":[%d,%d,%d],\"groups\":[", (int)u[0], (int)u[1], (int)u[2], (int)g[0],
          (int)g[1], (int)g[2]);
  int have = getgroups(256, groups);
  for (int n = 0; n < have; n++) fprintf(out, "%s%d", n ? "," : "", (int)groups[n]);
  fprintf(out, "],\"noNewPrivileges\":%d,\"deathSignal\":", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
  int death = 0;
  prctl(PR_GET_PDEATHSIG, &death);
  fprintf(out, "%d,\"environment\":{", death);
  for (char **entry = environ; *entry; entry++) {
    char *equals = strchr(*entry, '=');
    if (!equals) continue;
    char name[1024];
    snprintf(name, sizeof name, "%.*s", (int)(equals - *entry), *entry);
    fputs(entry == environ ? "" : ",", out);
    json_string(out, name);
    fputc(':', out);
    json_string(out, equals + 1);
  }
  fputs("}}\n", out);
  fclose(out);
  if (rename(temporary, path) != 0) die("rename");
}

static void write_all(int fd, const char *data, size_t size) {
  while (size > 0) {
    ssize_t n = write(fd, data, size);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) die("write");
    data += n;
    size -= (size_t)n;
  }
}

/* TOTAL bytes in numbered lines of 100 bytes each, in large writes. */
static void spew(long long total) {
  static char buffer[65500];
  long long number = 0;
  while (total > 0) {
    size_t used = 0;
    while (used + 100 <= sizeof buffer && total > 0) {
      int size = snprintf(buffer + used, 100, "%lld ", number++);
      memset(buffer + used + size, 'x', (size_t)(99 - size));
      buffer[used + 99] = '\n';
      used += 100;
      total -= 100;
    }
    write_all(1, buffer, used);
  }
}

/* The same bytes at every call: every value there is, newlines among them. */
static void binary(long long total) {
  uint32_t seed = 12345;
  while (total-- > 0) {
    seed = seed * 1664525u + 1013904223u;
    char byte = (char)(seed >> 24);
    write_all(1, &byte, 1);
  }
}

static void listen_at(int port) {
  int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (s < 0 || bind(s, (struct sockaddr *)&at, sizeof at) != 0 || listen(s, 16) != 0) die("listen");
}

/* The index behind the brace that closes the one at `open`. */
static int behind(char **word, int open) {
  int depth = 0;
  for (int n = open; word[n]; n++) {
    if (strcmp(word[n], "{") == 0) depth++;
    if (strcmp(word[n], "}") == 0 && --depth == 0) return n + 1;
  }
  fprintf(stderr, "imp: no closing brace\n");
  _exit(98);
}

static void run(char **word);

/* Runs the words of a block in this process. */
static void block(char **word, int open) {
  int end = behind(word, open);
  int size = end - open - 2;
  char **copy = calloc((size_t)size + 1, sizeof *copy);
  memcpy(copy, word + open + 1, (size_t)size * sizeof *copy);
  run(copy);
  free(copy);
}

static void run(char **word) {
  for (int n = 0; word[n];) {
    const char *verb = word[n];
#define IS(name, count) (strcmp(verb, name) == 0 && (n += 1 + (count)))
#define ARG(index) word[n - (index)]
    if (IS("say", 1)) line_to(1, "%s", ARG(1));
    else if (IS("err", 1)) line_to(2, "%s", ARG(1));
    else if (IS("hello", 0)) line_to(1, "hello %d", (int)getpid());
    else if (IS("env", 1)) line_to(1, "%s=%s", ARG(1), getenv(ARG(1)) ? getenv(ARG(1)) : "(unset)");
    else if (IS("mark", 2)) mark(ARG(1), ARG(2));
    else if (IS("ignore", 1)) disposition(signal_number(ARG(1)), SIG_IGN);
    else if (IS("default", 1)) disposition(signal_number(ARG(1)), SIG_DFL);
    else if (IS("block", 1)) {
      sigset_t set;
      sigemptyset(&set);
      sigaddset(&set, signal_number(ARG(1)));
      sigprocmask(SIG_BLOCK, &set, NULL);
    }
    /* on SIG FILE: each SIG appends a mark. */
    else if (IS("on", 2)) {
      reactions[signal_number(ARG(2))].file = ARG(1);
      handle(signal_number(ARG(2)));
    }
    /* leave SIG FILE MS CODE: SIG appends a mark, MS later another ("done"), then it leaves. */
    else if (IS("leave", 4)) {
      int number = signal_number(ARG(4));
      reactions[number] =
          (struct reaction){.file = ARG(3), .leaves = 1, .after = atoi(ARG(2)), .code = atoi(ARG(1))};
      handle(number);
    }
    /* breed SIG FILE N: each SIG makes a child that does the same, N generations. */
    else if (IS("breed", 3)) {
      int number = signal_number(ARG(3));
      reactions[number] = (struct reaction){.file = ARG(2), .breeds = atoi(ARG(1))};
      handle(number);
    }
    else if (IS("fork", 0)) {
      int end = behind(word, n);
      pid_t child = fork();
      if (child < 0) die("fork");
      if (child == 0) {
        block(word, n);
        _exit(0);
      }
      n = end;
    }
    /* A grandchild whose parent is gone. */
    else if (IS("orphan", 0)) {
      int end = behind(word, n);
      pid_t child = fork();
      if (child < 0) die("fork");
      if (child == 0) {
        pid_t grandchild = fork();
        if (grandchild < 0) die("fork");
        if (grandchild == 0) {
          while (getppid() == child) nap(1);
          block(word, n);
          _exit(0);
        }
        _exit(0);
      }
      while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
        ;
      n = end;
    }
    else if (IS("setsid", 0)) {
      if (setsid() < 0) die("setsid");
    }
    else if (IS("setpgid", 0)) {
      if (setpgid(0, 0) != 0) die("setpgid");
    }
    else if (IS("wait", 0)) {
      while (wait(NULL) > 0 || errno == EINTR)
        ;
    }
    else if (IS("pause", 0)) {
      for (;;) pause();
    }
    else if (IS("sleep", 1)) nap(atoi(ARG(1)));
    else if (IS("exit", 1)) _exit(atoi(ARG(1)));
    else if (IS("raise", 1)) raise(signal_number(ARG(1)));
    else if (IS("repeat", 1)) {
      int times = atoi(ARG(1)), open = n, end = behind(word, n);
      while (times-- > 0) block(word, open);
      n = end;
    }
    /* once FILE { … }: only if FILE does not exist yet; makes it. */
    else if (IS("once", 1)) {
      int end = behind(word, n), fd = open(ARG(1), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (fd >= 0) {
        close(fd);
        block(word, n);
      }
      n = end;
    }
    /* if FILE { … } and unless FILE { … } */
    else if (IS("if", 1)) {
      int end = behind(word, n);
      if (access(ARG(1), F_OK) == 0) block(word, n);
      n = end;
    }
    else if (IS("unless", 1)) {
      int end = behind(word, n);
      if (access(ARG(1), F_OK) != 0) block(word, n);
      n = end;
    }
    /* Waits until FILE exists. */
    else if (IS("until", 1)) {
      while (access(ARG(1), F_OK) != 0) nap(2);
    }
    else if (IS("touch", 1)) {
      int fd = open(ARG(1), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
      if (fd >= 0) close(fd);
    }
    else if (IS("remove", 1)) unlink(ARG(1));
    else if (IS("state", 1)) state(ARG(1));
    else if (IS("close", 1)) close(atoi(ARG(1)));
    else if (IS("spew", 1)) spew(atoll(ARG(1)));
    else if (IS("binary", 1)) binary(atoll(ARG(1)));
    /* long N: N bytes and no line break. */
    else if (IS("long", 1)) {
      long long size = atoll(ARG(1));
      static char piece[4096];
      memset(piece, 'y', sizeof piece);
      for (; size > 0; size -= (long long)sizeof piece)
        write_all(1, piece, size < (long long)sizeof piece ? (size_t)size : sizeof piece);
    }
    /* count MS: "PID NUMBER" for ever, a line every MS. */
    else if (IS("count", 1)) {
      for (long long number = 0;; number++) {
        line_to(1, "%d %lld", (int)getpid(), number);
        nap(atoi(ARG(1)));
      }
    }
    else if (IS("listen", 1)) listen_at(atoi(ARG(1)));
    /* echo: reads lines and says what it read; at the end of input it says "eof". */
    else if (IS("echo", 0)) {
      char text[1024];
      while (fgets(text, sizeof text, stdin)) {
        text[strcspn(text, "\n")] = 0;
        line_to(1, "read %s", text);
      }
      line_to(1, "eof");
    }
    /* spin: burns processor time. */
    else if (IS("spin", 0)) {
      for (volatile long x = 0;; x++)
        ;
    }
    else if (IS("exec", 0)) {
      execvp(word[n], word + n);
      die(word[n]);
    }
    else {
      fprintf(stderr, "imp: unknown word %s\n", verb);
      _exit(97);
    }
  }
}

int main(int argc, char **argv) {
  (void)argc;
  run(argv + 1);
  return 0;
}
