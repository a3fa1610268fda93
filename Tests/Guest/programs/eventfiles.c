// Timers and signals as files: timerfd_create(2), signalfd(2), with poll and epoll.
#include "../check.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>

static struct itimerspec after(long value_ms, long interval_ms) {
  struct itimerspec spec = {{interval_ms / 1000, interval_ms % 1000 * 1000000},
                            {value_ms / 1000, value_ms % 1000 * 1000000}};
  return spec;
}

static int events(int fd, int timeout) {
  struct pollfd entry = {fd, POLLIN | POLLOUT | POLLRDNORM, 0};
  return poll(&entry, 1, timeout) == 1 ? entry.revents : 0;
}

static void on_signal(int number) { (void)number; }

/// Pages that timers cost which were never made. Only the first process of the guest can tell.
static long lost_by_refusals(void) {
  struct sysinfo before, after;
  sysinfo(&before);
  for (int i = 0; i < 20000; i++) (void)timerfd_create(CLOCK_MONOTONIC_RAW, 0);
  sysinfo(&after);
  long lost = (long)(before.freeram - after.freeram) / 4096;
  return getpid() == 1 && lost > 16 ? lost : 0;
}

static void timers(void) {
  struct itimerspec spec, old;
  struct timespec now;
  uint64_t ticks = 0;
  char small[7];
  int clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_REALTIME_ALARM, CLOCK_BOOTTIME_ALARM};
  for (unsigned i = 0; i < 3; i++) {
    int fd = timerfd_create(clocks[i], 0);
    CHECK(fd >= 0);
    close(fd);
  }
  CHECK_ERRNO(timerfd_create(CLOCK_PROCESS_CPUTIME_ID, 0), EINVAL);
  CHECK_ERRNO(timerfd_create(CLOCK_MONOTONIC_RAW, 0), EINVAL);
  CHECK_ERRNO(timerfd_create(-1, 0), EINVAL);
  CHECK_EQ(lost_by_refusals(), 0);
  CHECK_ERRNO(timerfd_create(CLOCK_MONOTONIC, 1), EINVAL);

  int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  CHECK_EQ(fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK), O_RDWR | O_NONBLOCK);
  CHECK_ERRNO(read(fd, &ticks, 8), EAGAIN);
  CHECK_ERRNO(read(fd, small, 7), EINVAL);
  CHECK_ERRNO(write(fd, &ticks, 8), EINVAL);
  CHECK_ERRNO(pread(fd, &ticks, 8, 0), ESPIPE);
  CHECK_EQ(events(fd, 0), 0);
  CHECK_OK(timerfd_gettime(fd, &old));
  CHECK(old.it_value.tv_sec == 0 && old.it_value.tv_nsec == 0 && old.it_interval.tv_nsec == 0);

  spec = after(20, 0);
  CHECK_OK(timerfd_settime(fd, 0, &spec, NULL));
  CHECK_OK(timerfd_gettime(fd, &old));
  CHECK(old.it_value.tv_sec == 0 && old.it_value.tv_nsec > 0 && old.it_value.tv_nsec <= 20000000);
  CHECK_EQ(events(fd, 5000), POLLIN);
  CHECK_OK(timerfd_gettime(fd, &old));
  CHECK(old.it_value.tv_sec == 0 && old.it_value.tv_nsec == 0);
  CHECK_EQ(read(fd, &ticks, 8), 8);
  CHECK_EQ(ticks, 1);
  CHECK_ERRNO(read(fd, &ticks, 8), EAGAIN);

  // A period: what was missed is counted, whoever asks.
  spec = after(10, 5);
  CHECK_OK(timerfd_settime(fd, 0, &spec, &old));
  CHECK(old.it_value.tv_nsec == 0 && old.it_interval.tv_nsec == 0);
  usleep(60000);
  CHECK_EQ(events(fd, 0), POLLIN);
  CHECK_OK(timerfd_gettime(fd, &old));
  CHECK(old.it_interval.tv_nsec == 5000000 && old.it_value.tv_nsec > 0 && old.it_value.tv_nsec <= 5000000);
  CHECK_EQ(read(fd, &ticks, 64), 8);
  CHECK(ticks >= 10);
  CHECK_EQ(events(fd, 5000), POLLIN);
  CHECK_EQ(read(fd, &ticks, 8), 8);
  CHECK(ticks >= 1);
  // Setting it again forgets what has expired.
  CHECK_EQ(events(fd, 5000), POLLIN);
  spec = after(60000, 0);
  CHECK_OK(timerfd_settime(fd, 0, &spec, &old));
  CHECK_EQ(old.it_interval.tv_nsec, 5000000);
  CHECK_ERRNO(read(fd, &ticks, 8), EAGAIN);
  spec = after(0, 5);
  CHECK_OK(timerfd_settime(fd, 0, &spec, &old));
  CHECK(old.it_value.tv_sec >= 58);
  CHECK_EQ(events(fd, 30), 0);

  // Absolute times; one in the past expires at once.
  clock_gettime(CLOCK_MONOTONIC, &now);
  spec = after(0, 0);
  spec.it_value = now;
  CHECK_OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &spec, NULL));
  CHECK_EQ(events(fd, 5000), POLLIN);
  CHECK_EQ(read(fd, &ticks, 8), 8);
  CHECK_EQ(ticks, 1);
  spec.it_value.tv_sec = 0;
  spec.it_value.tv_nsec = 1;
  CHECK_OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &spec, NULL));
  CHECK_EQ(events(fd, 5000), POLLIN);

  CHECK_ERRNO(timerfd_settime(fd, 4, &spec, NULL), EINVAL);
  spec.it_value.tv_nsec = 1000000000;
  CHECK_ERRNO(timerfd_settime(fd, 0, &spec, NULL), EINVAL);
  spec.it_value.tv_nsec = 0;
  spec.it_interval.tv_sec = -1;
  CHECK_ERRNO(timerfd_settime(fd, 0, &spec, NULL), EINVAL);
  CHECK_RAW(EFAULT, SYS_timerfd_settime, fd, 0, NULL, NULL);
  CHECK_RAW(EFAULT, SYS_timerfd_gettime, fd, NULL);
  spec = after(0, 0);
  CHECK_ERRNO(timerfd_settime(0, 0, &spec, NULL), EINVAL);
  CHECK_ERRNO(timerfd_settime(99, 0, &spec, NULL), EBADF);
  CHECK_ERRNO(timerfd_gettime(0, &old), EINVAL);
  CHECK_ERRNO(timerfd_gettime(99, &old), EBADF);

  // A read that waits, and one that a signal ends.
  CHECK_OK(fcntl(fd, F_SETFL, 0));
  spec = after(10, 0);
  CHECK_OK(timerfd_settime(fd, 0, &spec, NULL));
  CHECK_EQ(read(fd, &ticks, 8), 8);
  CHECK_EQ(ticks, 1);
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGALRM, &action, NULL);
  struct itimerval alarm_soon = {{0, 0}, {0, 10000}};
  setitimer(ITIMER_REAL, &alarm_soon, NULL);
  CHECK_ERRNO(read(fd, &ticks, 8), EINTR);

  // epoll hears of it.
  int epoll = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u32 = 7};
  CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
  CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 0);
  spec = after(10, 0);
  timerfd_settime(fd, 0, &spec, NULL);
  CHECK_EQ(epoll_wait(epoll, &event, 1, 5000), 1);
  CHECK(event.events == EPOLLIN && event.data.u32 == 7);
  CHECK_EQ(epoll_wait(epoll, &event, 1, 0), 0);
  close(epoll);
  close(fd);

  // The wall clock, and its being set.
  int real = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK);
  clock_gettime(CLOCK_REALTIME, &now);
  spec = after(0, 0);
  spec.it_value = now;
  spec.it_value.tv_nsec += 20000000;
  if (spec.it_value.tv_nsec >= 1000000000) spec.it_value.tv_nsec -= 1000000000, spec.it_value.tv_sec++;
  CHECK_OK(timerfd_settime(real, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &spec, NULL));
  CHECK_EQ(events(real, 5000), POLLIN);
  CHECK_EQ(read(real, &ticks, 8), 8);
  CHECK_EQ(ticks, 1);
  spec = after(0, 0);
  CHECK_OK(timerfd_settime(real, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &spec, NULL));
  CHECK_EQ(events(real, 0), 0);
  close(real);
}

