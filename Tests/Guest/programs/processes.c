// fork, vfork, clone, exec and wait as Linux has them. Natively it is not the first process: it asks for nothing that
// depends on its number.
#define _GNU_SOURCE
#include "../check.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

// Not in the headers of every C library.
#define FUTEX_WAIT 0
#define FUTEX_WAKE 1
#define P_PIDFD_ ((idtype_t)3)
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x1000
#endif
struct clone_arguments {
  uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
};

static int pidfd_open(pid_t pid) { return (int)syscall(434, pid, 0); }

static void statuses(void) {
  int status = 0;
  pid_t pid = fork();
  if (pid == 0) _exit(300);
  CHECK(pid > 0);
  CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 44);
  CHECK_ERRNO(waitpid(pid, &status, 0), ECHILD);
  CHECK_ERRNO(waitpid(-1, &status, WNOHANG), ECHILD);
  CHECK_ERRNO(waitpid(-1, &status, 0x40), EINVAL);

  pid = fork();
  if (pid == 0) {
    raise(SIGTERM);
    _exit(1);
  }
  struct rusage usage;
  CHECK(wait4(pid, &status, 0, &usage) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);

  int gate[2];
  CHECK(pipe(gate) == 0);
  pid = fork();
  if (pid == 0) {
    char byte;
    read(gate[0], &byte, 1);
    _exit(5);
  }
  CHECK(waitpid(pid, &status, WNOHANG) == 0);
  siginfo_t info = {0};
  info.si_pid = 77;
  CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG) == 0 && info.si_pid == 0);
  write(gate[1], "x", 1);
  CHECK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) == 0 && info.si_code == CLD_EXITED && info.si_status == 5);
  CHECK(info.si_pid == pid && info.si_signo == SIGCHLD);
  CHECK(waitid(P_ALL, 0, &info, WEXITED) == 0 && info.si_pid == pid);
  close(gate[0]);
  close(gate[1]);
}

