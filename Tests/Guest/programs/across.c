// What reaches into other processes and threads: their memory, what they have in common, how they are scheduled; and
// restartable sequences. By system calls, as C libraries wrap few of them.
#define _GNU_SOURCE
#include "../check.h"

#include <sched.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

#ifndef SYS_process_madvise
#define SYS_process_madvise 440
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#ifndef MADV_COLD
#define MADV_COLD 20
#endif

static int wait_status(pid_t pid) {
  int status = -1;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
  return status;
}

static void memory(void) {
  char *area = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  int gate[2], back[2];
  CHECK(pipe(gate) == 0 && pipe(back) == 0);
  pid_t pid = fork();
  if (pid == 0) {
    char byte;
    for (int i = 0; i < 4 * 4096; i++) area[i] = (char)(i * 7);
    mprotect(area + 2 * 4096, 4096, PROT_READ);
    mprotect(area + 3 * 4096, 4096, PROT_NONE);
    write(back[1], "x", 1);
    read(gate[0], &byte, 1);
    _exit(memcmp(area + 4090, "across pages", 12) != 0);
  }
  char byte, local[5000], small[10];
  read(back[0], &byte, 1);
  struct iovec here[2] = {{small, 10}, {local, 5000}}, there[2] = {{area + 100, 3000}, {area + 4000, 200}};
  CHECK_EQ(process_vm_readv(pid, here, 2, there, 2, 0), 3200);
  int wrong = 0;
  for (int i = 0; i < 10; i++) wrong += small[i] != (char)((100 + i) * 7);
  for (int i = 0; i < 2990; i++) wrong += local[i] != (char)((110 + i) * 7);
  for (int i = 0; i < 200; i++) wrong += local[2990 + i] != (char)((4000 + i) * 7);
  CHECK_EQ(wrong, 0);
  // Room for less than there is.
  here[0].iov_len = 4;
  CHECK_EQ(process_vm_readv(pid, here, 1, there, 2, 0), 4);
  struct iovec text = {"across pages", 12}, target = {area + 4090, 12};
  CHECK_EQ(process_vm_writev(pid, &text, 1, &target, 1, 0), 12);
  CHECK(area[4090] == 0);
  // Up to what the other may not do.
  struct iovec many = {local, 5000}, end = {area + 3 * 4096 - 100, 200};
  CHECK_EQ(process_vm_readv(pid, &many, 1, &end, 1, 0), 100);
  end.iov_base = area + 3 * 4096;
  CHECK_ERRNO(process_vm_readv(pid, &many, 1, &end, 1, 0), EFAULT);
  end.iov_base = area + 2 * 4096;
  CHECK_ERRNO(process_vm_writev(pid, &many, 1, &end, 1, 0), EFAULT);
  end.iov_base = (void *)8;
  CHECK_ERRNO(process_vm_readv(pid, &many, 1, &end, 1, 0), EFAULT);
  CHECK_ERRNO(process_vm_readv(pid, (void *)8, 1, &end, 1, 0), EFAULT);
  CHECK_ERRNO(process_vm_readv(pid, &many, 1, &end, 1, 1), EINVAL);
  CHECK_ERRNO(process_vm_readv(pid, &many, 1025, &end, 1, 0), EINVAL);
  CHECK_ERRNO(process_vm_readv(999999, &many, 1, &end, 1, 0), ESRCH);
  CHECK_EQ(process_vm_readv(pid, &many, 0, &end, 1, 0), 0);
  CHECK_EQ(process_vm_readv(pid, &many, 1, &end, 0, 0), 0);
  pid_t other = fork();
  if (other == 0) {
    setgid(500);
    setuid(500);
    end.iov_base = area;
    CHECK_ERRNO(process_vm_readv(pid, &many, 1, &end, 1, 0), EPERM);
    CHECK_RAW(EPERM, SYS_kcmp, pid, getpid(), 1, 0, 0);
    _exit(check_failures);
  }
  CHECK_EQ(wait_status(other), 0);

  int fd = (int)syscall(SYS_pidfd_open, pid, 0);
  struct iovec advised = {area, 8192};
  CHECK_RAW(EINVAL, SYS_process_madvise, fd, &advised, 1, MADV_DONTNEED, 0);
  CHECK_RAW(EINVAL, SYS_process_madvise, fd, &advised, 1, MADV_COLD, 1);
  CHECK_RAW(EBADF, SYS_process_madvise, 0, &advised, 1, MADV_COLD, 0);
  close(fd);

  write(gate[1], "x", 1);
  CHECK_EQ(wait_status(pid), 0);
  CHECK_ERRNO(process_vm_readv(pid, &many, 1, &end, 1, 0), ESRCH);
  close(gate[0]), close(gate[1]), close(back[0]), close(back[1]);
}

