// Locks that pass priorities on, going over from a futex to a lock, and waiting for several futexes, as Linux has them.
#define _GNU_SOURCE
#include "../check.h"

#include <pthread.h>
#include <sched.h>
#include <sys/wait.h>
#include <time.h>

enum { WAIT = 0, WAKE = 1, REQUEUE = 3, LOCK = 6, UNLOCK = 7, TRY = 8, WAIT_BITSET = 9, WAIT_TO_LOCK = 11, TO_LOCK = 12 };
enum { PRIVATE = 128, REALTIME = 256 };
enum { WAITERS = 0x80000000u, DIED = 0x40000000u };

struct several {
  uint64_t value, address;
  uint32_t flags, reserved;
};

static long futex(uint32_t *word, int operation, uint32_t value, void *fourth, uint32_t *second, uint32_t third) {
  return syscall(SYS_futex, word, operation | PRIVATE, value, fourth, second, third);
}
static uint32_t self(void) { return (uint32_t)syscall(SYS_gettid); }

/// A field of /proc/self/task/TID/stat, counted from 1; `state` gets the third.
static long stat_field(uint32_t tid, int number, char *state) {
  char path[64], line[1024] = "";
  snprintf(path, sizeof path, "/proc/self/task/%u/stat", tid);
  int file = open(path, O_RDONLY);
  ssize_t length = read(file, line, sizeof line - 1);
  close(file);
  if (length <= 0) return -999;
  char *at = strrchr(line, ')') + 2;
  if (state) *state = *at;
  for (int field = 3; field < number; field++) at = strchr(at, ' ') + 1;
  return strtol(at, NULL, 10);
}
static long priority(uint32_t tid) { return stat_field(tid, 18, NULL); }

/// Waits until a thread sleeps.
static void asleep(uint32_t *tid) {
  char state = 0;
  while (state != 'S') {
    usleep(500);
    if (__atomic_load_n(tid, __ATOMIC_SEQ_CST)) stat_field(*tid, 3, &state);
  }
}

static void until(uint32_t *place, uint32_t value) {
  while (__atomic_load_n(place, __ATOMIC_SEQ_CST) != value) usleep(500);
}
static void until_priority(uint32_t tid, long value) {
  for (int tries = 0; priority(tid) != value && tries < 4000; tries++) usleep(500);
}
static void set(uint32_t *place, uint32_t value) { __atomic_store_n(place, value, __ATOMIC_SEQ_CST); }

static int real_time(int number) {
  struct sched_param parameter = {.sched_priority = number};
  return (int)syscall(SYS_sched_setscheduler, 0, number ? SCHED_FIFO : SCHED_OTHER, &parameter);
}

// MARK: Priorities

static uint32_t first_lock, second_lock, go;

struct worker {
  int priority;
  uint32_t *takes, *then;
  struct timespec *time;
  uint32_t tid, order;
  long result;
};
static uint32_t order;

static void *work(void *argument) {
  struct worker *worker = argument;
  worker->tid = 0;
  if (worker->priority) real_time(worker->priority);
  if (worker->takes) futex(worker->takes, LOCK, 0, NULL, NULL, 0);
  set(&worker->tid, self());
  worker->result = futex(worker->then, LOCK, 0, worker->time, NULL, 0);
  int error = errno;
  if (worker->result == 0) {
    worker->order = __atomic_add_fetch(&order, 1, __ATOMIC_SEQ_CST);
    futex(worker->then, UNLOCK, 0, NULL, NULL, 0);
  } else {
    worker->result = error;
  }
  if (worker->takes) futex(worker->takes, UNLOCK, 0, NULL, NULL, 0);
  return NULL;
}