static void stops(void) {
  int status;
  pid_t pid = fork();
  if (pid == 0)
    for (;;) pause();
  CHECK(kill(pid, SIGSTOP) == 0);
  CHECK(waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
  CHECK(waitpid(pid, &status, WUNTRACED | WNOHANG) == 0);
  CHECK(kill(pid, SIGCONT) == 0);
  CHECK(waitpid(pid, &status, WCONTINUED) == pid && WIFCONTINUED(status));
  CHECK(kill(pid, SIGSTOP) == 0 && waitpid(pid, &status, WUNTRACED) == pid);
  // Also what is stopped can be killed.
  CHECK(kill(pid, SIGKILL) == 0);
  CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static volatile sig_atomic_t children;
static void count(int number) {
  (void)number;
  children++;
}

static void notices(void) {
  struct sigaction action = {.sa_handler = count}, old;
  sigaction(SIGCHLD, &action, &old);
  pid_t pid = fork();
  if (pid == 0) _exit(0);
  int result;
  do result = waitpid(pid, NULL, 0);
  while (result < 0 && errno == EINTR);
  CHECK(result == pid && children == 1);
  // Who does not care is not asked to wait.
  action.sa_handler = SIG_IGN;
  sigaction(SIGCHLD, &action, NULL);
  pid = fork();
  if (pid == 0) _exit(0);
  CHECK_ERRNO(waitpid(pid, NULL, 0), ECHILD);
  action.sa_handler = SIG_DFL;
  action.sa_flags = SA_NOCLDWAIT;
  sigaction(SIGCHLD, &action, NULL);
  pid = fork();
  if (pid == 0) _exit(0);
  CHECK_ERRNO(waitpid(pid, NULL, 0), ECHILD);
  sigaction(SIGCHLD, &old, NULL);
}

static void memory(void) {
  long *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  long *own = mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  long *wiped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  long *absent = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (long i = 0; i < (4 << 20) / 8; i += 512) own[i] = i;
  *wiped = *absent = 7;
  CHECK(madvise(wiped, 4096, MADV_WIPEONFORK) == 0 && madvise(absent, 4096, MADV_DONTFORK) == 0);
  pid_t pid = fork();
  if (pid == 0) {
    long wrong = *wiped != 0;
    for (long i = 0; i < (4 << 20) / 8; i += 512) wrong += own[i] != i;
    for (long i = 0; i < (4 << 20) / 8; i += 512) own[i] = -1;
    shared[1] = wrong;
    // A grandchild sees what the child made.
    pid_t second = fork();
    if (second == 0) {
      for (long i = 0; i < (4 << 20) / 8; i += 512) wrong += own[i] != -1;
      shared[2] = wrong;
      _exit(0);
    }
    waitpid(second, NULL, 0);
    unsigned char there;
    shared[3] = mincore(absent, 4096, &there) < 0 && errno == ENOMEM;
    shared[0] = 42;
    _exit(0);
  }
  for (long i = 0; i < (4 << 20) / 8; i += 1024) own[i] = 9;
  waitpid(pid, NULL, 0);
  CHECK(shared[0] == 42 && shared[1] == 0 && shared[2] == 0 && shared[3] == 1);
  long wrong = 0;
  for (long i = 0; i < (4 << 20) / 8; i += 512) wrong += own[i] != (i % 1024 ? i : 9);
  CHECK(wrong == 0 && *wiped == 7 && *absent == 7);
  // Protection and unmapping on one side are nothing to the other.
  pid = fork();
  if (pid == 0) {
    munmap(own, 2 << 20);
    mprotect(own + (2 << 20) / 8, 4096, PROT_NONE);
    _exit(0);
  }
  waitpid(pid, NULL, 0);
  CHECK(own[0] == 9 && own[(2 << 20) / 8] == 9);
  own[0] = 1;

  volatile int borrowed = 0;
  pid = vfork();
  if (pid == 0) {
    borrowed = 1;
    _exit(0);
  }
  CHECK(borrowed == 1 && waitpid(pid, NULL, 0) == pid);
}

static int wait_on_word(unsigned *word, unsigned value, int operation) {
  return (int)syscall(SYS_futex, word, operation, value, NULL, NULL, 0);
}

static void futexes(void) {
  unsigned *word = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t pid = fork();
  if (pid == 0) {
    while (__atomic_load_n(word, __ATOMIC_SEQ_CST) == 0) wait_on_word(word, 0, FUTEX_WAIT);
    _exit(3);
  }
  __atomic_store_n(word, 1, __ATOMIC_SEQ_CST);
  wait_on_word(word, 1, FUTEX_WAKE);
  int status;
  CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 3);
}

static void descriptors(void) {
  int fd = -1;
  struct clone_arguments arguments = {.flags = CLONE_PIDFD, .pidfd = (unsigned long)&fd, .exit_signal = SIGCHLD};
  int gate[2];
  CHECK(pipe(gate) == 0);
  pid_t pid = (pid_t)syscall(435, &arguments, sizeof arguments);
  if (pid == 0) {
    char byte;
    read(gate[0], &byte, 1);
    _exit(9);
  }
  CHECK(pid > 0 && fd >= 0);
  struct pollfd wait = {.fd = fd, .events = POLLIN};
  CHECK(poll(&wait, 1, 0) == 0);
  CHECK(syscall(424, fd, 0, NULL, 0) == 0);
  int copy = (int)syscall(438, fd, gate[1], 0);
  CHECK(copy >= 0 && write(copy, "x", 1) == 1);
  CHECK(poll(&wait, 1, -1) == 1 && wait.revents == POLLIN);
  siginfo_t info;
  CHECK(waitid(P_PIDFD_, (id_t)fd, &info, WEXITED) == 0 && info.si_status == 9);
  CHECK_ERRNO(syscall(424, fd, SIGTERM, NULL, 0), ESRCH);
  CHECK_ERRNO(pidfd_open(pid), ESRCH);
  CHECK_ERRNO(pidfd_open(-1), EINVAL);
  arguments.flags = CLONE_THREAD;
  CHECK_ERRNO(syscall(435, &arguments, sizeof arguments), EINVAL);
  CHECK_ERRNO(syscall(435, &arguments, 40), EINVAL);
  CHECK_ERRNO(syscall(SYS_clone, CLONE_SIGHAND | SIGCHLD, 0, 0, 0, 0), EINVAL);
  close(fd);
  close(copy);
  close(gate[0]);
  close(gate[1]);
}

static void orphans(void) {
  CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
  int gate[2];
  CHECK(pipe(gate) == 0);
  pid_t pid = fork();
  if (pid == 0) {
    if (fork() == 0) {
      char byte;
      close(gate[1]);
      // Until the parent is gone.
      read(gate[0], &byte, 1);
      _exit(6);
    }
    _exit(0);
  }
  CHECK(waitpid(pid, NULL, 0) == pid);
  close(gate[1]);
  int status;
  pid_t orphan = waitpid(-1, &status, 0);
  CHECK(orphan > 0 && orphan != pid && WEXITSTATUS(status) == 6);
  close(gate[0]);
  prctl(PR_SET_CHILD_SUBREAPER, 0);

  // The signal of a parent's death.
  CHECK(pipe(gate) == 0);
  pid = fork();
  if (pid == 0) {
    int ready[2];
    pipe(ready);
    if (fork() == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      write(ready[1], "x", 1);
      for (;;) pause();
    }
    char byte;
    read(ready[0], &byte, 1);
    _exit(0);
  }
  close(gate[1]);
  char byte;
  // Ends once the grandchild, which holds the other end, has been killed.
  CHECK(read(gate[0], &byte, 1) == 0);
  close(gate[0]);
  waitpid(pid, NULL, 0);
}

static void groups(void) {
  int status;
  pid_t first = fork();
  if (first == 0) {
    setpgid(0, 0);
    for (;;) pause();
  }
  setpgid(first, first);
  pid_t second = fork();
  if (second == 0) {
    setpgid(0, first);
    for (;;) pause();
  }
  CHECK(setpgid(second, first) == 0 && getpgid(second) == first);
  CHECK(waitpid(-first, &status, WNOHANG) == 0);
  CHECK(kill(-first, SIGUSR1) == 0);
  CHECK(waitpid(-first, &status, 0) > 0 && WTERMSIG(status) == SIGUSR1);
  CHECK(waitpid(-first, &status, 0) > 0 && WTERMSIG(status) == SIGUSR1);
  CHECK_ERRNO(waitpid(-first, &status, 0), ECHILD);
  CHECK_ERRNO(kill(-first, 0), ESRCH);
}

static void *wait_for_ever(void *nothing) {
  for (;;) pause();
  return nothing;
}
static void *execute(void *path) {
  execl(path, path, "again", (char *)NULL);
  return NULL;
}
static void *end_alone(void *nothing) {
  usleep(1000);
  syscall(SYS_exit, 12);
  return nothing;
}

static void threads(const char *path) {
  int status;
  pid_t pid = fork();
  if (pid == 0) {
    // A thread that is not the first replaces the program, and is the process then.
    pthread_t thread;
    for (int i = 0; i < 4; i++) pthread_create(&thread, NULL, wait_for_ever, NULL);
    pthread_create(&thread, NULL, execute, (void *)path);
    wait_for_ever(NULL);
  }
  CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 21);
  pid = fork();
  if (pid == 0) {
    // The last thread's status is the process's.
    pthread_t thread;
    pthread_create(&thread, NULL, end_alone, NULL);
    syscall(SYS_exit, 11);
  }
  CHECK(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 12);
  pid = fork();
  if (pid == 0) {
    pthread_t thread;
    for (int i = 0; i < 8; i++) pthread_create(&thread, NULL, wait_for_ever, NULL);
    kill(getpid(), SIGKILL);
    for (;;) pause();
  }
  CHECK(waitpid(pid, &status, 0) == pid && WTERMSIG(status) == SIGKILL);
}

