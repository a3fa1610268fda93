// The functions that glibc and musl look up in the vDSO (vdso(7)): time without entering the kernel.
// This code runs in the program, on its stack; it calls nothing and has no data of its own.
#include "vdso_data.h"

#include <stddef.h>

#define EXPORT __attribute__((visibility("default")))

// The kernel's numbers, at the place that vdso.lds gives them.
extern const volatile struct vdso_data vdso_data __attribute__((visibility("hidden")));

struct timespec {
  int64_t seconds;
  int64_t nanoseconds;
};

struct timeval {
  int64_t seconds;
  int64_t microseconds;
};

struct timezone {
  int32_t minutes_west;
  int32_t dst_time;
};

enum {
  CLOCK_REALTIME = 0,
  CLOCK_MONOTONIC = 1,
  CLOCK_MONOTONIC_RAW = 4,
  CLOCK_REALTIME_COARSE = 5,
  CLOCK_MONOTONIC_COARSE = 6,
  CLOCK_BOOTTIME = 7,
  SYS_gettimeofday = 96,
  SYS_clock_gettime = 228,
  SYS_clock_getres = 229,
};

static const uint64_t second = 1000000000;

static inline long system_call(long number, long first, long second_argument) {
  long result;
  __asm__ volatile("syscall"
                   : "=a"(result)
                   : "a"(number), "D"(first), "S"(second_argument)
                   : "rcx", "r11", "memory");
  return result;
}

// The fence keeps the counter from being read before the sequence was.
static inline uint64_t read_tsc(void) {
  uint32_t low, high;
  __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high)::"memory");
  return (uint64_t)high << 32 | low;
}

static inline void order_loads(void) { __asm__ volatile("" ::: "memory"); }

// Gives nanoseconds of the monotonic clock, or of the wall clock; 0 if only the kernel knows.
static inline int read_clock(int wall_clock, uint64_t *nanoseconds) {
  for (;;) {
    uint32_t sequence = vdso_data.sequence;
    order_loads();
    if (sequence & 1) {
      __asm__ volatile("pause");
      continue;
    }
    if (!vdso_data.valid) return 0;
    uint64_t ticks = read_tsc() - vdso_data.tsc_base;
    uint64_t now = vdso_data.nanosecond_base + (uint64_t)((unsigned __int128)ticks * vdso_data.multiplier >> 32);
    if (wall_clock) now += vdso_data.realtime_offset;
    order_loads();
    if (vdso_data.sequence == sequence) {
      *nanoseconds = now;
      return 1;
    }
  }
}

EXPORT int __vdso_clock_gettime(int clock, struct timespec *time) {
  int wall_clock;
  switch (clock) {
  case CLOCK_REALTIME:
  case CLOCK_REALTIME_COARSE:
    wall_clock = 1;
    break;
  case CLOCK_MONOTONIC:
  case CLOCK_MONOTONIC_RAW:
  case CLOCK_MONOTONIC_COARSE:
  case CLOCK_BOOTTIME:
    wall_clock = 0;
    break;
  default:
    return (int)system_call(SYS_clock_gettime, clock, (long)time);
  }
  uint64_t now;
  if (!read_clock(wall_clock, &now)) return (int)system_call(SYS_clock_gettime, clock, (long)time);
  time->seconds = (int64_t)(now / second);
  time->nanoseconds = (int64_t)(now % second);
  return 0;
}

EXPORT int __vdso_gettimeofday(struct timeval *time, struct timezone *zone) {
  uint64_t now;
  if (!read_clock(1, &now)) return (int)system_call(SYS_gettimeofday, (long)time, (long)zone);
  if (time != NULL) {
    time->seconds = (int64_t)(now / second);
    time->microseconds = (int64_t)(now % second / 1000);
  }
  if (zone != NULL) {
    zone->minutes_west = 0;
    zone->dst_time = 0;
  }
  return 0;
}

EXPORT int64_t __vdso_time(int64_t *time) {
  uint64_t now;
  struct timeval value;
  int64_t seconds;
  if (read_clock(1, &now)) {
    seconds = (int64_t)(now / second);
  } else {
    system_call(SYS_gettimeofday, (long)&value, 0);
    seconds = value.seconds;
  }
  if (time != NULL) *time = seconds;
  return seconds;
}

EXPORT int __vdso_clock_getres(int clock, struct timespec *resolution) {
  switch (clock) {
  case CLOCK_REALTIME:
  case CLOCK_MONOTONIC:
  case CLOCK_MONOTONIC_RAW:
  case CLOCK_REALTIME_COARSE:
  case CLOCK_MONOTONIC_COARSE:
  case CLOCK_BOOTTIME:
    if (resolution != NULL) {
      resolution->seconds = 0;
      resolution->nanoseconds = 1;
    }
    return 0;
  default:
    return (int)system_call(SYS_clock_getres, clock, (long)resolution);
  }
}

// The kernel runs one CPU.
EXPORT long __vdso_getcpu(unsigned *cpu, unsigned *node, void *unused) {
  (void)unused;
  if (cpu != NULL) *cpu = 0;
  if (node != NULL) *node = 0;
  return 0;
}
