/*
 * The service that every supervisor runs in these measurements: it dates its own start and waits.
 * "NAME NANOSECONDS PID" (CLOCK_MONOTONIC) is appended to the file that BENCH_STAMP names. NAME
 * is its argument, or, where a supervisor passes none, the name of the folder it was started in.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  char folder[4096] = "?";
  const char *name = argc > 1 ? argv[1] : getcwd(folder, sizeof folder) && strrchr(folder, '/') ? strrchr(folder, '/') + 1 : "?";
  char line[512];
  int size = snprintf(line, sizeof line, "%s %lld %d\n", name, (long long)now.tv_sec * 1000000000 + now.tv_nsec, (int)getpid());
  const char *file = getenv("BENCH_STAMP");
  int fd = file ? open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666) : -1;
  if (fd < 0 || write(fd, line, (size_t)size) != size) return 1;
  close(fd);
  for (;;) pause();
}
