// Message queues of POSIX as Linux has them.
#define _GNU_SOURCE
#include "../check.h"

#include <mqueue.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

static char name[64];

static int wait_status(pid_t pid) {
  int status = -1;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
  return status;
}

static void names(void) {
  CHECK_ERRNO(mq_open(name, O_RDWR), ENOENT);
  CHECK_ERRNO(mq_unlink(name), ENOENT);
  CHECK_RAW(EACCES, SYS_mq_open, "a/b", O_RDWR | O_CREAT, 0600, NULL);
  CHECK_RAW(EACCES, SYS_mq_open, "..", O_RDWR | O_CREAT, 0600, NULL);
  CHECK_RAW(ENOENT, SYS_mq_open, "", O_RDWR | O_CREAT, 0600, NULL);
  CHECK_RAW(EFAULT, SYS_mq_open, NULL, O_RDWR | O_CREAT, 0600, NULL);
  char large[300];
  memset(large, 'x', sizeof large);
  large[299] = 0;
  CHECK_RAW(ENAMETOOLONG, SYS_mq_open, large, O_RDWR | O_CREAT, 0600, NULL);
  struct mq_attr bad = {.mq_maxmsg = 0, .mq_msgsize = 10};
  CHECK_ERRNO(mq_open(name, O_RDWR | O_CREAT, 0600, &bad), EINVAL);
  bad.mq_maxmsg = 65537;
  CHECK_ERRNO(mq_open(name, O_RDWR | O_CREAT, 0600, &bad), EINVAL);
  bad.mq_maxmsg = 8;
  struct rlimit limit;
  getrlimit(RLIMIT_MSGQUEUE, &limit);
  rlim_t usual = limit.rlim_cur;
  // Eight messages of ten bytes, each with a header and a node of 48 bytes.
  limit.rlim_cur = 8 * (10 + 48 + 48) - 1;
  CHECK(setrlimit(RLIMIT_MSGQUEUE, &limit) == 0);
  CHECK_ERRNO(mq_open(name, O_RDWR | O_CREAT, 0600, &bad), EMFILE);
  limit.rlim_cur++;
  CHECK(setrlimit(RLIMIT_MSGQUEUE, &limit) == 0);
  mqd_t first = mq_open(name, O_RDWR | O_CREAT, 0600, &bad);
  CHECK(first >= 0 && mq_unlink(name) == 0);
  // Gone, but open: it counts.
  CHECK_ERRNO(mq_open(name, O_RDWR | O_CREAT, 0600, &bad), EMFILE);
  mq_close(first);
  first = mq_open(name, O_RDWR | O_CREAT, 0600, &bad);
  CHECK(first >= 0 && mq_unlink(name) == 0 && mq_close(first) == 0);
  limit.rlim_cur = usual;
  CHECK(setrlimit(RLIMIT_MSGQUEUE, &limit) == 0);
  mqd_t queue = mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0640, NULL);
  CHECK(queue >= 0);
  CHECK_ERRNO(mq_open(name, O_RDWR | O_CREAT | O_EXCL, 0640, NULL), EEXIST);
  CHECK(fcntl(queue, F_GETFD) == FD_CLOEXEC);
  struct mq_attr attributes;
  CHECK(mq_getattr(queue, &attributes) == 0);
  CHECK(attributes.mq_maxmsg == 10 && attributes.mq_msgsize == 8192 && attributes.mq_curmsgs == 0);
  struct stat status;
  CHECK(fstat(queue, &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & 0777) == 0640 && status.st_size == 80);
  pid_t pid = fork();
  if (pid == 0) {
    setgid(500);
    setuid(500);
    CHECK_ERRNO(mq_open(name, O_RDONLY), EACCES);
    // EPERM of the kernel's, which C libraries change.
    CHECK_ERRNO(mq_unlink(name), EACCES);
    struct mq_attr many = {.mq_maxmsg = 11, .mq_msgsize = 10};
    CHECK_RAW(EINVAL, SYS_mq_open, "another", O_RDWR | O_CREAT, 0600, &many);
    _exit(check_failures);
  }
  CHECK_EQ(wait_status(pid), 0);
  mqd_t reader = mq_open(name, O_RDONLY), writer = mq_open(name, O_WRONLY | O_NONBLOCK);
  char buffer[8192];
  CHECK_ERRNO(mq_send(reader, "x", 1, 0), EBADF);
  CHECK_ERRNO(mq_receive(writer, buffer, sizeof buffer, NULL), EBADF);
  CHECK_ERRNO(mq_send(1, "x", 1, 0), EBADF);
  CHECK_ERRNO(mq_send(-1, "x", 1, 0), EBADF);
  CHECK(mq_unlink(name) == 0);
  CHECK_ERRNO(mq_open(name, O_RDWR), ENOENT);
  CHECK(mq_send(writer, "still", 5, 3) == 0);
  unsigned priority;
  CHECK(mq_receive(reader, buffer, sizeof buffer, &priority) == 5 && priority == 3 && memcmp(buffer, "still", 5) == 0);
  mq_close(queue);
  mq_close(reader);
  mq_close(writer);
}

