// What lwIP wants of <stdlib.h>: the kernel's heap.
#ifndef LIBC_STDLIB_H
#define LIBC_STDLIB_H

#include <stddef.h>

void *malloc(size_t size);
void *calloc(size_t count, size_t size);
void free(void *block);
int atoi(const char *text);

#endif
