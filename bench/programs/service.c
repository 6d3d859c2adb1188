/*
 * The service that every supervisor runs in these measurements: it dates its own start and waits.
 * Its name is its argument, or, where a supervisor passes none, the name of the folder it was
 * started in.
 */
#include <string.h>

#include "stamp.h"

int main(int argc, char **argv) {
  char folder[4096] = "?";
  const char *name = argc > 1 ? argv[1] : getcwd(folder, sizeof folder) && strrchr(folder, '/') ? strrchr(folder, '/') + 1 : "?";
  if (!stamp(name)) return 1;
  for (;;) pause();
}
