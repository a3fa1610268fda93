// The program of the boot rows: one line, and nothing else.
#include <stdio.h>

int main(void) {
  puts("hello");
  return 0;
}
