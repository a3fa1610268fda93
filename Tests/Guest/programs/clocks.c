// Clocks, sleeping, and the vDSO that serves them.
#include "../check.h"

#include <elf.h>
#include <link.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>
#include <time.h>

static int64_t nanoseconds(struct timespec t) { return t.tv_sec * 1000000000ll + t.tv_nsec; }

static int64_t now(clockid_t clock) {
  struct timespec t = {-1, 0};
  clock_gettime(clock, &t);
  return nanoseconds(t);
}

static int64_t now_by_call(clockid_t clock) {
  struct timespec t = {-1, 0};
  syscall(SYS_clock_gettime, clock, &t);
  return nanoseconds(t);
}

/// Looks a function up in the vDSO, as a C library does.
static void *vdso_function(const char *wanted, const char **version) {
  const char *base = (const char *)getauxval(AT_SYSINFO_EHDR);
  const ElfW(Ehdr) *header = (const void *)base;
  const ElfW(Phdr) *segments = (const void *)(base + header->e_phoff);
  const ElfW(Dyn) *dynamic = NULL;
  const char *bias = base;
  for (int i = 0; i < header->e_phnum; i++) {
    if (segments[i].p_type == PT_LOAD) bias = base + segments[i].p_offset - segments[i].p_vaddr;
    if (segments[i].p_type == PT_DYNAMIC) dynamic = (const void *)(base + segments[i].p_offset);
  }
  const char *strings = NULL;
  const ElfW(Sym) *symbols = NULL;
  const uint32_t *hash = NULL, *gnu_hash = NULL;
  const uint16_t *versions = NULL;
  const ElfW(Verdef) *definitions = NULL;
  for (; dynamic && dynamic->d_tag != DT_NULL; dynamic++) {
    const void *value = bias + dynamic->d_un.d_ptr;
    switch (dynamic->d_tag) {
      case DT_STRTAB: strings = value; break;
      case DT_SYMTAB: symbols = value; break;
      case DT_HASH: hash = value; break;
      case DT_GNU_HASH: gnu_hash = value; break;
      case DT_VERSYM: versions = value; break;
      case DT_VERDEF: definitions = value; break;
    }
  }
  if (!strings || !symbols || (!hash && !gnu_hash)) return NULL;
  uint32_t count = hash ? hash[1] : 32;
  for (uint32_t i = 1; i < count; i++) {
    if (strcmp(strings + symbols[i].st_name, wanted) != 0 || symbols[i].st_shndx == 0) continue;
    *version = "";
    for (const ElfW(Verdef) *d = definitions; versions && d; d = (const void *)((const char *)d + d->vd_next)) {
      if (!(d->vd_flags & VER_FLG_BASE) && (d->vd_ndx & 0x7fff) == (versions[i] & 0x7fff))
        *version = strings + ((const ElfW(Verdaux) *)((const char *)d + d->vd_aux))->vda_name;
      if (!d->vd_next) break;
    }
    return (void *)(uintptr_t)(bias + symbols[i].st_value);
  }
  return NULL;
}