static int compare(pid_t one, pid_t other, int type, unsigned long first, unsigned long second) {
  return (int)syscall(SYS_kcmp, one, other, type, first, second);
}

static int shares(void *argument) {
  (void)argument;
  pause();
  return 0;
}

static void common(void) {
  int fd = open("/proc/self/status", O_RDONLY), same = dup(fd), different = open("/proc/self/status", O_RDONLY);
  pid_t self = getpid();
  CHECK(compare(self, self, 0, (unsigned)fd, (unsigned)same) == 0);
  int order = compare(self, self, 0, (unsigned)fd, (unsigned)different);
  CHECK(order == 1 || order == 2);
  CHECK_EQ(compare(self, self, 0, (unsigned)different, (unsigned)fd), 3 - order);
  CHECK_RAW(EBADF, SYS_kcmp, self, self, 0, fd, 999);
  CHECK_RAW(EINVAL, SYS_kcmp, self, self, 99, 0, 0);
  CHECK_RAW(ESRCH, SYS_kcmp, self, 999999, 1, 0, 0);
  pid_t pid = fork();
  if (pid == 0)
    for (;;) pause();
  CHECK(compare(self, pid, 0, (unsigned)fd, (unsigned)fd) == 0);
  CHECK(compare(self, pid, 1, 0, 0) > 0 && compare(self, pid, 2, 0, 0) > 0 && compare(self, pid, 3, 0, 0) > 0);
  CHECK(compare(self, pid, 4, 0, 0) > 0 && compare(self, pid, 6, 0, 0) == 0);
  kill(pid, SIGKILL);
  wait_status(pid);
  static char stack[65536] __attribute__((aligned(16)));
  pid = clone(shares, stack + sizeof stack, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | SIGCHLD, NULL);
  CHECK(pid > 0);
  for (int type = 1; type <= 4; type++) CHECK(compare(self, pid, type, 0, 0) == 0);
  kill(pid, SIGKILL);
  wait_status(pid);
  // The files that an epoll instance watches.
  int epoll = epoll_create1(0), channel[2];
  struct epoll_event event = {.events = EPOLLIN};
  struct { uint32_t epoll, watched, place; } slot = {(uint32_t)epoll, 0, 0};
  CHECK(pipe(channel) == 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, channel[0], &event) == 0);
  slot.watched = (uint32_t)channel[0];
  CHECK_EQ(compare(self, self, 7, (unsigned)channel[0], (unsigned long)&slot), 0);
  CHECK(compare(self, self, 7, (unsigned)channel[1], (unsigned long)&slot) > 0);
  CHECK_RAW(EBADF, SYS_kcmp, self, self, 7, 999, &slot);
  CHECK_RAW(EFAULT, SYS_kcmp, self, self, 7, channel[0], 8);
  slot.place = 1;
  CHECK_RAW(ENOENT, SYS_kcmp, self, self, 7, channel[0], &slot);
  slot.place = 0, slot.watched = (uint32_t)channel[1];
  CHECK_RAW(ENOENT, SYS_kcmp, self, self, 7, channel[0], &slot);
  slot.epoll = (uint32_t)channel[0];
  CHECK_RAW(EINVAL, SYS_kcmp, self, self, 7, channel[0], &slot);
  // One number, two files: the first lives on under another number.
  int kept = dup(channel[0]), number = channel[0];
  slot.epoll = (uint32_t)epoll, slot.watched = (uint32_t)number;
  CHECK(dup2(fd, number) == number && compare(self, self, 7, (unsigned)kept, (unsigned long)&slot) == 0);
  close(kept), close(number), close(channel[1]), close(epoll);
  close(fd), close(same), close(different);
}

