// The page of time data that the kernel maps, read-only for the program, right below the vDSO's image: data at BASE,
// image at BASE + 4096, and AT_SYSINFO_EHDR is BASE + 4096.
#ifndef VDSO_DATA_H
#define VDSO_DATA_H

#include <stdint.h>

struct vdso_data {
  // Odd while the kernel changes the rest; it adds 1 before and 1 after.
  uint32_t sequence;
  // 1 if the time stamp counter may be read from ring 3 and the numbers below hold; else every call enters the kernel.
  uint32_t valid;
  // The fields of Kernel's Clock.Scale, in its order:
  // monotonic ns = nanosecond_base + ((tsc - tsc_base) * multiplier >> 32), wall clock ns = that + realtime_offset.
  uint64_t tsc_base;
  uint64_t nanosecond_base;
  uint64_t multiplier;
  uint64_t realtime_offset;
};

#endif