static void priorities(void) {
  uint32_t me = self();
  pthread_t threads[3];
  struct worker workers[3] = {
      {.priority = 20, .then = &first_lock}, {.priority = 40, .then = &first_lock}, {.priority = 30, .then = &first_lock}};
  long own = priority(me);
  CHECK_EQ(own, 20);
  CHECK(futex(&first_lock, LOCK, 0, NULL, NULL, 0) == 0);
  for (int i = 0; i < 3; i++) {
    pthread_create(&threads[i], NULL, work, &workers[i]);
    asleep(&workers[i].tid);
    CHECK_EQ(priority(me), i == 0 ? -21 : -41);
  }
  CHECK_EQ(stat_field(me, 40, NULL), 0);
  CHECK_EQ(stat_field(workers[1].tid, 40, NULL), 40);
  CHECK(syscall(SYS_sched_getscheduler, 0) == SCHED_OTHER);
  CHECK_EQ(priority(workers[0].tid), -21);
  CHECK(futex(&first_lock, UNLOCK, 0, NULL, NULL, 0) == 0);
  CHECK_EQ(priority(me), 20);
  for (int i = 0; i < 3; i++) pthread_join(threads[i], NULL);
  CHECK(workers[1].order == 1 && workers[2].order == 2 && workers[0].order == 3);
  CHECK_EQ(first_lock, 0);

  // A chain: the last waits for a lock of one that waits for ours.
  CHECK(futex(&first_lock, LOCK, 0, NULL, NULL, 0) == 0);
  struct worker middle = {.takes = &second_lock, .then = &first_lock}, last = {.priority = 50, .then = &second_lock};
  pthread_create(&threads[0], NULL, work, &middle);
  asleep(&middle.tid);
  CHECK(priority(me) == 20 && priority(middle.tid) == 20);
  pthread_create(&threads[1], NULL, work, &last);
  asleep(&last.tid);
  until_priority(me, -51);
  CHECK_EQ(priority(me), -51);
  CHECK_EQ(priority(middle.tid), -51);
  // To wait in a circle.
  CHECK_ERRNO(futex(&second_lock, LOCK, 0, NULL, NULL, 0), EDEADLK);
  CHECK_ERRNO(futex(&second_lock, TRY, 0, NULL, NULL, 0), EAGAIN);
  // A new priority of one that waits is passed on too.
  struct sched_param parameter = {.sched_priority = 60};
  CHECK(syscall(SYS_sched_setscheduler, last.tid, SCHED_RR, &parameter) == 0);
  until_priority(me, -61);
  CHECK_EQ(priority(me), -61);
  parameter.sched_priority = 0;
  CHECK(syscall(SYS_sched_setscheduler, last.tid, SCHED_OTHER, &parameter) == 0);
  until_priority(me, 20);
  CHECK(priority(me) == 20 && priority(middle.tid) == 20);
  CHECK(futex(&first_lock, UNLOCK, 0, NULL, NULL, 0) == 0);
  pthread_join(threads[0], NULL);
  pthread_join(threads[1], NULL);
  CHECK(middle.result == 0 && last.result == 0 && first_lock == 0 && second_lock == 0);

  // One that gives up takes its priority with it.
  CHECK(futex(&first_lock, LOCK, 0, NULL, NULL, 0) == 0);
  struct timespec time = time_after(CLOCK_REALTIME, 150);
  struct worker hasty = {.priority = 10, .then = &first_lock, .time = &time};
  pthread_create(&threads[0], NULL, work, &hasty);
  until_priority(me, -11);
  CHECK_EQ(priority(me), -11);
  pthread_join(threads[0], NULL);
  CHECK_EQ(hasty.result, ETIMEDOUT);
  CHECK_EQ(priority(me), 20);
  CHECK(futex(&first_lock, UNLOCK, 0, NULL, NULL, 0) == 0);
}

// What it is for: a thread of the middle does not keep the lowest from giving the lock to the highest.

static uint32_t stop, taken, waits;

static void *highest(void *argument) {
  (void)argument;
  real_time(30);
  set(&waits, self());
  futex(&first_lock, LOCK, 0, NULL, NULL, 0);
  set(&stop, 1);
  futex(&first_lock, UNLOCK, 0, NULL, NULL, 0);
  return NULL;
}
static void *between(void *argument) {
  (void)argument;
  real_time(20);
  set(&go, 1);
  // No more than a second: without inheritance nobody would end it.
  struct timespec end = time_after(CLOCK_MONOTONIC, 1000), now;
  do clock_gettime(CLOCK_MONOTONIC, &now);
  while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST) && now.tv_sec * 1000000000LL + now.tv_nsec < end.tv_sec * 1000000000LL + end.tv_nsec);
  return __atomic_load_n(&stop, __ATOMIC_SEQ_CST) ? NULL : argument;
}
static void *lowest(void *argument) {
  pthread_t spinner;
  void *late = argument;
  real_time(10);
  futex(&first_lock, LOCK, 0, NULL, NULL, 0);
  set(&taken, 1);
  asleep(&waits);
  pthread_create(&spinner, NULL, between, &late);
  // With the priority of the highest this goes on beside the one between.
  until(&go, 1);
  for (volatile int i = 0; i < 1000000; i++) {}
  futex(&first_lock, UNLOCK, 0, NULL, NULL, 0);
  pthread_join(spinner, &late);
  return late;
}

