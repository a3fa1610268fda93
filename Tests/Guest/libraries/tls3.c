#include "tls.h"

static _Thread_local int one = 1, two = 2;
static _Thread_local int many[1000];

int third_sum(void) {
  many[999] += one + two;
  return many[999] + many[0];
}

// An indirect function: the dynamic linker calls the resolver and takes what it returns.
static int plain(void) { return 1; }
static int better(void) { return 2; }
static int (*resolve(void))(void) { return plain == better ? plain : better; }
int chosen_implementation(void) __attribute__((ifunc("resolve")));