static void order(void) {
  struct mq_attr attributes = {.mq_maxmsg = 4, .mq_msgsize = 16};
  mqd_t queue = mq_open(name, O_RDWR | O_CREAT | O_NONBLOCK, 0600, &attributes);
  CHECK(queue >= 0);
  char buffer[16];
  unsigned priority;
  CHECK_ERRNO(mq_receive(queue, buffer, 16, NULL), EAGAIN);
  CHECK_ERRNO(mq_receive(queue, buffer, 15, NULL), EMSGSIZE);
  CHECK_ERRNO(mq_send(queue, "12345678901234567", 17, 0), EMSGSIZE);
  CHECK_ERRNO(mq_send(queue, "x", 1, 32768), EINVAL);
  CHECK_RAW(EFAULT, SYS_mq_timedsend, queue, 8, 4, 0, NULL);
  struct pollfd poller = {queue, POLLIN | POLLOUT, 0};
  CHECK(poll(&poller, 1, 0) == 1 && poller.revents == POLLOUT);
  CHECK(mq_send(queue, "low", 3, 1) == 0 && mq_send(queue, "high", 4, 9) == 0);
  CHECK(poll(&poller, 1, 0) == 1 && poller.revents == (POLLIN | POLLOUT));
  CHECK(mq_send(queue, "high2", 5, 9) == 0 && mq_send(queue, "", 0, 32767) == 0);
  CHECK_ERRNO(mq_send(queue, "x", 1, 1), EAGAIN);
  CHECK(poll(&poller, 1, 0) == 1 && poller.revents == POLLIN);
  CHECK(mq_getattr(queue, &attributes) == 0 && attributes.mq_curmsgs == 4 && attributes.mq_flags == O_NONBLOCK);
  int length = (int)pread(queue, buffer, 8, 0);
  CHECK(length == 8 && memcmp(buffer, "QSIZE:12", 8) == 0);
  CHECK(mq_receive(queue, buffer, 16, &priority) == 0 && priority == 32767);
  CHECK(mq_receive(queue, buffer, 16, &priority) == 4 && priority == 9 && memcmp(buffer, "high", 4) == 0);
  CHECK(mq_receive(queue, buffer, 16, &priority) == 5 && priority == 9 && memcmp(buffer, "high2", 5) == 0);
  CHECK(mq_receive(queue, buffer, 16, &priority) == 3 && priority == 1);
  attributes.mq_flags = O_APPEND;
  CHECK_ERRNO(mq_setattr(queue, &attributes, NULL), EINVAL);
  attributes.mq_flags = 0;
  struct mq_attr old;
  CHECK(mq_setattr(queue, &attributes, &old) == 0 && old.mq_flags == O_NONBLOCK);
  CHECK(mq_getattr(queue, &old) == 0 && old.mq_flags == 0);
  struct timespec past = {1, 0}, wrong = {1, 1000000000}, later = time_after(CLOCK_REALTIME, 30);
  CHECK_ERRNO(mq_timedreceive(queue, buffer, 16, NULL, &past), ETIMEDOUT);
  CHECK_ERRNO(mq_timedreceive(queue, buffer, 16, NULL, &wrong), EINVAL);
  CHECK_ERRNO(mq_timedreceive(queue, buffer, 16, NULL, &later), ETIMEDOUT);

  // Both sides sleep and are woken.
  pid_t pid = fork();
  if (pid == 0) {
    for (int i = 0; i < 1000; i++)
      if (mq_send(queue, (char *)&i, sizeof i, 0) != 0) _exit(1);
    _exit(0);
  }
  int wrongs = 0;
  for (int i = 0; i < 1000; i++) {
    int value = -1;
    wrongs += mq_receive(queue, buffer, 16, NULL) != sizeof value || memcmp(buffer, &i, sizeof i) != 0;
  }
  CHECK_EQ(wrongs, 0);
  CHECK_EQ(wait_status(pid), 0);
  mq_close(queue);
  CHECK(mq_unlink(name) == 0);
}

static volatile sig_atomic_t told, code, value;
static void on_message(int number, siginfo_t *info, void *context) {
  (void)number, (void)context;
  told++;
  code = info->si_code;
  value = info->si_value.sival_int;
}

static void notices(void) {
  mqd_t queue = mq_open(name, O_RDWR | O_CREAT, 0600, NULL);
  struct sigaction action = {.sa_sigaction = on_message, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &action, NULL);
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 77};
  char buffer[8192];
  CHECK(mq_notify(queue, &event) == 0);
  CHECK_ERRNO(mq_notify(queue, &event), EBUSY);
  CHECK(mq_send(queue, "a", 1, 0) == 0);
  CHECK(told == 1 && code == SI_MESGQ && value == 77);
  // Once only, and only when the queue was empty.
  CHECK(mq_notify(queue, &event) == 0 && mq_send(queue, "b", 1, 0) == 0 && told == 1);
  CHECK(mq_receive(queue, buffer, sizeof buffer, NULL) == 1 && mq_receive(queue, buffer, sizeof buffer, NULL) == 1);
  CHECK(mq_send(queue, "c", 1, 0) == 0 && told == 2);
  CHECK(mq_receive(queue, buffer, sizeof buffer, NULL) == 1);
  CHECK(mq_notify(queue, &event) == 0 && mq_notify(queue, NULL) == 0 && mq_send(queue, "d", 1, 0) == 0 && told == 2);
  event.sigev_signo = 65;
  CHECK_RAW(EINVAL, SYS_mq_notify, queue, &event);
  event.sigev_notify = SIGEV_NONE;
  CHECK(mq_notify(queue, &event) == 0);
  CHECK_RAW(EBADF, SYS_mq_notify, 1, &event);
  mq_close(queue);
  CHECK(mq_unlink(name) == 0);
}

int main(void) {
  snprintf(name, sizeof name, "/check-%d", (int)getpid());
  names();
  order();
  notices();
  static const char *const limits[] = {"queues_max", "msg_max", "msgsize_max", "msg_default", "msgsize_default"};
  for (int i = 0; i < 5; i++) {
    char path[64], line[64] = "";
    snprintf(path, sizeof path, "/proc/sys/fs/mqueue/%s", limits[i]);
    FILE *stream = fopen(path, "r");
    CHECK(stream && fgets(line, sizeof line, stream));
    say("%s %.*s", limits[i], (int)strcspn(line, "\n"), line);
  }
  CHECK_END();
}