struct attributes {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
  uint32_t least, most;
};

static void scheduling(void) {
  struct attributes seen, wanted = {.size = sizeof wanted, .policy = SCHED_BATCH, .nice = 5};
  CHECK(syscall(SYS_sched_getattr, 0, &seen, sizeof seen, 0) == 0);
  CHECK(seen.size == 56 && seen.policy == SCHED_OTHER && seen.nice == 0 && seen.priority == 0 && seen.flags == 0);
  CHECK(syscall(SYS_sched_getattr, 0, &seen, 48, 0) == 0 && seen.size == 48);
  CHECK_RAW(EINVAL, SYS_sched_getattr, 0, &seen, 47, 0);
  CHECK_RAW(EINVAL, SYS_sched_getattr, 0, &seen, 5000, 0);
  CHECK_RAW(EINVAL, SYS_sched_getattr, 0, &seen, 56, 1);
  CHECK_RAW(ESRCH, SYS_sched_getattr, 999999, &seen, 56, 0);
  CHECK_RAW(EINVAL, SYS_sched_getattr, -1, &seen, 56, 0);
  CHECK_RAW(EINVAL, SYS_sched_getattr, 0, NULL, 56, 0);
  CHECK(syscall(SYS_sched_setattr, 0, &wanted, 0) == 0);
  CHECK(sched_getscheduler(0) == SCHED_BATCH || errno == ENOSYS);
  errno = 0;
  CHECK(getpriority(PRIO_PROCESS, 0) == 5);
  CHECK(syscall(SYS_sched_getattr, 0, &seen, sizeof seen, 0) == 0 && seen.policy == SCHED_BATCH && seen.nice == 5);
  wanted.policy = 77;
  CHECK_RAW(EINVAL, SYS_sched_setattr, 0, &wanted, 0);
  wanted.policy = SCHED_FIFO;
  CHECK_RAW(EINVAL, SYS_sched_setattr, 0, &wanted, 0);
  wanted.priority = 100;
  CHECK_RAW(EINVAL, SYS_sched_setattr, 0, &wanted, 0);
  wanted.policy = SCHED_OTHER;
  wanted.priority = 1;
  CHECK_RAW(EINVAL, SYS_sched_setattr, 0, &wanted, 0);
  wanted.priority = 0;
  wanted.flags = 1ull << 40;
  CHECK_RAW(EINVAL, SYS_sched_setattr, 0, &wanted, 0);
  wanted.flags = 1;
  wanted.nice = 7;
  CHECK(syscall(SYS_sched_setattr, 0, &wanted, 0) == 0);
  CHECK(syscall(SYS_sched_getattr, 0, &seen, sizeof seen, 0) == 0 && seen.flags == 1 && seen.nice == 7);
  // A child starts without the flag.
  pid_t pid = fork();
  if (pid == 0) _exit(syscall(SYS_sched_getattr, 0, &seen, sizeof seen, 0) != 0 || seen.flags != 0);
  CHECK_EQ(wait_status(pid), 0);
  wanted.flags = 0;
  wanted.size = 1000;
  char large[1000] = {0};
  memcpy(large, &wanted, sizeof wanted);
  CHECK(syscall(SYS_sched_setattr, 0, large, 0) == 0);
  large[999] = 1;
  CHECK_RAW(E2BIG, SYS_sched_setattr, 0, large, 0);
  CHECK(*(uint32_t *)large == 56);
  wanted.size = 4;
  CHECK_RAW(E2BIG, SYS_sched_setattr, 0, &wanted, 0);
  CHECK_RAW(EINVAL, SYS_sched_setattr, 0, NULL, 0);
  CHECK_RAW(EFAULT, SYS_sched_setattr, 0, 8, 0);
  pid = fork();
  if (pid == 0) {
    setgid(500);
    setuid(500);
    struct attributes better = {.size = sizeof better, .nice = -5};
    CHECK_RAW(EPERM, SYS_sched_setattr, 0, &better, 0);
    better.policy = SCHED_FIFO;
    better.priority = 1;
    CHECK_RAW(EPERM, SYS_sched_setattr, 0, &better, 0);
    better.policy = SCHED_OTHER;
    better.priority = 0;
    better.nice = 19;
    CHECK(syscall(SYS_sched_setattr, 0, &better, 0) == 0);
    CHECK_RAW(EPERM, SYS_sched_setattr, getppid(), &better, 0);
    // Deadlines that make no sense are refused before it is asked who may have any.
    static const struct { uint64_t runtime, deadline, period; uint32_t priority; int error; } deadlines[] = {
        {0, 0, 0, 0, EINVAL},
        {1023, 10000000, 0, 0, EINVAL},
        {20000000, 10000000, 30000000, 0, EINVAL},
        {10000000, 20000000, 15000000, 0, EINVAL},
        {10000000, 1ull << 63, 0, 0, EINVAL},
        {10000000, 20000000, 1ull << 63, 0, EINVAL},
        {2048, 99999, 0, 0, EINVAL},
        {2048, 50000, 100000, 0, EPERM},
        {10000000, 20000000, 4194304000, 0, EPERM},
        {10000000, 20000000, 4194304001, 0, EINVAL},
        {10000000, 20000000, 0, 1, EINVAL},
        {10000000, 20000000, 0, 0, EPERM},
    };
    for (size_t i = 0; i < sizeof deadlines / sizeof *deadlines; i++) {
      struct attributes soon = {.size = sizeof soon, .policy = 6, .priority = deadlines[i].priority,
                                .runtime = deadlines[i].runtime, .deadline = deadlines[i].deadline,
                                .period = deadlines[i].period};
      CHECK_RAW(deadlines[i].error, SYS_sched_setattr, 0, &soon, 0);
    }
    _exit(check_failures);
  }
  CHECK_EQ(wait_status(pid), 0);

  enum { best_effort = 2 << 13, idle = 3 << 13 };
  CHECK(syscall(SYS_ioprio_set, 1, 0, best_effort | 6) == 0 && syscall(SYS_ioprio_get, 1, 0) == (best_effort | 6));
  pid = fork();
  if (pid == 0) _exit(syscall(SYS_ioprio_get, 1, 0) != (best_effort | 6));
  CHECK_EQ(wait_status(pid), 0);
  CHECK(syscall(SYS_ioprio_set, 1, 0, idle) == 0 && syscall(SYS_ioprio_get, 1, getpid()) == idle);
  CHECK_RAW(EINVAL, SYS_ioprio_set, 1, 0, 1);
  CHECK_RAW(EINVAL, SYS_ioprio_set, 1, 0, 4 << 13);
  CHECK_RAW(EINVAL, SYS_ioprio_set, 9, 0, idle);
  CHECK_RAW(ESRCH, SYS_ioprio_set, 1, 999999, idle);
  CHECK_RAW(EINVAL, SYS_ioprio_get, 0, 0);
  CHECK_RAW(ESRCH, SYS_ioprio_get, 1, 999999);
}

