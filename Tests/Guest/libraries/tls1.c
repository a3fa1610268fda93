#include "tls.h"

#include <stdio.h>

_Thread_local int first_value = 1000;
static _Thread_local long hidden __attribute__((tls_model("initial-exec"))) = 5;

__attribute__((constructor)) static void construct(void) { printf("constructor of first, value %d\n", first_value); }
__attribute__((destructor)) static void destruct(void) { printf("destructor of first\n"); }

int first_next(void) { return first_value += (int)hidden++; }
