// What the system says about itself, process attributes, limits, random numbers, and the calls that set them.
#include "../check.h"

#include <grp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>

#ifndef ARCH_SET_GS
#define ARCH_SET_GS 0x1001
#define ARCH_SET_FS 0x1002
#define ARCH_GET_FS 0x1003
#define ARCH_GET_GS 0x1004
#endif

int main(void) {
  struct utsname name;
  CHECK_OK(uname(&name));
  say("%s %s", name.sysname, name.machine);
  CHECK_THAT("the release reads like a version", name.release[0] >= '3' && strchr(name.release, '.') != NULL);
  CHECK(name.nodename[0] != 0 && name.version[0] != 0);
  char host[65];
  CHECK_OK(gethostname(host, sizeof host));
  CHECK(strcmp(host, name.nodename) == 0);

  struct sysinfo info;
  CHECK_OK(sysinfo(&info));
  unsigned long unit = info.mem_unit;
  CHECK(unit >= 1 && info.totalram * unit > 4u << 20 && info.freeram <= info.totalram && info.procs >= 1);
  CHECK(sysconf(_SC_NPROCESSORS_ONLN) >= 1);
  CHECK_EQ(sysconf(_SC_PAGESIZE), 4096);
  CHECK(sysconf(_SC_PHYS_PAGES) > 1024);
  CHECK_EQ(sysconf(_SC_CLK_TCK), 100);

  CHECK_EQ(getuid(), 0);
  CHECK_EQ(geteuid(), 0);
  CHECK_EQ(getgid(), 0);
  CHECK_EQ(getegid(), 0);
  CHECK(getpid() > 0);
  CHECK_EQ(syscall(SYS_gettid), getpid());
  CHECK(getppid() >= 0);
  CHECK_EQ(getsid(0), getsid(getpid()));
  CHECK_EQ(getpgid(0), getpgrp());
  CHECK_EQ(syscall(SYS_set_tid_address, NULL), getpid());
  CHECK_ERRNO(getpgid(0x3ffffff), ESRCH);
  uid_t r, e, s;
  CHECK_OK(getresuid(&r, &e, &s));
  CHECK_EQ(r | e | s, 0);
  CHECK_OK(getresgid(&r, &e, &s));
  // They come back sorted, and one that is given twice comes twice.
  gid_t groups[301], sorted[301];
  for (size_t i = 0; i < 301; i++) groups[i] = (gid_t)(i * 7919 % 1009);
  groups[300] = groups[0];
  CHECK_OK(setgroups(301, groups));
  CHECK_EQ(getgroups(301, sorted), 301);
  for (size_t i = 1; i < 301; i++) CHECK(sorted[i - 1] <= sorted[i]);
  CHECK(sorted[0] == 0 && sorted[1] == 0 && sorted[2] > 0);
  CHECK_OK(setgroups(0, NULL));
  CHECK_EQ(getgroups(0, NULL), 0);

  struct rlimit limit, old;
  int limits[] = {RLIMIT_CPU, RLIMIT_FSIZE, RLIMIT_DATA, RLIMIT_STACK, RLIMIT_CORE, RLIMIT_RSS, RLIMIT_NPROC,
                  RLIMIT_NOFILE, RLIMIT_MEMLOCK, RLIMIT_AS, RLIMIT_LOCKS, RLIMIT_SIGPENDING, RLIMIT_MSGQUEUE,
                  RLIMIT_NICE, RLIMIT_RTPRIO, RLIMIT_RTTIME};
  for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) CHECK_OK(getrlimit(limits[i], &limit));
  CHECK_OK(getrlimit(RLIMIT_NOFILE, &old));
  CHECK(old.rlim_cur >= 64 && old.rlim_cur <= old.rlim_max);
  limit = (struct rlimit){40, old.rlim_max};
  CHECK_OK(setrlimit(RLIMIT_NOFILE, &limit));
  CHECK_OK(getrlimit(RLIMIT_NOFILE, &limit));
  CHECK_EQ(limit.rlim_cur, 40);
  int fd = 0, last = -1;
  while ((fd = open("/dev/null", O_RDONLY)) >= 0) last = fd;
  CHECK_EQ(last, 39);
  CHECK_EQ(errno, EMFILE);
  CHECK_ERRNO(dup(0), EMFILE);
  CHECK_ERRNO(fcntl(0, F_DUPFD, 40), EINVAL);
  limit = (struct rlimit){50, 40};
  CHECK_ERRNO(setrlimit(RLIMIT_NOFILE, &limit), EINVAL);
  CHECK_ERRNO(getrlimit(99, &limit), EINVAL);
  CHECK_OK(setrlimit(RLIMIT_NOFILE, &old));
  for (int i = 3; i < 40; i++) close(i);
  CHECK_OK(prlimit(getpid(), RLIMIT_CORE, NULL, &limit));
  CHECK_OK(getrlimit(RLIMIT_FSIZE, &old));
  limit = (struct rlimit){1000, old.rlim_max};
  CHECK_OK(setrlimit(RLIMIT_FSIZE, &limit));
  signal(SIGXFSZ, SIG_IGN);
  fd = open("limited", O_RDWR | O_CREAT, 0644);
  char block[2000] = {0};
  CHECK_EQ(write(fd, block, 2000), 1000);
  CHECK_ERRNO(write(fd, block, 1), EFBIG);
  CHECK_ERRNO(ftruncate(fd, 1001), EFBIG);
  CHECK_OK(setrlimit(RLIMIT_FSIZE, &old));
  close(fd), unlink("limited");

  char title[17] = "";
  CHECK_OK(prctl(PR_GET_NAME, title));
  say("name %s", title);
  CHECK_OK(prctl(PR_SET_NAME, "a name that is too long"));
  CHECK_OK(prctl(PR_GET_NAME, title));
  say("name %s", title);
  CHECK_EQ(prctl(PR_GET_DUMPABLE), 1);
  CHECK_OK(prctl(PR_SET_DUMPABLE, 0));
  CHECK_EQ(prctl(PR_GET_DUMPABLE), 0);
  CHECK_ERRNO(prctl(PR_SET_DUMPABLE, 7), EINVAL);
  int number = 5;
  CHECK_OK(prctl(PR_SET_PDEATHSIG, SIGTERM));
  CHECK_OK(prctl(PR_GET_PDEATHSIG, &number));
  CHECK_EQ(number, SIGTERM);
  CHECK_OK(prctl(PR_SET_PDEATHSIG, 0));
  CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  CHECK_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 1);
  CHECK_ERRNO(prctl(9999), EINVAL);

  unsigned long fs = 0, gs = 1, value;
  __asm__ volatile("mov %%fs:0, %0" : "=r"(value));
  CHECK_OK(syscall(SYS_arch_prctl, ARCH_GET_FS, &fs));
  CHECK_EQ(fs == value, 1);
  static unsigned long block_at_gs[2] = {0x1111, 0x2222};
  CHECK_OK(syscall(SYS_arch_prctl, ARCH_SET_GS, block_at_gs));
  __asm__ volatile("mov %%gs:8, %0" : "=r"(value));
  CHECK_EQ(value, 0x2222);
  sched_yield();
  usleep(2000);
  __asm__ volatile("mov %%gs:0, %0" : "=r"(value));
  CHECK_THAT("the GS base survives a switch", value == 0x1111);
  CHECK_OK(syscall(SYS_arch_prctl, ARCH_GET_GS, &gs));
  CHECK_EQ(gs == (unsigned long)block_at_gs, 1);
  CHECK_OK(syscall(SYS_arch_prctl, ARCH_SET_GS, 0));
  CHECK_RAW(EPERM, SYS_arch_prctl, ARCH_SET_GS, 0xffff800000000000);
  CHECK_RAW(EPERM, SYS_arch_prctl, ARCH_SET_GS, 0x8000000000000000);
  CHECK_RAW(EFAULT, SYS_arch_prctl, ARCH_GET_FS, 16);
  CHECK_RAW(EINVAL, SYS_arch_prctl, 0x9999, 0);

  unsigned char one[64] = {0}, two[64] = {0};
  CHECK_EQ(getrandom(one, 64, 0), 64);
  CHECK_EQ(getrandom(two, 64, GRND_NONBLOCK), 64);
  CHECK(memcmp(one, two, 64) != 0);
  CHECK_EQ(getrandom(one, 0, 0), 0);
  CHECK_ERRNO(getrandom(one, 16, 0x100), EINVAL);
  CHECK_ERRNO(getrandom((void *)16, 16, 0), EFAULT);

  CHECK_OK(sched_yield());
  CHECK_EQ(syscall(SYS_sched_getscheduler, 0), SCHED_OTHER);
  struct sched_param parameter = {.sched_priority = 9};
  CHECK_OK(syscall(SYS_sched_getparam, 0, &parameter));  // musl's own gives ENOSYS, on purpose
  CHECK_EQ(parameter.sched_priority, 0);
  CHECK_EQ(sched_get_priority_max(SCHED_FIFO), 99);
  CHECK_EQ(sched_get_priority_min(SCHED_FIFO), 1);
  CHECK_EQ(sched_get_priority_max(SCHED_OTHER), 0);
  CHECK_ERRNO(sched_get_priority_max(77), EINVAL);
  cpu_set_t set;
  CHECK_OK(sched_getaffinity(0, sizeof set, &set));
  CHECK(CPU_ISSET(0, &set) || CPU_COUNT(&set) > 0);
  CHECK_OK(sched_setaffinity(0, sizeof set, &set));
  CHECK_RAW(EINVAL, SYS_sched_getaffinity, 0, 1, &set);
  CPU_ZERO(&set);
  CHECK_ERRNO(sched_setaffinity(0, sizeof set, &set), EINVAL);
  unsigned cpu = 99, node = 99;
  CHECK_OK(syscall(SYS_getcpu, &cpu, &node, NULL));
  CHECK(cpu < 4096 && node < 64);
  errno = 0;
  CHECK_EQ(getpriority(PRIO_PROCESS, 0), 0);
  CHECK_OK(setpriority(PRIO_PROCESS, 0, 5));
  CHECK_EQ(getpriority(PRIO_PROCESS, 0), 5);

  // Membarrier, robust lists and rseq are what C libraries probe at start-up.
  CHECK_OK(syscall(SYS_set_robust_list, block_at_gs, 24));
  CHECK_RAW(EINVAL, SYS_set_robust_list, block_at_gs, 23);
  CHECK(syscall(SYS_membarrier, 0, 0, 0) >= 0 || errno == ENOSYS);
  int word = 5;
  CHECK_RAW(EAGAIN, SYS_futex, &word, 0, 4, NULL);
  struct timespec little = {0, 5000000};
  CHECK_RAW(ETIMEDOUT, SYS_futex, &word, 0, 5, &little);
  CHECK_EQ(syscall(SYS_futex, &word, 1, 10), 0);
  CHECK_RAW(EFAULT, SYS_futex, 16, 0, 0, NULL);
  CHECK_RAW(EINVAL, SYS_futex, (char *)&word + 1, 0, 0, NULL);
  CHECK_END();
}