// --- restartable sequences ---

struct area {
  uint32_t cpu_id_start, cpu_id;
  uint64_t section;
  uint32_t flags, node, mm_cid, padding;
} __attribute__((aligned(32)));

struct section {
  uint32_t version, flags;
  uint64_t start, length, abort;
} __attribute__((aligned(32)));

#define SIGNATURE 0x53053053
static struct area own;
static struct section section;

/// Spins in a sequence until it is aborted; returns the turns it made before.
static unsigned long spin(volatile unsigned long limit) {
  unsigned long turns = 0, aborted = 0;
  asm volatile(
      "lea 1f(%%rip), %%rax\n\t"
      "mov %%rax, 8+%[section]\n\t"
      "lea 2f(%%rip), %%rcx\n\t"
      "sub %%rax, %%rcx\n\t"
      "mov %%rcx, 16+%[section]\n\t"
      "lea 4f(%%rip), %%rax\n\t"
      "mov %%rax, 24+%[section]\n\t"
      "lea %[section], %%rax\n\t"
      "mov %%rax, 8+%[area]\n\t"
      "1:\n\t"
      "inc %[turns]\n\t"
      "cmp %[limit], %[turns]\n\t"
      "jb 1b\n\t"
      "2:\n\t"
      "jmp 5f\n\t"
      ".byte 0x0f, 0xb9, 0x3d\n\t"
      ".long %c[signature]\n\t"
      "4:\n\t"
      "mov $1, %[aborted]\n\t"
      "5:\n\t"
      : [turns] "+r"(turns), [aborted] "+r"(aborted), [section] "+m"(section), [area] "+m"(own)
      : [limit] "r"(limit), [signature] "i"(SIGNATURE)
      : "rax", "rcx", "memory", "cc");
  return aborted ? turns : 0;
}