static void inversion(void) {
  cpu_set_t one, all;
  sched_getaffinity(0, sizeof all, &all);
  CPU_ZERO(&one);
  for (int i = 0; i < CPU_SETSIZE; i++)
    if (CPU_ISSET(i, &all)) {
      CPU_SET(i, &one);
      break;
    }
  sched_setaffinity(0, sizeof one, &one);
  set(&go, 0);
  pthread_t low, high;
  void *late = NULL;
  pthread_create(&low, NULL, lowest, NULL);
  until(&taken, 1);
  pthread_create(&high, NULL, highest, NULL);
  pthread_join(high, NULL);
  pthread_join(low, &late);
  CHECK_THAT("the lock's owner runs before a thread of the middle", late == NULL);
  sched_setaffinity(0, sizeof all, &all);
}

// MARK: From a futex to a lock

static uint32_t condition, other;

struct sleeper {
  int operation, priority;
  uint32_t tid;
  struct timespec *time;
  long result;
  int has, flags;
};

static void *sleep_there(void *argument) {
  struct sleeper *sleeper = argument;
  if (sleeper->priority) real_time(sleeper->priority);
  set(&sleeper->tid, self());
  errno = 0;
  sleeper->result = futex(&condition, sleeper->operation | sleeper->flags, 0, sleeper->time, &first_lock, ~0u);
  if (sleeper->result < 0) sleeper->result = errno;
  sleeper->has = (first_lock & 0x3fffffff) == self();
  if (sleeper->has) futex(&first_lock, UNLOCK, 0, NULL, NULL, 0);
  return NULL;
}

static void begin(pthread_t *thread, struct sleeper *sleeper) {
  sleeper->tid = 0;
  pthread_create(thread, NULL, sleep_there, sleeper);
  asleep(&sleeper->tid);
}

static void handler(int number) { (void)number; }

