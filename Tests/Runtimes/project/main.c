#include "parts.h"
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv) {
  int (*parts[])(int) = {part0, part1, part2, part3, part4, part5};
  int n = argc > 1 ? atoi(argv[1]) : 1;
  for (int i = 0; i < 6; i++) printf("%d: %u\n", i, (unsigned)parts[i](n));
  return 0;
}
