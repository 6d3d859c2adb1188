/*
 * launch CMD…: runs a command as PID 1 of a fresh pid namespace with its own /proc. The moment
 * before the exec is appended to BENCH_STAMP as "launch NANOSECONDS 1". Ends with its own parent.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what) {
  fprintf(stderr, "launch: %s: %s\n", what, strerror(errno));
  _exit(99);
}

static void put(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, text, strlen(text)) < 0) die(path);
  close(fd);
}

int main(int argc, char **argv) {
  if (argc < 2) return 98;
  char map[64];
  snprintf(map, sizeof map, "0 %d 1", (int)getuid());
  int plain = getuid() != 0;
  if (unshare(CLONE_NEWPID | CLONE_NEWNS | (plain ? CLONE_NEWUSER : 0)) != 0) die("unshare");
  if (plain) {
    put("/proc/self/setgroups", "deny");
    put("/proc/self/uid_map", map);
  }
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) die("mount /");
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  pid_t child = fork();
  if (child < 0) die("fork");
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NOEXEC | MS_NODEV, NULL) != 0) die("mount /proc");
    const char *file = getenv("BENCH_STAMP");
    int fd = file ? open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666) : -1;
    if (fd < 0) die("BENCH_STAMP");
    char line[64];
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int size = snprintf(line, sizeof line, "launch %lld 1\n", (long long)now.tv_sec * 1000000000 + now.tv_nsec);
    if (write(fd, line, (size_t)size) != size) die("write");
    execvp(argv[1], argv + 1);
    die(argv[1]);
  }
  int status;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR)
    ;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