static void limits(void) {
  pid_t pid = fork();
  if (pid == 0) {
    if (setresuid(12345, 12345, 12345)) _exit(1);
    pid_t made_pids[10];
    struct rlimit limit = {3, 3};
    if (setrlimit(RLIMIT_NPROC, &limit)) _exit(2);
    int made = 0;
    while (made < 10) {
      pid_t child = fork();
      if (child == 0)
        for (;;) pause();
      if (child < 0) break;
      made_pids[made++] = child;
    }
    int error = errno;
    for (int i = 0; i < made; i++) {
      kill(made_pids[i], SIGKILL);
      waitpid(made_pids[i], NULL, 0);
    }
    _exit(made == 2 && error == EAGAIN ? 0 : 3);
  }
  int status;
  CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void many(void) {
  int wrong = 0;
  for (int i = 0; i < 500; i++) {
    pid_t pid = fork();
    if (pid == 0) _exit(i & 127);
    int status;
    wrong += waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) != (i & 127);
  }
  CHECK(wrong == 0);
}

int main(int argc, char **argv) {
  if (argc > 1) return getpid() == syscall(SYS_gettid) ? 21 : 22;
  statuses();
  stops();
  notices();
  memory();
  futexes();
  descriptors();
  orphans();
  groups();
  threads(argv[0]);
  limits();
  many();
  CHECK_END();
}
