// What the benchmark programs have in common: the clock, and the lines that they print, in the form of microbench.c.
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

static void figure(const char *name, double value, const char *unit) {
  printf("%-28s %14.1f %s\n", name, value, unit);
  fflush(stdout);
}

static void skipped(const char *name) {
  printf("%-28s skipped: %s\n", name, strerror(errno));
  fflush(stdout);
}
