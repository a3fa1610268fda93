// Locks with priority inheritance, robust lists and CPU times as Linux has them.
#define _GNU_SOURCE
#include "../check.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/wait.h>
#include <time.h>

enum { LOCK = 6, UNLOCK = 7, TRY = 8, LOCK2 = 13, PRIVATE = 128 };
enum { WAITERS = 0x80000000u, DIED = 0x40000000u };

static uint32_t *word;
static int *notes;

static long futex(int operation, struct timespec *time) { return syscall(SYS_futex, word, operation, 0, time, NULL, 0); }
static uint32_t self(void) { return (uint32_t)syscall(SYS_gettid); }

static int wait_status(pid_t pid) {
  int status = -1;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
  return status;
}

static void until(int *place, int value) {
  while (__atomic_load_n(place, __ATOMIC_SEQ_CST) != value) usleep(500);
}
/// Waits until somebody sleeps for the lock.
static void waited(void) {
  while (!(__atomic_load_n(word, __ATOMIC_SEQ_CST) & WAITERS)) usleep(500);
}

static void *other_thread(void *argument) {
  (void)argument;
  notes[1] = (int)futex(LOCK | PRIVATE, NULL);
  notes[2] = (*word & 0x3fffffff) == self();
  notes[3] = (int)futex(UNLOCK | PRIVATE, NULL);
  return NULL;
}

static void inheritance(void) {
  *word = 0;
  CHECK(futex(LOCK | PRIVATE, NULL) == 0 && *word == self());
  CHECK_ERRNO(futex(LOCK | PRIVATE, NULL), EDEADLK);
  CHECK_ERRNO(futex(TRY | PRIVATE, NULL), EDEADLK);
  CHECK(futex(UNLOCK | PRIVATE, NULL) == 0 && *word == 0);
  CHECK_ERRNO(futex(UNLOCK | PRIVATE, NULL), EPERM);
  CHECK(futex(TRY | PRIVATE, NULL) == 0 && *word == self());
  // It goes over to who waits.
  pthread_t thread;
  pthread_create(&thread, NULL, other_thread, NULL);
  waited();
  CHECK(futex(UNLOCK | PRIVATE, NULL) == 0);
  pthread_join(thread, NULL);
  CHECK(notes[1] == 0 && notes[2] == 1 && notes[3] == 0 && *word == 0);
  // An owner that is none, and time that runs out.
  *word = 0x3ffffff;
  CHECK_ERRNO(futex(LOCK | PRIVATE, NULL), ESRCH);
  *word = 0;
  int gate[2];
  CHECK(pipe(gate) == 0);
  pid_t pid = fork();
  if (pid == 0) {
    char byte;
    futex(LOCK, NULL);
    notes[0] = 1;
    read(gate[0], &byte, 1);
    futex(UNLOCK, NULL);
    _exit(0);
  }
  until(notes, 1);
  CHECK_ERRNO(futex(TRY, NULL), EAGAIN);
  struct timespec time = {1, 0}, wrong = {1, 1000000000};
  CHECK_ERRNO(futex(LOCK, &time), ETIMEDOUT);
  CHECK_ERRNO(futex(LOCK, &wrong), EINVAL);
  clock_gettime(CLOCK_REALTIME, &time);
  time.tv_nsec += 30000000;
  if (time.tv_nsec >= 1000000000) time.tv_sec++, time.tv_nsec -= 1000000000;
  CHECK_ERRNO(futex(LOCK, &time), ETIMEDOUT);
  write(gate[1], "x", 1);
  CHECK(futex(LOCK, NULL) == 0 && (*word & 0x3fffffff) == self());
  CHECK_EQ(wait_status(pid), 0);
  CHECK(futex(UNLOCK, NULL) == 0);
  // An owner that dies.
  notes[0] = 0;
  *word = 0;
  pid = fork();
  if (pid == 0) {
    futex(LOCK, NULL);
    notes[0] = 1;
    waited();
    _exit(0);
  }
  until(notes, 1);
  CHECK(futex(LOCK, NULL) == 0);
  CHECK((*word & ~WAITERS) == (self() | DIED));
  CHECK_EQ(wait_status(pid), 0);
  CHECK(futex(UNLOCK, NULL) == 0);
  uint32_t *kept = word;
  word = (uint32_t *)((char *)kept + 1);
  CHECK_ERRNO(futex(LOCK, NULL), EINVAL);
  word = (uint32_t *)8;
  CHECK_ERRNO(futex(LOCK, NULL), EFAULT);
  CHECK_ERRNO(futex(UNLOCK, NULL), EFAULT);
  word = kept;
  // The C library's own.
  pthread_mutexattr_t kind;
  pthread_mutex_t mutex;
  pthread_mutexattr_init(&kind);
  int protocol = pthread_mutexattr_setprotocol(&kind, PTHREAD_PRIO_INHERIT);
  CHECK(protocol == 0 && pthread_mutex_init(&mutex, &kind) == 0);
  CHECK(pthread_mutex_lock(&mutex) == 0 && pthread_mutex_trylock(&mutex) == EBUSY && pthread_mutex_unlock(&mutex) == 0);
}

