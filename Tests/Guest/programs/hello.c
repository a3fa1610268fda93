// The smallest C program that shows that start-up worked: arguments, environment, constructors, stdio, exit handlers.
#include <stdio.h>
#include <stdlib.h>

static int constructed;
__attribute__((constructor)) static void construct(void) { constructed = 42; }
__attribute__((destructor)) static void destruct(void) { puts("destructor"); }
static void at_exit(void) { puts("exit handler"); }
static _Thread_local int per_thread = 7;

int main(int argc, char **argv) {
  atexit(at_exit);
  printf("hello %d %d\n", constructed, per_thread);
  for (int i = 0; i < argc; i++) printf("argument %d: %s\n", i, argv[i]);
  const char *value = getenv("GREETING");
  printf("GREETING=%s\n", value ? value : "(none)");
  return 17;
}
