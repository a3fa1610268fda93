#define _GNU_SOURCE
#include "chostshims.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// Above every target number in use, so that one dup2 cannot close the source of the next.
enum { first_scratch_descriptor = 64 };

// Runs in the child; only async-signal-safe calls. Returns the errno of the first call that failed.
static int become(const char *path, char *const argv[], const struct chost_descriptor *descriptors, size_t count,
                  enum chost_group group, int death_signal, pid_t parent) {
  if (death_signal != 0) {
    if (prctl(PR_SET_PDEATHSIG, death_signal) != 0)
      return errno;
    // The parent may have died before the call above.
    if (getppid() != parent)
      _exit(127);
  }
  if (group == CHOST_GROUP_NEW && setpgid(0, 0) != 0)
    return errno;
  if (group == CHOST_GROUP_SESSION && setsid() < 0)
    return errno;

  int scratch[16];
  if (count > sizeof scratch / sizeof scratch[0])
    return EMFILE;
  for (size_t i = 0; i < count; i++) {
    scratch[i] = fcntl(descriptors[i].source, F_DUPFD_CLOEXEC, first_scratch_descriptor);
    if (scratch[i] < 0)
      return errno;
  }
  for (size_t i = 0; i < count; i++)
    if (dup2(scratch[i], descriptors[i].target) < 0)
      return errno;

  signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  execv(path, argv);
  return errno;
}

pid_t chost_spawn(const char *path, char *const argv[], const struct chost_descriptor *descriptors, size_t count,
                  enum chost_group group, int death_signal) {
  // A successful exec closes the pipe; a failed one writes its errno into it.
  int report[2];
  if (pipe2(report, O_CLOEXEC) != 0)
    return -errno;
  pid_t parent = getpid();
  pid_t pid = fork();
  if (pid < 0) {
    int error = errno;
    close(report[0]);
    close(report[1]);
    return -error;
  }
  if (pid == 0) {
    // A target number may be the report pipe's own.
    int writer = fcntl(report[1], F_DUPFD_CLOEXEC, 2 * first_scratch_descriptor);
    int error = writer < 0 ? errno : become(path, argv, descriptors, count, group, death_signal, parent);
    if (writer >= 0 && write(writer, &error, sizeof error) < 0)
      _exit(126);
    _exit(127);
  }
  close(report[1]);
  int error = 0;
  ssize_t got;
  do
    got = read(report[0], &error, sizeof error);
  while (got < 0 && errno == EINTR);
  close(report[0]);
  if (got != sizeof error)
    return pid;
  while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
    ;
  return -error;
}

int chost_signal_descriptor(const int *signals, size_t count) {
  sigset_t set;
  sigemptyset(&set);
  for (size_t i = 0; i < count; i++)
    sigaddset(&set, signals[i]);
  if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
    return -errno;
  int descriptor = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  return descriptor < 0 ? -errno : descriptor;
}

int chost_next_signal(int descriptor) {
  struct signalfd_siginfo info;
  ssize_t got = read(descriptor, &info, sizeof info);
  if (got == (ssize_t)sizeof info)
    return (int)info.ssi_signo;
  return got < 0 && errno != EAGAIN && errno != EINTR ? -errno : 0;
}

const char *chost_signal_name(int number) { return sigabbrev_np(number); }

void chost_die_by_signal(int number) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, number);
  signal(number, SIG_DFL);
  raise(number);
  sigprocmask(SIG_UNBLOCK, &set, NULL);
}

int chost_pidfd_open(pid_t pid) {
  long descriptor = syscall(SYS_pidfd_open, pid, 0);
  return descriptor < 0 ? -errno : (int)descriptor;
}

int chost_memory_file(const char *name) {
  int descriptor = memfd_create(name, MFD_CLOEXEC);
  return descriptor < 0 ? -errno : descriptor;
}

int chost_kvm_usable(void) {
  int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
  if (kvm < 0)
    return 0;
  int usable = 0;
  if (ioctl(kvm, KVM_GET_API_VERSION, 0) == KVM_API_VERSION) {
    int machine = ioctl(kvm, KVM_CREATE_VM, 0);
    if (machine >= 0) {
      usable = 1;
      close(machine);
    }
  }
  close(kvm);
  return usable;
}

int chost_pin_thread(pid_t tid, int cpu) {
  if (cpu < 0 || cpu >= CPU_SETSIZE)
    return -EINVAL;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  return sched_setaffinity(tid, sizeof set, &set) != 0 ? -errno : 0;
}
