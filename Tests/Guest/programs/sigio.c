// Signals that tell of input and output: F_SETOWN, F_SETSIG, O_ASYNC.
#define _GNU_SOURCE
#include "../check.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#ifndef F_SETOWN_EX
#define F_SETOWN_EX 15
#define F_GETOWN_EX 16
#endif
struct owner {
  int type;
  pid_t pid;
};

static sigset_t wanted;

/// The next of the signals that are waited for; 0 when none comes.
static int take(siginfo_t *info) {
  struct timespec time = {0, 50000000};
  memset(info, 0, sizeof *info);
  int number = sigtimedwait(&wanted, info, &time);
  return number < 0 ? 0 : number;
}

static void both_ways(const char *what, int in, int out) {
  siginfo_t info;
  char byte;
  say("-- %s", what);
  CHECK(fcntl(in, F_GETOWN) == 0 && fcntl(in, F_GETSIG) == 0);
  CHECK(fcntl(in, F_SETOWN, getpid()) == 0 && fcntl(in, F_GETOWN) == getpid());
  CHECK(write(out, "a", 1) == 1 && take(&info) == 0);
  CHECK(read(in, &byte, 1) == 1);
  CHECK(fcntl(in, F_SETFL, fcntl(in, F_GETFL) | O_ASYNC) == 0 && (fcntl(in, F_GETFL) & O_ASYNC));
  CHECK(take(&info) == 0);
  CHECK(write(out, "b", 1) == 1 && take(&info) == SIGIO && info.si_code == SI_KERNEL);
  CHECK(read(in, &byte, 1) == 1 && take(&info) == 0);
  CHECK(fcntl(in, F_SETSIG, SIGRTMIN + 1) == 0 && fcntl(in, F_GETSIG) == SIGRTMIN + 1);
  CHECK(write(out, "c", 1) == 1 && take(&info) == SIGRTMIN + 1);
  CHECK(info.si_code == POLL_IN && info.si_fd == in && (info.si_band & POLLIN));
  CHECK(read(in, &byte, 1) == 1 && take(&info) == 0);
  struct owner owner = {0, (pid_t)syscall(SYS_gettid)}, seen;
  CHECK(fcntl(in, F_SETOWN_EX, &owner) == 0 && fcntl(in, F_GETOWN_EX, &seen) == 0);
  CHECK(seen.type == 0 && seen.pid == owner.pid);
  CHECK(write(out, "d", 1) == 1 && take(&info) == SIGRTMIN + 1 && read(in, &byte, 1) == 1);
  int off = 0;
  CHECK(ioctl(in, FIOASYNC, &off) == 0 && !(fcntl(in, F_GETFL) & O_ASYNC));
  CHECK(write(out, "e", 1) == 1 && take(&info) == 0 && read(in, &byte, 1) == 1);
  int on = 1;
  CHECK(ioctl(in, FIOASYNC, &on) == 0 && (fcntl(in, F_GETFL) & O_ASYNC));
  CHECK(write(out, "f", 1) == 1 && take(&info) == SIGRTMIN + 1 && read(in, &byte, 1) == 1);
  CHECK(fcntl(in, F_SETOWN, 0) == 0 && write(out, "g", 1) == 1 && take(&info) == 0 && read(in, &byte, 1) == 1);
}

int main(void) {
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGIO);
  sigaddset(&wanted, SIGRTMIN + 1);
  sigprocmask(SIG_BLOCK, &wanted, NULL);
  int ends[2];
  CHECK(pipe(ends) == 0);
  both_ways("a pipe", ends[0], ends[1]);
  CHECK_ERRNO(fcntl(ends[0], F_SETOWN, 999999), ESRCH);
  CHECK_ERRNO(fcntl(ends[0], F_SETOWN, -999999), ESRCH);
  CHECK_ERRNO(fcntl(ends[0], F_SETSIG, 65), EINVAL);
  struct owner owner = {9, 0};
  CHECK_ERRNO(fcntl(ends[0], F_SETOWN_EX, &owner), EINVAL);
  owner.type = 1;
  owner.pid = 999999;
  CHECK_ERRNO(fcntl(ends[0], F_SETOWN_EX, &owner), ESRCH);
  CHECK_ERRNO(fcntl(ends[0], F_SETOWN_EX, (void *)8), EFAULT);
  // A group, of which the child is one.
  pid_t pid = fork();
  if (pid == 0) {
    setpgid(0, 0);
    CHECK(fcntl(ends[0], F_SETOWN, -getpgrp()) == 0 && fcntl(ends[0], F_GETOWN) == -getpgrp());
    siginfo_t info;
    write(ends[1], "x", 1);
    CHECK(take(&info) == SIGRTMIN + 1);
    _exit(check_failures);
  }
  int status;
  waitpid(pid, &status, 0);
  CHECK_EQ(status, 0);
  close(ends[0]), close(ends[1]);
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  both_ways("a stream socket", ends[0], ends[1]);
  close(ends[0]), close(ends[1]);
  CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0);
  both_ways("a datagram socket", ends[0], ends[1]);
  close(ends[0]), close(ends[1]);
  int file = open("/proc/self/status", O_RDONLY), on = 1;
  CHECK_ERRNO(ioctl(file, FIOASYNC, &on), ENOTTY);
  CHECK_END();
}