int main(void) {
  const char *functions[] = {"__vdso_clock_gettime", "__vdso_gettimeofday", "__vdso_time", "__vdso_clock_getres",
                             "__vdso_getcpu"};
  for (int i = 0; i < 5; i++) {
    const char *version = "missing";
    void *function = vdso_function(functions[i], &version);
    say("%s version %s", functions[i], version);
    check_report(function != NULL, __LINE__, functions[i]);
    if (function && i == 0) {
      struct timespec t = {-1, -1};
      CHECK_EQ(((int (*)(clockid_t, struct timespec *))function)(CLOCK_MONOTONIC, &t), 0);
      CHECK(t.tv_sec >= 0 && t.tv_nsec >= 0 && t.tv_nsec < 1000000000);
      CHECK_EQ(((int (*)(clockid_t, struct timespec *))function)(1234, &t), -EINVAL);
    }
  }

  struct {
    const char *name;
    clockid_t clock;
  } clocks[] = {{"REALTIME", CLOCK_REALTIME}, {"MONOTONIC", CLOCK_MONOTONIC}, {"MONOTONIC_RAW", CLOCK_MONOTONIC_RAW},
                {"REALTIME_COARSE", CLOCK_REALTIME_COARSE}, {"MONOTONIC_COARSE", CLOCK_MONOTONIC_COARSE},
                {"BOOTTIME", CLOCK_BOOTTIME}, {"PROCESS_CPUTIME_ID", CLOCK_PROCESS_CPUTIME_ID},
                {"THREAD_CPUTIME_ID", CLOCK_THREAD_CPUTIME_ID}, {"TAI", CLOCK_TAI}};
  for (size_t i = 0; i < sizeof clocks / sizeof *clocks; i++) {
    int64_t last = now(clocks[i].clock), steps = 0, back = 0;
    for (int j = 0; j < 20000; j++) {
      int64_t t = j % 16 ? now(clocks[i].clock) : now_by_call(clocks[i].clock);
      if (t < last) back++;
      if (t > last) steps++;
      last = t;
    }
    say("%s: %s", clocks[i].name, last < 0 ? "no such clock" : back ? "goes back" : "never goes back");
    check_count++, check_failures += last < 0 || back;
    if (i < 3 || i == 5) CHECK_THAT("it moves on", steps > 100);
    struct timespec resolution = {5, 5};
    CHECK_OK(clock_getres(clocks[i].clock, &resolution));
    CHECK(resolution.tv_sec == 0 && resolution.tv_nsec >= 1 && resolution.tv_nsec <= 10000000);
  }
  struct timespec t;
  CHECK_ERRNO(clock_gettime(1234, &t), EINVAL);
  CHECK_RAW(EINVAL, SYS_clock_gettime, 1234, &t);
  CHECK_RAW(EFAULT, SYS_clock_gettime, CLOCK_REALTIME, 16);
  int64_t difference = now(CLOCK_REALTIME) - now_by_call(CLOCK_REALTIME);
  CHECK_THAT("vDSO and system call agree", difference > -50000000 && difference < 50000000);
  struct timeval tv;
  CHECK_OK(gettimeofday(&tv, NULL));
  time_t seconds = time(NULL);
  CHECK(seconds - tv.tv_sec >= 0 && seconds - tv.tv_sec <= 1);
  CHECK_THAT("it is later than 2024 and earlier than 2100", seconds > 1704067200 && seconds < 4102444800);
  CHECK_EQ(syscall(SYS_time, NULL) - seconds <= 1, 1);

  int64_t start = now(CLOCK_MONOTONIC);
  CHECK_OK(nanosleep(&(struct timespec){0, 30000000}, NULL));
  int64_t slept = now(CLOCK_MONOTONIC) - start;
  CHECK_THAT("a sleep is not too short", slept >= 30000000);
  CHECK_THAT("nor ten seconds too long", slept < 10000000000);
  CHECK_OK(nanosleep(&(struct timespec){0, 0}, NULL));
  CHECK_ERRNO(nanosleep(&(struct timespec){0, 1000000000}, NULL), EINVAL);
  CHECK_ERRNO(nanosleep(&(struct timespec){-1, 0}, NULL), EINVAL);
  CHECK_RAW(EFAULT, SYS_nanosleep, 16, NULL);
  start = now(CLOCK_MONOTONIC);
  struct timespec until = {(start + 20000000) / 1000000000, (start + 20000000) % 1000000000};
  CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL), 0);
  CHECK(now(CLOCK_MONOTONIC) - start >= 20000000);
  CHECK_EQ(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL), 0);
  CHECK_EQ(clock_nanosleep(CLOCK_REALTIME, 0, &(struct timespec){0, 1000000}, NULL), 0);
  CHECK_EQ(clock_nanosleep(1234, 0, &(struct timespec){0, 1}, NULL), EINVAL);
  CHECK_OK(usleep(1000));

  // Processor time advances with work and hardly with sleep.
  int64_t used = now(CLOCK_PROCESS_CPUTIME_ID);
  nanosleep(&(struct timespec){0, 100000000}, NULL);
  CHECK_THAT("sleeping costs little processor time", now(CLOCK_PROCESS_CPUTIME_ID) - used < 50000000);
  used = now(CLOCK_PROCESS_CPUTIME_ID);
  start = now(CLOCK_MONOTONIC);
  while (now(CLOCK_PROCESS_CPUTIME_ID) - used < 50000000 && now(CLOCK_MONOTONIC) - start < 10000000000) continue;
  CHECK_THAT("working does", now(CLOCK_PROCESS_CPUTIME_ID) - used >= 50000000);
  struct rusage usage;
  CHECK_OK(getrusage(RUSAGE_SELF, &usage));
  CHECK(usage.ru_utime.tv_sec * 1000000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_sec * 1000000 +
            usage.ru_stime.tv_usec >= 50000);
  CHECK(usage.ru_maxrss > 0);
  CHECK_ERRNO(getrusage(99, &usage), EINVAL);
  struct tms tms;
  CHECK(times(&tms) != (clock_t)-1);
  CHECK(clock() >= 50000);

  // POSIX timers.
  timer_t timer;
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR1);
  sigprocmask(SIG_BLOCK, &mask, NULL);
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 99};
  CHECK_OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
  struct itimerspec spec = {{0, 5000000}, {0, 10000000}}, left;
  CHECK_OK(timer_settime(timer, 0, &spec, NULL));
  siginfo_t info;
  CHECK_EQ(sigwaitinfo(&mask, &info), SIGUSR1);
  CHECK_EQ(info.si_code, SI_TIMER);
  CHECK_EQ(info.si_value.sival_int, 99);
  CHECK_OK(timer_gettime(timer, &left));
  CHECK_EQ(left.it_interval.tv_nsec, 5000000);
  nanosleep(&(struct timespec){0, 50000000}, NULL);
  CHECK_EQ(sigwaitinfo(&mask, &info), SIGUSR1);
  CHECK_THAT("overruns are counted", timer_getoverrun(timer) >= 5);
  CHECK_OK(timer_delete(timer));
  CHECK_END();
}
