// Checks for the programs that run under Linux and in the guest.
//
// Each check prints one line, so the two outputs can be compared byte for byte: print nothing that may differ between
// two right runs (addresses, times, process numbers). A failed check prints what it saw and the program goes on; the
// exit status of CHECK_END is 1 if any check failed. Output goes through write(2) with no buffer, so that a crash
// loses nothing and a signal handler may print.
#ifndef CHECK_H
#define CHECK_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

static int check_count, check_failures;

static const char *check_errno_name(int number) {
  static char unknown[16];
  switch (number) {
#define CHECK_NAME(name) case name: return #name;
    CHECK_NAME(EPERM) CHECK_NAME(ENOENT) CHECK_NAME(ESRCH) CHECK_NAME(EINTR) CHECK_NAME(EIO) CHECK_NAME(ENXIO)
    CHECK_NAME(E2BIG) CHECK_NAME(ENOEXEC) CHECK_NAME(EBADF) CHECK_NAME(ECHILD) CHECK_NAME(EAGAIN) CHECK_NAME(ENOMEM)
    CHECK_NAME(EACCES) CHECK_NAME(EFAULT) CHECK_NAME(EBUSY) CHECK_NAME(EEXIST) CHECK_NAME(EXDEV) CHECK_NAME(ENODEV)
    CHECK_NAME(ENOTDIR) CHECK_NAME(EISDIR) CHECK_NAME(EINVAL) CHECK_NAME(ENFILE) CHECK_NAME(EMFILE) CHECK_NAME(ENOTTY)
    CHECK_NAME(ETXTBSY) CHECK_NAME(EFBIG) CHECK_NAME(ENOSPC) CHECK_NAME(ESPIPE) CHECK_NAME(EROFS) CHECK_NAME(EMLINK)
    CHECK_NAME(EPIPE) CHECK_NAME(EDOM) CHECK_NAME(ERANGE) CHECK_NAME(ENAMETOOLONG) CHECK_NAME(ENOSYS)
    CHECK_NAME(ENOTEMPTY) CHECK_NAME(ELOOP) CHECK_NAME(EOVERFLOW) CHECK_NAME(EOPNOTSUPP) CHECK_NAME(ETIMEDOUT)
    CHECK_NAME(ENOTBLK) CHECK_NAME(ENODATA) CHECK_NAME(ECANCELED) CHECK_NAME(EAFNOSUPPORT) CHECK_NAME(ENOTSOCK)
    CHECK_NAME(EPROTONOSUPPORT) CHECK_NAME(ESOCKTNOSUPPORT) CHECK_NAME(EPROTOTYPE) CHECK_NAME(ENOPROTOOPT)
    CHECK_NAME(EADDRINUSE) CHECK_NAME(ECONNREFUSED) CHECK_NAME(ECONNRESET) CHECK_NAME(ENOTCONN) CHECK_NAME(EISCONN)
    CHECK_NAME(EMSGSIZE) CHECK_NAME(ENOMSG) CHECK_NAME(EIDRM) CHECK_NAME(EADDRNOTAVAIL) CHECK_NAME(EDESTADDRREQ)
    CHECK_NAME(EINPROGRESS) CHECK_NAME(EALREADY) CHECK_NAME(ENETUNREACH) CHECK_NAME(EHOSTUNREACH)
#undef CHECK_NAME
    case 0: return "0";
  }
  snprintf(unknown, sizeof unknown, "errno %d", number);
  return unknown;
}

/// Prints one line of output; adds the line end.
__attribute__((format(printf, 1, 2), unused)) static void say(const char *format, ...) {
  char line[1024];
  va_list arguments;
  va_start(arguments, format);
  int length = vsnprintf(line, sizeof line - 1, format, arguments);
  va_end(arguments);
  if (length > (int)sizeof line - 2) length = sizeof line - 2;
  line[length++] = '\n';
  for (int written = 0; written < length;) {
    ssize_t result = write(1, line + written, (size_t)(length - written));
    if (result <= 0) _exit(99);
    written += (int)result;
  }
}

__attribute__((unused)) static int check_report(int passed, int line, const char *what) {
  check_count++;
  if (passed) {
    say("ok %s", what);
  } else {
    check_failures++;
    say("FAILED line %d: %s", line, what);
  }
  return passed;
}

__attribute__((unused)) static void check_equal(long long actual, long long expected, int line, const char *what) {
  check_count++;
  if (actual == expected) {
    say("ok %s", what);
  } else {
    check_failures++;
    say("FAILED line %d: %s: %lld, not %lld", line, what, actual, expected);
  }
}

__attribute__((unused)) static void check_errno(long long result, int expected, int line, const char *what) {
  int actual = result == -1 ? errno : 0;
  check_count++;
  if (actual == expected) {
    say("ok %s gives %s", what, check_errno_name(expected));
  } else {
    check_failures++;
    if (result == -1)
      say("FAILED line %d: %s gives %s", line, what, check_errno_name(actual));
    else
      say("FAILED line %d: %s returned %lld, not %s", line, what, result, check_errno_name(expected));
  }
}

/// The number in the line of a file of /proc that `format` reads, such as "Threads: %ld"; 0 when there is none.
__attribute__((unused)) static long proc_number(const char *path, const char *format) {
  char line[128];
  long value = 0;
  FILE *file = fopen(path, "r");
  while (file && fgets(line, sizeof line, file)) sscanf(line, format, &value);
  if (file) fclose(file);
  return value;
}

/// What a clock will show in so many milliseconds.
__attribute__((unused)) static struct timespec time_after(clockid_t clock, long milliseconds) {
  struct timespec time;
  clock_gettime(clock, &time);
  time.tv_nsec += milliseconds * 1000000;
  time.tv_sec += time.tv_nsec / 1000000000;
  time.tv_nsec %= 1000000000;
  return time;
}

/// A condition holds.
#define CHECK(condition) check_report(!!(condition), __LINE__, #condition)
/// A condition holds; says it in words, where the expression would tell little.
#define CHECK_THAT(what, condition) check_report(!!(condition), __LINE__, what)
/// Two integers are equal.
#define CHECK_EQ(actual, expected) \
  check_equal((long long)(actual), (long long)(expected), __LINE__, #actual " == " #expected)
/// A call succeeds: it does not return -1.
#define CHECK_OK(call) (errno = 0, check_errno((long long)(call) == -1 ? -1 : 0, 0, __LINE__, #call))
/// A call returns -1 with this errno.
#define CHECK_ERRNO(call, number) (errno = 0, check_errno((long long)(call), (number), __LINE__, #call))
/// A raw system call fails with this errno. The arguments as for syscall(2).
#define CHECK_RAW(number, ...) CHECK_ERRNO(syscall(__VA_ARGS__), number)
/// Ends main.
#define CHECK_END()                                                  \
  do {                                                               \
    say("%d checks, %d failed", check_count, check_failures);        \
    return check_failures != 0;                                      \
  } while (0)

#endif
