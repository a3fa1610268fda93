// vdso-test VDSO.SO: maps the vDSO as the kernel does, below it a page of time data, and calls its functions.
#define _GNU_SOURCE
#include <elf.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

#include "vdso_data.h"

static int failures;
#define CHECK(condition)                                                  \
  do {                                                                    \
    if (!(condition)) {                                                   \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);     \
      failures++;                                                         \
    }                                                                     \
  } while (0)

static const char *image;

static void *dynamic_entry(int64_t tag) {
  const Elf64_Ehdr *header = (const void *)image;
  const Elf64_Phdr *segments = (const void *)(image + header->e_phoff);
  for (int i = 0; i < header->e_phnum; i++) {
    if (segments[i].p_type != PT_DYNAMIC) continue;
    for (const Elf64_Dyn *entry = (const void *)(image + segments[i].p_vaddr); entry->d_tag != DT_NULL; entry++)
      if (entry->d_tag == tag) return (void *)(image + entry->d_un.d_ptr);
  }
  fprintf(stderr, "no dynamic entry %ld\n", (long)tag);
  exit(1);
}

// Looks a name up with the version that glibc and musl ask for.
static void *function(const char *name) {
  const uint32_t *hash = dynamic_entry(DT_HASH);
  const Elf64_Sym *symbols = dynamic_entry(DT_SYMTAB);
  const char *strings = dynamic_entry(DT_STRTAB);
  const uint16_t *versions = dynamic_entry(DT_VERSYM);
  for (uint32_t i = 1; i < hash[1]; i++) {
    if (strcmp(strings + symbols[i].st_name, name) != 0) continue;
    const Elf64_Verdef *definition = dynamic_entry(DT_VERDEF);
    while ((definition->vd_ndx & 0x7fff) != (versions[i] & 0x7fff) && definition->vd_next != 0)
      definition = (const void *)((const char *)definition + definition->vd_next);
    const Elf64_Verdaux *version = (const void *)((const char *)definition + definition->vd_aux);
    CHECK(strcmp(strings + version->vda_name, "LINUX_2.6") == 0);
    return (void *)(image + symbols[i].st_value);
  }
  fprintf(stderr, "%s is missing\n", name);
  exit(1);
}

static int64_t nanoseconds(struct timespec time) { return time.tv_sec * 1000000000L + time.tv_nsec; }

static int64_t system_clock(clockid_t clock) {
  struct timespec time;
  clock_gettime(clock, &time);
  return nanoseconds(time);
}

static int is_near(int64_t a, int64_t b) { return llabs(a - b) < 50000000; }

int main(int argc, char **argv) {
  if (argc != 2) return 2;
  int file = open(argv[1], O_RDONLY);
  struct stat status;
  if (file < 0 || fstat(file, &status) != 0) {
    perror(argv[1]);
    return 1;
  }
  size_t size = (size_t)status.st_size;
  char *base = mmap(NULL, 4096 + size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (base == MAP_FAILED || read(file, base + 4096, size) != (ssize_t)size) return 1;
  mprotect(base + 4096, size, PROT_READ | PROT_EXEC);
  image = base + 4096;
  struct vdso_data *data = (void *)base;

  int (*get)(clockid_t, struct timespec *) = function("__vdso_clock_gettime");
  int (*resolution)(clockid_t, struct timespec *) = function("__vdso_clock_getres");
  int (*time_of_day)(struct timeval *, struct timezone *) = function("__vdso_gettimeofday");
  time_t (*seconds)(time_t *) = function("__vdso_time");
  long (*cpu)(unsigned *, unsigned *, void *) = function("__vdso_getcpu");
  struct timespec time;
  struct timeval day;
  time_t stored;

  // Not valid: everything comes from the kernel.
  CHECK(get(CLOCK_MONOTONIC, &time) == 0 && is_near(nanoseconds(time), system_clock(CLOCK_MONOTONIC)));
  CHECK(get(CLOCK_REALTIME, &time) == 0 && is_near(nanoseconds(time), system_clock(CLOCK_REALTIME)));
  CHECK(time_of_day(&day, NULL) == 0 && is_near(day.tv_sec * 1000000000L + day.tv_usec * 1000L, system_clock(CLOCK_REALTIME)));
  CHECK(llabs(seconds(NULL) - system_clock(CLOCK_REALTIME) / 1000000000L) <= 1);

  // Valid: an hour on the clock, and the system's rate.
  uint64_t tsc = __rdtsc();
  int64_t start = system_clock(CLOCK_MONOTONIC_RAW);
  usleep(100000);
  uint64_t ticks = __rdtsc() - tsc;
  int64_t passed = system_clock(CLOCK_MONOTONIC_RAW) - start;
  const int64_t hour = 3600 * 1000000000L;
  const int64_t epoch = 1700000000L * 1000000000L;
  data->tsc_base = __rdtsc();
  data->nanosecond_base = hour;
  data->multiplier = (uint64_t)(((unsigned __int128)passed << 32) / ticks);
  data->realtime_offset = epoch - hour;
  data->sequence = 2;
  data->valid = 1;
  CHECK(get(CLOCK_MONOTONIC, &time) == 0 && is_near(nanoseconds(time), hour));
  CHECK(get(CLOCK_BOOTTIME, &time) == 0 && is_near(nanoseconds(time), hour));
  CHECK(get(CLOCK_REALTIME, &time) == 0 && is_near(nanoseconds(time), epoch));
  CHECK(get(CLOCK_REALTIME_COARSE, &time) == 0 && time.tv_nsec >= 0 && time.tv_nsec < 1000000000L);
  CHECK(time_of_day(&day, NULL) == 0 && day.tv_sec == epoch / 1000000000L && day.tv_usec < 1000000);
  CHECK(seconds(&stored) == epoch / 1000000000L && stored == epoch / 1000000000L);
  CHECK(time_of_day(NULL, NULL) == 0);
  usleep(100000);
  CHECK(get(CLOCK_MONOTONIC, &time) == 0 && is_near(nanoseconds(time), hour + 100000000L));

  // Clocks that only the kernel knows, and errors as the kernel says them.
  CHECK(get(CLOCK_PROCESS_CPUTIME_ID, &time) == 0 && nanoseconds(time) < hour);
  CHECK(get(12345, &time) == -22);
  CHECK(resolution(CLOCK_MONOTONIC, &time) == 0 && nanoseconds(time) == 1);
  CHECK(resolution(CLOCK_REALTIME, NULL) == 0);
  CHECK(resolution(12345, &time) == -22);

  unsigned number = 7, node = 7;
  CHECK(cpu(&number, &node, NULL) == 0 && number == 0 && node == 0);

  printf("vDSO: %d failures\n", failures);
  return failures != 0;
}
