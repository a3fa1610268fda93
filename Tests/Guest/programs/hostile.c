// Bad pointers, bad descriptors, bad lengths and unknown numbers: an error each time, and never more than that.
#include "../check.h"

#include <dirent.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <time.h>

#define PAGE 4096ul

int main(void) {
  char *area = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(area + 2 * PAGE, PAGE);
  mprotect(area, PAGE, PROT_READ);
  char *edge = area + 2 * PAGE;
  int fd = open("file", O_RDWR | O_CREAT, 0644);
  write(fd, "0123456789", 10);

  // Each is a pointer that no call may follow: nothing, a low page, unmapped, read-only (for results), beyond the user
  // part, not canonical, the top of the address space.
  unsigned long bad[] = {0, 16, (unsigned long)edge, 0x00007ffffffff000, 0x0000800000000000, 0x8000000000000000,
                         0xffff800000000000, 0xffffffff80000000, -16ul, -1ul};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    unsigned long p = bad[i];
    say("pointer %zu", i);
    CHECK_RAW(EFAULT, SYS_open, p, O_RDONLY);
    CHECK_RAW(EFAULT, SYS_openat, AT_FDCWD, p, O_RDONLY);
    CHECK_RAW(EFAULT, SYS_stat, p, area + PAGE);
    CHECK_RAW(EFAULT, SYS_stat, ".", p);
    CHECK_RAW(EFAULT, SYS_fstat, fd, p);
    CHECK_RAW(EFAULT, SYS_lstat, p, p);
    lseek(fd, 0, SEEK_SET);
    CHECK_RAW(EFAULT, SYS_read, fd, p, 10);
    CHECK_RAW(EFAULT, SYS_write, fd, p, 10);
    CHECK_RAW(EFAULT, SYS_pread64, fd, p, 10, 0);
    CHECK_RAW(EFAULT, SYS_pwrite64, fd, p, 10, 0);
    CHECK_RAW(EFAULT, SYS_readv, fd, p, 2);
    CHECK_RAW(EFAULT, SYS_writev, fd, p, 2);
    CHECK_RAW(EFAULT, SYS_getcwd, p, 100);
    CHECK_RAW(EFAULT, SYS_chdir, p);
    CHECK_RAW(EFAULT, SYS_mkdir, p, 0755);
    CHECK_RAW(EFAULT, SYS_rmdir, p);
    CHECK_RAW(EFAULT, SYS_unlink, p);
    CHECK_RAW(EFAULT, SYS_rename, "file", p);
    CHECK_RAW(EFAULT, SYS_rename, p, "file");
    CHECK_RAW(EFAULT, SYS_link, "file", p);
    CHECK_RAW(EFAULT, SYS_symlink, p, "new");
    CHECK_RAW(EFAULT, SYS_readlink, p, area, 10);
    CHECK_RAW(EFAULT, SYS_readlink, "/proc/self/exe", p, 10);
    CHECK_RAW(EFAULT, SYS_access, p, 0);
    CHECK_RAW(EFAULT, SYS_chmod, p, 0644);
    CHECK_RAW(EFAULT, SYS_truncate, p, 0);
    CHECK_RAW(EFAULT, SYS_statfs, ".", p);
    CHECK_RAW(EFAULT, SYS_uname, p);
    CHECK_RAW(EFAULT, SYS_sysinfo, p);
    CHECK_RAW(EFAULT, SYS_getrlimit, RLIMIT_STACK, p);
    CHECK_RAW(EFAULT, SYS_setrlimit, RLIMIT_STACK, p);
    CHECK_RAW(EFAULT, SYS_getrusage, 0, p);
    CHECK_RAW(EFAULT, SYS_clock_gettime, CLOCK_MONOTONIC, p);
    CHECK_RAW(EFAULT, SYS_nanosleep, p, NULL);
    CHECK_RAW(EFAULT, SYS_getrandom, p, 10, 0);
    CHECK_RAW(EFAULT, SYS_sched_getaffinity, 0, 128, p);
    int directory = open("/", O_RDONLY);
    CHECK_RAW(EFAULT, SYS_getdents64, directory, p, 1000);
    close(directory);
    if (p) {  // no pointer means no wish
      CHECK_RAW(EFAULT, SYS_rt_sigaction, SIGUSR1, p, NULL, 8);
      CHECK_RAW(EFAULT, SYS_rt_sigaction, SIGUSR1, NULL, p, 8);
      CHECK_RAW(EFAULT, SYS_rt_sigprocmask, SIG_BLOCK, p, NULL, 8);
      CHECK_RAW(EFAULT, SYS_rt_sigprocmask, SIG_BLOCK, NULL, p, 8);
      CHECK_RAW(EFAULT, SYS_sigaltstack, p, NULL);
      CHECK_RAW(EFAULT, SYS_gettimeofday, p, NULL);
      CHECK_RAW(EFAULT, SYS_getitimer, ITIMER_REAL, p);
    }
  }

  say("results into read-only memory");
  CHECK_RAW(EFAULT, SYS_read, fd, area, 10);
  CHECK_RAW(EFAULT, SYS_fstat, fd, area);
  CHECK_RAW(EFAULT, SYS_uname, area);
  CHECK_RAW(EFAULT, SYS_getcwd, area, 100);
  CHECK_RAW(EFAULT, SYS_getrandom, area, 10, 0);
  CHECK_RAW(EFAULT, SYS_clock_gettime, CLOCK_MONOTONIC, area);

  say("results and names that end at an edge");
  lseek(fd, 0, SEEK_SET);
  CHECK_EQ(syscall(SYS_pread64, fd, edge - 4, 4, 0), 4);
  CHECK(memcmp(edge - 4, "0123", 4) == 0);
  memcpy(edge - 5, "/etc", 5);
  struct stat status;
  CHECK_OK(stat(edge - 5, &status));
  memcpy(edge - 4, "/etc", 4);
  CHECK_RAW(EFAULT, SYS_stat, edge - 4, &status);
  CHECK_RAW(EFAULT, SYS_fstat, fd, edge - 100);
  CHECK_OK(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, edge - 16));
  CHECK_RAW(EFAULT, SYS_clock_gettime, CLOCK_MONOTONIC, edge - 15);

  say("lengths");
  CHECK_RAW(EFAULT, SYS_read, fd, area + PAGE, -1l);
  CHECK_RAW(EFAULT, SYS_write, fd, area + PAGE, -1l);
  struct iovec vector = {area, (size_t)-1};
  CHECK_RAW(EINVAL, SYS_readv, fd, &vector, 1);
  CHECK_RAW(EINVAL, SYS_readv, fd, &vector, -1l);
  CHECK_RAW(EINVAL, SYS_readv, fd, &vector, 1025l);
  CHECK_RAW(EINVAL, SYS_lseek, fd, -1l, SEEK_SET);
  CHECK_RAW(EINVAL, SYS_pread64, fd, area + PAGE, 1, -1l);
  CHECK_RAW(EINVAL, SYS_ftruncate, fd, -1l);
  CHECK_RAW(EINVAL, SYS_ftruncate, fd, 1l << 63);

  say("descriptors");
  long numbers[] = {-1, -2, 99, 1 << 20, 0x7fffffff};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    long n = numbers[i];
    CHECK_RAW(EBADF, SYS_read, n, area + PAGE, 1);
    CHECK_RAW(EBADF, SYS_write, n, area + PAGE, 1);
    CHECK_RAW(EBADF, SYS_close, n);
    CHECK_RAW(EBADF, SYS_fstat, n, &status);
    CHECK_RAW(EBADF, SYS_lseek, n, 0, 0);
    CHECK_RAW(EBADF, SYS_ioctl, n, TCGETS, area + PAGE);
    CHECK_RAW(EBADF, SYS_fcntl, n, F_GETFL);
    CHECK_RAW(EBADF, SYS_dup, n);
    CHECK_RAW(EBADF, SYS_fsync, n);
    CHECK_RAW(EBADF, SYS_ftruncate, n, 0);
    CHECK_RAW(EBADF, SYS_fchmod, n, 0644);
    CHECK_RAW(EBADF, SYS_getdents64, n, area + PAGE, 100);
    CHECK_RAW(EBADF, SYS_mmap, NULL, PAGE, PROT_READ, MAP_PRIVATE, n, 0);
  }
  CHECK_THAT("a descriptor's upper half is not looked at",
             syscall(SYS_fcntl, 0x500000000l | (unsigned)fd, F_GETFD) == 0);

  say("system call numbers");
  CHECK_RAW(ENOSYS, 400);
  CHECK_RAW(ENOSYS, 1000);
  CHECK_RAW(ENOSYS, 100000, 1, 2, 3, 4, 5, 6);
  CHECK_RAW(ENOSYS, -1);
  CHECK_RAW(ENOSYS, 0x7fffffffl);
  CHECK_RAW(ENOSYS, -0x80000000l);
  CHECK_RAW(ENOSYS, SYS_tuxcall);
  CHECK_RAW(ENOSYS, SYS_getpmsg);
  CHECK_THAT("and their upper half is not looked at either", syscall((1l << 32) | SYS_getpid) == getpid());
  close(fd);
  unlink("file");
  CHECK_END();
}
