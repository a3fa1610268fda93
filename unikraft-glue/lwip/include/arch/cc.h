// What lwIP wants to know of the compiler. It runs in the kernel, on one CPU, and is never preempted.
#ifndef ARCH_CC_H
#define ARCH_CC_H

#include <stddef.h>
#include <stdint.h>

#define LWIP_NO_INTTYPES_H 1
#define LWIP_NO_UNISTD_H 1
#define LWIP_NO_CTYPE_H 1
#define LWIP_ERR_T int8_t
#define SSIZE_MAX INTPTR_MAX
typedef intptr_t ssize_t;

#define BYTE_ORDER LITTLE_ENDIAN
#define LWIP_CHKSUM_ALGORITHM 3
#define PACK_STRUCT_STRUCT __attribute__((packed))

#define LWIP_PLATFORM_DIAG(message) ((void)0)
// A broken invariant of the stack's own. The trap's report names the function by its address.
#define LWIP_PLATFORM_ASSERT(message) __builtin_trap()

uint32_t clwip_random(void);
#define LWIP_RAND() clwip_random()

#endif
