// libport: what Debian's static C libraries need around them in a kernel. It also defines the libc symbols they want.
#ifndef LIBPORT_H
#define LIBPORT_H

#include <stdint.h>

// Those libraries were compiled for programs: they use SSE, thread-local variables and a stack protector that reads
// %fs:0x28. So each call into one stands between libport_enter and libport_leave, which put the program's state of
// these aside. Nothing between the two may block or take an interrupt that switches threads.
struct libport_state {
  _Alignas(16) uint8_t registers[512];
  uint64_t fs_base;
};

void libport_enter(struct libport_state *state);
void libport_leave(const struct libport_state *state);

// For the functions that call the libraries: SSE spills need the stack alignment that the ABI promises, and callers
// compiled without SSE never notice when it is missing.
#define LIBPORT_ENTRY __attribute__((force_align_arg_pointer))

#endif