static void robust(void) {
  void *head = NULL;
  size_t size = 0;
  CHECK(syscall(SYS_get_robust_list, 0, &head, &size) == 0 && size == 24);
  CHECK_RAW(EINVAL, SYS_set_robust_list, head, 23);
  CHECK_RAW(ESRCH, SYS_get_robust_list, 999999, &head, &size);
  CHECK_RAW(EFAULT, SYS_get_robust_list, 0, 8, &size);
  pid_t pid = fork();
  if (pid == 0) {
    setgid(500);
    setuid(500);
    CHECK_RAW(EPERM, SYS_get_robust_list, getppid(), &head, &size);
    _exit(check_failures);
  }
  CHECK_EQ(wait_status(pid), 0);
}

static double seconds(struct timeval time) { return (double)time.tv_sec + (double)time.tv_usec / 1e6; }

static void usage(void) {
  // Half a second in the program, then half a second in the kernel.
  struct rusage start, middle, end;
  struct timespec now;
  getrusage(RUSAGE_SELF, &start);
  do {
    for (volatile int i = 0; i < 100000; i++) {}
    getrusage(RUSAGE_SELF, &middle);
  } while (seconds(middle.ru_utime) + seconds(middle.ru_stime) - seconds(start.ru_utime) - seconds(start.ru_stime) < 0.5);
  int zero = open("/dev/zero", O_RDONLY);
  static char buffer[1 << 20];
  do {
    for (int i = 0; i < 20; i++) read(zero, buffer, sizeof buffer);
    getrusage(RUSAGE_SELF, &end);
  } while (seconds(end.ru_utime) + seconds(end.ru_stime) - seconds(middle.ru_utime) - seconds(middle.ru_stime) < 0.5);
  close(zero);
  CHECK_THAT("a loop is the program's time",
             seconds(middle.ru_utime) - seconds(start.ru_utime) > 4 * (seconds(middle.ru_stime) - seconds(start.ru_stime)));
  CHECK_THAT("reading is the kernel's",
             seconds(end.ru_stime) - seconds(middle.ru_stime) > 2 * (seconds(end.ru_utime) - seconds(middle.ru_utime)));
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  double sum = seconds(end.ru_utime) + seconds(end.ru_stime), clocked = (double)now.tv_sec + (double)now.tv_nsec / 1e9;
  CHECK_THAT("both make the CPU clock's", sum <= clocked + 0.05 && sum >= clocked - 0.2);
  struct tms ticks;
  CHECK(times(&ticks) != (clock_t)-1 && ticks.tms_utime > 20 && ticks.tms_stime > 15 && ticks.tms_cutime < 20);
  unsigned long user, system;
  char line[1024] = "";
  FILE *stream = fopen("/proc/self/stat", "r");
  CHECK(stream && fgets(line, sizeof line, stream));
  if (stream) fclose(stream);
  char *rest = strrchr(line, ')');
  CHECK(rest && sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) == 2);
  CHECK(user >= (unsigned long)ticks.tms_utime && user < (unsigned long)ticks.tms_utime + 20);
  CHECK(system >= (unsigned long)ticks.tms_stime && system < (unsigned long)ticks.tms_stime + 20);
  pid_t pid = fork();
  if (pid == 0) {
    for (;;) {
      for (volatile int i = 0; i < 100000; i++) {}
      getrusage(RUSAGE_SELF, &end);
      if (seconds(end.ru_utime) + seconds(end.ru_stime) > 0.3) _exit(0);
    }
  }
  struct rusage child, children;
  CHECK(wait4(pid, NULL, 0, &child) == pid && seconds(child.ru_utime) > 0.2);
  CHECK(getrusage(RUSAGE_CHILDREN, &children) == 0 && seconds(children.ru_utime) >= seconds(child.ru_utime));
}

int main(void) {
  char *shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  word = (uint32_t *)shared;
  notes = (int *)(shared + 4096);
  inheritance();
  robust();
  usage();
  CHECK_END();
}