static void requeue(void) {
  pthread_t threads[4];
  struct sleeper sleepers[4] = {{.operation = WAIT_TO_LOCK}, {.operation = WAIT_TO_LOCK, .priority = 5}, {.operation = WAIT_TO_LOCK}, {.operation = WAIT_TO_LOCK}};
  CHECK_ERRNO(futex(&condition, TO_LOCK, 0, (void *)1, &first_lock, 0), EINVAL);
  CHECK_ERRNO(futex(&condition, TO_LOCK, 2, (void *)1, &first_lock, 0), EINVAL);
  CHECK_ERRNO(futex(&condition, TO_LOCK, 1, (void *)1, &condition, 0), EINVAL);
  CHECK_ERRNO(futex(&condition, TO_LOCK, 1, (void *)1, &first_lock, 1), EAGAIN);
  CHECK_EQ(futex(&condition, TO_LOCK, 1, (void *)1, &first_lock, 0), 0);
  CHECK_ERRNO(futex(&condition, WAIT_TO_LOCK, 1, NULL, &first_lock, 0), EAGAIN);
  CHECK_ERRNO(futex(&condition, WAIT_TO_LOCK, 0, NULL, &condition, 0), EINVAL);
  struct timespec time = time_after(CLOCK_MONOTONIC, 20), wrong = {0, -1};
  CHECK_ERRNO(futex(&condition, WAIT_TO_LOCK, 0, &time, &first_lock, 0), ETIMEDOUT);
  CHECK_ERRNO(futex(&condition, WAIT_TO_LOCK, 0, &wrong, &first_lock, 0), EINVAL);
  time = time_after(CLOCK_REALTIME, 20);
  CHECK_ERRNO(futex(&condition, WAIT_TO_LOCK | REALTIME, 0, &time, &first_lock, 0), ETIMEDOUT);

  // The lock is free: the first has it at once, by priority, and the others wait for it.
  for (int i = 0; i < 4; i++) begin(&threads[i], &sleepers[i]);
  CHECK_ERRNO(futex(&condition, WAKE, 1, NULL, NULL, 0), EINVAL);
  CHECK_ERRNO(futex(&condition, REQUEUE, 1, (void *)1, &other, 0), EINVAL);
  CHECK_ERRNO(futex(&condition, TO_LOCK, 1, (void *)1, &other, 0), EINVAL);
  CHECK_EQ(futex(&condition, TO_LOCK, 1, (void *)0, &first_lock, 0), 1);
  pthread_join(threads[1], NULL);
  CHECK(sleepers[1].result == 0 && sleepers[1].has == 1);
  CHECK_EQ(futex(&condition, TO_LOCK, 1, (void *)0x7fffffff, &first_lock, 0), 3);
  for (int i = 0; i < 4; i++) if (i != 1) pthread_join(threads[i], NULL);
  CHECK(sleepers[0].result == 0 && sleepers[2].result == 0 && sleepers[3].result == 0);
  CHECK(sleepers[0].has && sleepers[2].has && sleepers[3].has && (first_lock & ~WAITERS) == 0);

  // The lock is ours: nobody runs before we give it back, and who waits lends us his priority.
  set(&first_lock, 0);
  CHECK(futex(&first_lock, LOCK, 0, NULL, NULL, 0) == 0);
  begin(&threads[0], &sleepers[0]);
  begin(&threads[1], &sleepers[1]);
  CHECK_EQ(futex(&condition, TO_LOCK, 1, (void *)1, &first_lock, 0), 2);
  CHECK_EQ(first_lock, self() | WAITERS);
  CHECK_EQ(priority(self()), -6);
  CHECK(futex(&first_lock, UNLOCK, 0, NULL, NULL, 0) == 0);
  pthread_join(threads[0], NULL);
  pthread_join(threads[1], NULL);
  CHECK(sleepers[0].result == 0 && sleepers[0].has && sleepers[1].result == 0 && sleepers[1].has);
  CHECK_EQ(priority(self()), 20);

  // A signal and the end of time, while the lock is waited for.
  set(&first_lock, 0);
  CHECK(futex(&first_lock, LOCK, 0, NULL, NULL, 0) == 0);
  time = time_after(CLOCK_MONOTONIC, 100);
  sleepers[0].time = &time;
  begin(&threads[0], &sleepers[0]);
  begin(&threads[2], &sleepers[2]);
  CHECK_EQ(futex(&condition, TO_LOCK, 1, (void *)1, &first_lock, 0), 2);
  pthread_join(threads[0], NULL);
  CHECK(sleepers[0].result == ETIMEDOUT && !sleepers[0].has);
  sleepers[0].time = NULL;
  pthread_kill(threads[2], SIGUSR1);
  pthread_join(threads[2], NULL);
  CHECK(sleepers[2].result == EAGAIN && !sleepers[2].has);
  CHECK(futex(&first_lock, UNLOCK, 0, NULL, NULL, 0) == 0);

  // Before it is moved, a signal starts the call again.
  begin(&threads[0], &sleepers[0]);
  pthread_kill(threads[0], SIGUSR1);
  asleep(&sleepers[0].tid);
  CHECK_EQ(futex(&condition, TO_LOCK, 1, (void *)1, &first_lock, 0), 1);
  pthread_join(threads[0], NULL);
  CHECK(sleepers[0].result == 0 && sleepers[0].has);

  // Who waits for no lock cannot be moved to one.
  struct sleeper plain = {.operation = WAIT_BITSET};
  begin(&threads[0], &plain);
  CHECK_ERRNO(futex(&condition, TO_LOCK, 1, (void *)1, &first_lock, 0), EINVAL);
  CHECK_EQ(futex(&condition, WAKE, 1, NULL, NULL, 0), 1);
  pthread_join(threads[0], NULL);
  CHECK_EQ(plain.result, 0);
  CHECK_ERRNO(futex(&first_lock, UNLOCK, 0, NULL, NULL, 0), EPERM);
}

// MARK: Several futexes

