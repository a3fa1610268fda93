// Loaded with dlopen: calls back into the program, has its own thread-local storage and a constructor.
#include <stdio.h>

int program_callback(int);
static _Thread_local int calls = 10;

__attribute__((constructor)) static void construct(void) { printf("plugin constructor\n"); }
__attribute__((destructor)) static void destruct(void) { printf("plugin destructor\n"); }

int plugin_run(int argument) { return program_callback(argument) + ++calls; }
