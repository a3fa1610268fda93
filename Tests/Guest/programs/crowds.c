// A thousand threads at one time, ten thousand processes one after the other, and processes that are killed at every
// point of exec:
//
//   crowds threads COUNT | crowds processes COUNT | crowds exec COUNT
//
// Afterwards all memory is free again. Only the first process of the guest looks at that: a machine that does other
// things too says nothing by it.
#define _GNU_SOURCE
#include "../check.h"

#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <time.h>

static long free_pages(void) {
  struct sysinfo info;
  sysinfo(&info);
  return (long)(info.freeram / 4096);
}

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/// Calls `work` twice: the first time fills what is kept for the next one.
static void twice(long (*work)(long), long first, long count) {
  long wrong = work(first);
  long before = free_pages();
  wrong += work(count);
  long lost = before - free_pages();
  CHECK_EQ(wrong, 0);
  if (getpid() != 1 || lost < 16) lost = 0;
  CHECK_EQ(lost, 0);
}

// MARK: Threads

static pthread_barrier_t barrier;
static long arrivals;

static void *arrive(void *argument) {
  __atomic_add_fetch(&arrivals, (long)argument, __ATOMIC_SEQ_CST);
  pthread_barrier_wait(&barrier);
  pthread_barrier_wait(&barrier);
  return argument;
}

static long tasks(void) { return proc_number("/proc/self/status", "Threads: %ld"); }

static long threads(long count) {
  pthread_t *all = calloc((size_t)count, sizeof *all);
  pthread_attr_t small;
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 1 << 16);
  pthread_barrier_init(&barrier, NULL, (unsigned)count + 1);
  arrivals = 0;
  long wrong = 0, made = 0;
  while (made < count && pthread_create(&all[made], &small, arrive, (void *)(made + 1)) == 0) made++;
  if (made < count) {
    say("thread %ld: %s", made, check_errno_name(errno));
    exit(1);
  }
  pthread_barrier_wait(&barrier);
  wrong += tasks() != count + 1;
  wrong += arrivals != count * (count + 1) / 2;
  pthread_barrier_wait(&barrier);
  for (long i = 0; i < count; i++) {
    void *result = NULL;
    wrong += pthread_join(all[i], &result) != 0 || result != (void *)(i + 1);
  }
  // The last ones may still be on their way out.
  while (tasks() != 1) usleep(1000);
  free(all);
  return wrong;
}

// MARK: Processes

static long processes(long count) {
  long wrong = 0;
  for (long i = 0; i < count; i++) {
    pid_t pid = fork();
    if (pid == 0) _exit((int)(i & 0xff));
    int status = -1;
    wrong += waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != (i & 0xff);
  }
  return wrong;
}

// MARK: exec

static int bell[2];

__attribute__((noreturn)) static void again(void) {
  execl("/proc/self/exe", "crowds", "again", (char *)NULL);
  _exit(1);
}

static void *again_from_another(void *argument) {
  again();
  return argument;
}

/// What is killed: a process that executes this program over and over, which rings the bell each time.
__attribute__((noreturn)) static void victim(int kind) {
  pthread_t other;
  switch (kind) {
    case 0: again();
    // From a thread that is not the first: exec ends that one, and takes over its number.
    case 1:
      pthread_create(&other, NULL, again_from_another, NULL);
      for (;;) pause();
    // With another thread beside it.
    case 2:
      pthread_create(&other, NULL, arrive, NULL);
      again();
    // In a child that borrows the memory, and goes on by itself.
    default:
      for (;;) {
        pid_t pid = vfork();
        if (pid == 0) {
          execl("/proc/self/exe", "crowds", "once", (char *)NULL);
          _exit(1);
        }
        int status = -1;
        if (waitpid(pid, &status, 0) != pid || status != 0) _exit(2);
      }
  }
}

static uint64_t span;
static long before_first, after_first;

static long exec(long count) {
  long wrong = 0;
  struct timespec pause = {0, 0};
  pipe2(bell, O_NONBLOCK);
  dup2(bell[1], 9);
  pthread_barrier_init(&barrier, NULL, 9);
  // How long two of them take when nothing is new any more.
  for (int time = 0; span == 0 || time < 5; time++) {
    uint64_t start = now();
    pid_t pid = fork();
    if (pid == 0) victim(0);
    char ring;
    for (int i = 0; i < 2; i++)
      while (read(bell[0], &ring, 1) != 1) sched_yield();
    uint64_t taken = now() - start;
    if (span == 0 || taken < span) span = taken;
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    while (read(bell[0], &ring, 1) == 1) {}
  }
  for (long i = 0; i < count; i++) {
    char rings[4096];
    while (read(bell[0], rings, sizeof rings) > 0) {}
    pid_t pid = fork();
    if (pid == 0) victim((int)(i & 3));
    pause.tv_nsec = (long)(span * (uint64_t)i / (uint64_t)count % 1000000000);
    if (pause.tv_nsec) nanosleep(&pause, NULL);
    kill(pid, SIGKILL);
    int status = -1;
    wrong += waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL;
    if (read(bell[0], rings, sizeof rings) > 0) after_first++; else before_first++;
    // What vfork has left behind comes to its own end.
    if ((i & 3) == 3)
      while (waitpid(-1, &status, 0) > 0) wrong += status != 0;
  }
  wrong += waitpid(-1, NULL, 0) != -1;
  close(bell[0]);
  close(bell[1]);
  close(9);
  return wrong;
}

int main(int count, char **values) {
  if (count == 2) {
    if (write(9, "x", 1) < 0 && errno != EAGAIN && errno != EPIPE) return 3;
    if (!strcmp(values[1], "again")) again();
    return 0;
  }
  if (count != 3) return 2;
  long number = atol(values[2]);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  signal(SIGPIPE, SIG_IGN);
  if (!strcmp(values[1], "threads")) twice(threads, number, number);
  if (!strcmp(values[1], "processes")) twice(processes, number / 10, number);
  if (!strcmp(values[1], "exec")) {
    twice(exec, number / 10, number);
    CHECK_THAT("some were killed before they had executed anything, and some afterwards",
               before_first > number / 50 && after_first > number / 50);
  }
  CHECK_END();
}