static void signals(void) {
  sigset_t set;
  struct signalfd_siginfo info[4];
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGRTMIN);
  sigaddset(&set, SIGRTMIN + 1);
  sigaddset(&set, SIGALRM);
  sigprocmask(SIG_BLOCK, &set, NULL);
  int fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  CHECK(fd >= 0);
  CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
  CHECK_ERRNO(read(fd, info, sizeof info), EAGAIN);
  CHECK_ERRNO(read(fd, info, 127), EINVAL);
  CHECK_ERRNO(write(fd, info, 128), EINVAL);
  CHECK_EQ(events(fd, 0), 0);
  kill(getpid(), SIGUSR1);
  CHECK_EQ(events(fd, 0), POLLIN);
  union sigval value = {.sival_int = 77};
  sigqueue(getpid(), SIGRTMIN + 1, value);
  value.sival_int = 78;
  sigqueue(getpid(), SIGRTMIN + 1, value);
  syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGRTMIN);
  CHECK_EQ(read(fd, info, 300), 256);
  // The thread's own come first, then the process's by number.
  CHECK_EQ(info[0].ssi_signo, SIGRTMIN);
  CHECK_EQ(info[0].ssi_code, SI_TKILL);
  CHECK_EQ(info[0].ssi_pid, getpid());
  CHECK_EQ(info[1].ssi_signo, SIGUSR1);
  CHECK_EQ(info[1].ssi_code, SI_USER);
  CHECK(info[1].ssi_pid == (uint32_t)getpid() && info[1].ssi_uid == getuid());
  CHECK_EQ(read(fd, info, sizeof info), 256);
  CHECK(info[0].ssi_int == 77 && info[1].ssi_int == 78);
  CHECK_EQ(info[1].ssi_code, SI_QUEUE);
  CHECK_EQ(events(fd, 0), 0);

  timer_t timer;
  struct sigevent notify = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 5};
  struct itimerspec spec = after(10, 0);
  timer_create(CLOCK_MONOTONIC, &notify, &timer);
  timer_settime(timer, 0, &spec, NULL);
  CHECK_EQ(events(fd, 5000), POLLIN);
  CHECK_EQ(read(fd, info, sizeof info), 128);
  CHECK(info[0].ssi_code == SI_TIMER && info[0].ssi_int == 5 && info[0].ssi_overrun == 0);
  timer_delete(timer);

  // Only what is in the set; a change takes effect at once.
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, SIGUSR1);
  sigaddset(&one, SIGKILL);
  CHECK_EQ(signalfd(fd, &one, 0), fd);
  value.sival_int = 1;
  sigqueue(getpid(), SIGRTMIN, value);
  CHECK_EQ(events(fd, 0), 0);
  CHECK_EQ(signalfd(fd, &set, 0), fd);
  CHECK_EQ(events(fd, 0), POLLIN);
  // A signal that is read is not delivered.
  CHECK_EQ(read(fd, info, sizeof info), 128);
  sigset_t pending;
  sigpending(&pending);
  CHECK_EQ(sigismember(&pending, SIGRTMIN), 0);

  // Waiting, and epoll.
  CHECK_OK(fcntl(fd, F_SETFL, 0));
  int epoll = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN};
  CHECK_OK(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
  struct itimerval alarm_soon = {{0, 0}, {0, 10000}};
  setitimer(ITIMER_REAL, &alarm_soon, NULL);
  CHECK_EQ(epoll_wait(epoll, &event, 1, 5000), 1);
  CHECK_EQ(read(fd, info, sizeof info), 128);
  CHECK(info[0].ssi_signo == SIGALRM && info[0].ssi_code == SI_KERNEL);
  setitimer(ITIMER_REAL, &alarm_soon, NULL);
  CHECK_EQ(read(fd, info, sizeof info), 128);
  struct sigaction action = {.sa_handler = on_signal};
  sigaction(SIGVTALRM, &action, NULL);
  struct sigevent other = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGVTALRM};
  timer_create(CLOCK_MONOTONIC, &other, &timer);
  timer_settime(timer, 0, &spec, NULL);
  CHECK_ERRNO(read(fd, info, sizeof info), EINTR);
  timer_delete(timer);

  CHECK_ERRNO(signalfd(0, &set, 0), EINVAL);
  CHECK_ERRNO(signalfd(99, &set, 0), EBADF);
  CHECK_ERRNO(signalfd(-1, &set, 1), EINVAL);
  CHECK_RAW(EINVAL, SYS_signalfd4, -1, &set, 4, 0);
  CHECK_RAW(EFAULT, SYS_signalfd4, -1, NULL, 8, 0);
  int plain = syscall(SYS_signalfd, -1, &set, 8);
  CHECK(plain >= 0 && fcntl(plain, F_GETFL) == O_RDWR);
  kill(getpid(), SIGUSR1);
  CHECK_RAW(EFAULT, SYS_read, plain, 8, 128);
  close(plain);
  close(epoll);
  close(fd);
}

int main(void) {
  timers();
  signals();
  CHECK_END();
}