static volatile sig_atomic_t signals;
static void on_alarm(int number) {
  (void)number;
  signals++;
}

static int sequences(void *argument) {
  (void)argument;
  // In a thread without a C library: glibc has registered its own already.
  CHECK_RAW(EINVAL, SYS_rseq, &own, 32, 7, SIGNATURE);
  CHECK_RAW(EINVAL, SYS_rseq, (char *)&own + 4, 32, 0, SIGNATURE);
  CHECK_RAW(EINVAL, SYS_rseq, &own, 31, 0, SIGNATURE);
  CHECK_RAW(EINVAL, SYS_rseq, &own, 32, 1, SIGNATURE);
  own.cpu_id = (uint32_t)-1;
  CHECK(syscall(SYS_rseq, &own, 32, 0, SIGNATURE) == 0);
  CHECK_RAW(EBUSY, SYS_rseq, &own, 32, 0, SIGNATURE);
  CHECK_RAW(EPERM, SYS_rseq, &own, 32, 0, 1);
  CHECK_RAW(EINVAL, SYS_rseq, &own + 1, 32, 0, SIGNATURE);
  unsigned cpu = 99, node = 99;
  syscall(SYS_getcpu, &cpu, &node, NULL);
  CHECK(own.cpu_id_start < 4096 && own.cpu_id == own.cpu_id_start);
  // Not interrupted, a sequence ends.
  own.section = 0;
  CHECK(spin(10) == 0);
  // A signal's handler in the middle of one.
  struct sigaction action = {.sa_handler = on_alarm};
  sigaction(SIGALRM, &action, NULL);
  struct itimerval timer = {.it_value.tv_usec = 30000};
  setitimer(ITIMER_REAL, &timer, NULL);
  CHECK(spin(~0ul) != 0);
  while (signals == 0) {}
  CHECK(signals == 1 && own.section == 0);
  // Another process that wants the CPU: both spin on one.
  cpu_set_t one;
  CPU_ZERO(&one);
  CPU_SET(0, &one);
  sched_setaffinity(0, sizeof one, &one);
  pid_t pid = fork();
  if (pid == 0)
    for (;;) {}
  CHECK(spin(~0ul) != 0);
  CHECK(own.section == 0);
  kill(pid, SIGKILL);
  wait_status(pid);
  // fork copies a registration.
  pid = fork();
  if (pid == 0) _exit(syscall(SYS_rseq, &own, 32, 0, SIGNATURE) == -1 && errno == EBUSY ? 0 : 1);
  CHECK_EQ(wait_status(pid), 0);
  CHECK_RAW(EPERM, SYS_rseq, &own, 32, 1, 1);
  CHECK(syscall(SYS_rseq, &own, 32, 1, SIGNATURE) == 0);
  CHECK(own.cpu_id == (uint32_t)-1 && own.cpu_id_start == 0);
  CHECK_RAW(EINVAL, SYS_rseq, &own, 32, 1, SIGNATURE);
  // A handler that does not carry the signature ends the process.
  pid = fork();
  if (pid == 0) {
    syscall(SYS_rseq, &own, 32, 0, 77);
    signals = 0;
    timer.it_value.tv_usec = 10000;
    setitimer(ITIMER_REAL, &timer, NULL);
    spin(~0ul);
    _exit(0);
  }
  CHECK_EQ(wait_status(pid) & 0x7f, SIGSEGV);
  _exit(check_failures);
}

int main(void) {
  memory();
  common();
  scheduling();
  static char stack[262144] __attribute__((aligned(16)));
  pid_t pid = clone(sequences, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL);
  CHECK(pid > 0);
  CHECK_EQ(wait_status(pid), 0);
  CHECK_END();
}
