#include "tls.h"

#include <stdio.h>

// Aligned above a page's cache lines, to see the block laid out as the segment asks.
_Thread_local char second_buffer[256] __attribute__((aligned(64))) = "second";

__attribute__((constructor)) static void construct(void) {
  printf("constructor of second, after %d\n", first_next());
}

const char *second_text(void) { return second_buffer; }
