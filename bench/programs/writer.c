/*
 * A service that has a lot to say: MEGABYTES of lines of 100 bytes, as fast as they are taken. It
 * dates its start, and waits when all was taken.
 * Arguments: NAME MEGABYTES.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int stamp(const char *name) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  char line[512];
  int size = snprintf(line, sizeof line, "%s %lld %d\n", name, (long long)now.tv_sec * 1000000000 + now.tv_nsec, (int)getpid());
  const char *file = getenv("BENCH_STAMP");
  int fd = file ? open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666) : -1;
  if (fd < 0 || write(fd, line, (size_t)size) != size) return 0;
  close(fd);
  return 1;
}

int main(int argc, char **argv) {
  static char block[50000];
  if (argc < 3) return 2;
  memset(block, 'l', sizeof block);
  for (size_t end = 99; end < sizeof block; end += 100) block[end] = '\n';
  long long left = atoll(argv[2]) * 1000000;
  if (!stamp(argv[1])) return 1;
  for (size_t from = 0; left > 0;) {
    size_t size = sizeof block - from;
    ssize_t taken = write(1, block + from, left < (long long)size ? (size_t)left : size);
    if (taken <= 0) return 1;
    left -= taken;
    from = (from + (size_t)taken) % sizeof block;
  }
  for (;;) pause();
}
