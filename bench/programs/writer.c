/*
 * A service that has a lot to say: MEGABYTES of lines of 100 bytes, as fast as they are taken. It
 * dates its start, and waits when all was taken.
 * Arguments: NAME MEGABYTES.
 */
#include <string.h>

#include "stamp.h"

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