static uint32_t words[130];
static struct several list[130];

struct waiter {
  uint32_t tid;
  unsigned count;
  long result;
};
static void *wait_for_several(void *argument) {
  struct waiter *waiter = argument;
  set(&waiter->tid, self());
  waiter->result = syscall(449, list, waiter->count, 0, NULL, 0);
  if (waiter->result < 0) waiter->result = -errno;
  return NULL;
}
static void *wait_for_one(void *argument) {
  struct waiter *waiter = argument;
  set(&waiter->tid, self());
  waiter->result = futex(&words[waiter->count], WAIT, 0, NULL, NULL, 0);
  return NULL;
}

static void several(void) {
  for (int i = 0; i < 130; i++) list[i] = (struct several){0, (uintptr_t)&words[i], 2 | PRIVATE, 0};
  struct timespec time = time_after(CLOCK_MONOTONIC, 20), wrong = {0, 1000000000};
  CHECK_RAW(EINVAL, 449, list, 0, 0, NULL, 0);
  CHECK_RAW(EINVAL, 449, list, 129, 0, NULL, 0);
  CHECK_RAW(EINVAL, 449, NULL, 1, 0, NULL, 0);
  CHECK_RAW(EINVAL, 449, list, 1, 1, NULL, 0);
  CHECK_RAW(EFAULT, 449, 8, 1, 0, NULL, 0);
  CHECK_RAW(EINVAL, 449, list, 1, 0, &time, 2);
  CHECK_RAW(EINVAL, 449, list, 1, 0, &wrong, 1);
  CHECK_RAW(ETIMEDOUT, 449, list, 128, 0, &time, 1);
  time = time_after(CLOCK_REALTIME, 20);
  CHECK_RAW(ETIMEDOUT, 449, list, 2, 0, &time, 0);
  words[1] = 7;
  CHECK_RAW(EAGAIN, 449, list, 2, 0, NULL, 0);
  words[1] = 0;
  list[1].flags = PRIVATE;
  CHECK_RAW(EINVAL, 449, list, 2, 0, NULL, 0);
  list[1].flags = 2 | PRIVATE;
  list[1].reserved = 1;
  CHECK_RAW(EINVAL, 449, list, 2, 0, NULL, 0);
  list[1].reserved = 0;
  list[1].address += 2;
  CHECK_RAW(EINVAL, 449, list, 2, 0, NULL, 0);
  list[1].address = 8;
  CHECK_RAW(EFAULT, 449, list, 2, 0, NULL, 0);
  list[1].address = (uintptr_t)&words[1];

  pthread_t threads[2];
  struct waiter all = {.count = 128}, one = {.count = 5};
  pthread_create(&threads[0], NULL, wait_for_several, &all);
  asleep(&all.tid);
  CHECK_EQ(futex(&words[128], WAKE, 1, NULL, NULL, 0), 0);
  CHECK_EQ(futex(&words[77], WAKE, 9, NULL, NULL, 0), 1);
  pthread_join(threads[0], NULL);
  CHECK_EQ(all.result, 77);
  CHECK_EQ(futex(&words[77], WAKE, 9, NULL, NULL, 0), 0);
  // Beside one that waits for one of them; and moved to another word.
  all.tid = 0;
  pthread_create(&threads[0], NULL, wait_for_several, &all);
  pthread_create(&threads[1], NULL, wait_for_one, &one);
  asleep(&all.tid);
  asleep(&one.tid);
  CHECK_EQ(futex(&words[5], REQUEUE, 0, (void *)9, &words[129], 0), 2);
  CHECK_EQ(futex(&words[5], WAKE, 9, NULL, NULL, 0), 0);
  CHECK_EQ(futex(&words[129], WAKE, 9, NULL, NULL, 0), 2);
  pthread_join(threads[0], NULL);
  pthread_join(threads[1], NULL);
  CHECK(all.result == 5 && one.result == 0);
  // A signal.
  all.tid = 0;
  struct sigaction action = {.sa_handler = handler};
  sigaction(SIGUSR2, &action, NULL);
  pthread_create(&threads[0], NULL, wait_for_several, &all);
  asleep(&all.tid);
  pthread_kill(threads[0], SIGUSR2);
  pthread_join(threads[0], NULL);
  CHECK_EQ(all.result, -EINTR);
  // In memory that two processes share.
  uint32_t *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  list[0] = (struct several){0, (uintptr_t)shared, 2, 0};
  pid_t pid = fork();
  if (pid == 0) {
    while (syscall(SYS_futex, shared, WAKE, 1, NULL, NULL, 0) == 0) usleep(500);
    _exit(0);
  }
  CHECK_EQ(syscall(449, list, 2, 0, NULL, 0), 0);
  int status = -1;
  CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

// MARK: Woken by priority; the C library

static void *wait_in_order(void *argument) {
  struct sleeper *sleeper = argument;
  if (sleeper->priority) real_time(sleeper->priority);
  set(&sleeper->tid, self());
  futex(&other, WAIT, 0, NULL, NULL, 0);
  sleeper->result = __atomic_add_fetch(&order, 1, __ATOMIC_SEQ_CST);
  return NULL;
}

static void by_priority(void) {
  int priorities[5] = {0, 3, 0, 7, 3}, expected[5] = {4, 2, 5, 1, 3};
  struct sleeper sleepers[5];
  pthread_t threads[5];
  order = 0;
  for (int i = 0; i < 5; i++) {
    sleepers[i] = (struct sleeper){.priority = priorities[i]};
    pthread_create(&threads[i], NULL, wait_in_order, &sleepers[i]);
    asleep(&sleepers[i].tid);
  }
  for (uint32_t i = 1; i <= 5; i++) {
    CHECK_EQ(futex(&other, WAKE, 1, NULL, NULL, 0), 1);
    until(&order, i);
  }
  int right = 0;
  for (int i = 0; i < 5; i++) {
    pthread_join(threads[i], NULL);
    right += sleepers[i].result == expected[i];
  }
  CHECK_EQ(right, 5);
}

static pthread_mutex_t mutex;
static pthread_cond_t full = PTHREAD_COND_INITIALIZER, empty = PTHREAD_COND_INITIALIZER;
static int slot, sum;

static void *consume(void *argument) {
  (void)argument;
  for (;;) {
    pthread_mutex_lock(&mutex);
    while (slot == 0) pthread_cond_wait(&full, &mutex);
    int value = slot;
    if (value > 0) {
      sum += value;
      slot = 0;
      pthread_cond_signal(&empty);
    }
    pthread_mutex_unlock(&mutex);
    if (value < 0) return NULL;
  }
}

static void conditions(int robust) {
  pthread_mutexattr_t kind;
  pthread_mutexattr_init(&kind);
  pthread_mutexattr_setprotocol(&kind, PTHREAD_PRIO_INHERIT);
  if (robust) pthread_mutexattr_setrobust(&kind, PTHREAD_MUTEX_ROBUST);
  CHECK(pthread_mutex_init(&mutex, &kind) == 0);
  pthread_t threads[4];
  slot = sum = 0;
  for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, consume, NULL);
  for (int i = 1; i <= 150; i++) {
    pthread_mutex_lock(&mutex);
    while (slot != 0) pthread_cond_wait(&empty, &mutex);
    slot = i;
    pthread_cond_signal(&full);
    pthread_mutex_unlock(&mutex);
  }
  pthread_mutex_lock(&mutex);
  while (slot != 0) pthread_cond_wait(&empty, &mutex);
  slot = -1;
  pthread_cond_broadcast(&full);
  pthread_mutex_unlock(&mutex);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  CHECK_EQ(sum, 11325);
}

static void *leave_locked(void *argument) {
  (void)argument;
  pthread_mutex_lock(&mutex);
  return NULL;
}

static void left_behind(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, leave_locked, NULL);
  pthread_join(thread, NULL);
  CHECK_EQ(pthread_mutex_lock(&mutex), EOWNERDEAD);
  CHECK(pthread_mutex_consistent(&mutex) == 0 && pthread_mutex_unlock(&mutex) == 0 && pthread_mutex_destroy(&mutex) == 0);
}

int main(void) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
  sigaction(SIGUSR1, &action, NULL);
  priorities();
  inversion();
  requeue();
  several();
  by_priority();
  conditions(0);
  conditions(1);
  left_behind();
  CHECK_END();
}
