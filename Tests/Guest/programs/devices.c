// The memory devices and the terminal.
#include "../check.h"

#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <termios.h>

static char buffer[65536];

static void node(const char *name, unsigned major, unsigned minor) {
  struct stat status;
  if (stat(name, &status)) {
    check_report(0, __LINE__, name);
    return;
  }
  say("%s is a character device %u:%u", name, major(status.st_rdev), minor(status.st_rdev));
  check_report(S_ISCHR(status.st_mode) && major(status.st_rdev) == major && minor(status.st_rdev) == minor, __LINE__,
               name);
}

int main(void) {
  node("/dev/null", 1, 3);
  node("/dev/zero", 1, 5);
  node("/dev/full", 1, 7);
  node("/dev/random", 1, 8);
  node("/dev/urandom", 1, 9);
  node("/dev/tty", 5, 0);

  int fd = open("/dev/null", O_RDWR);
  CHECK_EQ(write(fd, buffer, 1000), 1000);
  CHECK_EQ(read(fd, buffer, 1000), 0);
  CHECK_EQ(lseek(fd, 1000, SEEK_SET), 0);
  CHECK_ERRNO(ioctl(fd, TCGETS, buffer), ENOTTY);
  CHECK_EQ(write(fd, (void *)16, 10), 10);
  CHECK_ERRNO(ftruncate(fd, 0), EINVAL);
  CHECK_ERRNO((long)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0), ENODEV);
  close(fd);
  CHECK_OK(close(open("/dev/null", O_WRONLY | O_CREAT | O_TRUNC, 0644)));

  fd = open("/dev/zero", O_RDWR);
  memset(buffer, 1, sizeof buffer);
  CHECK_EQ(read(fd, buffer, sizeof buffer), sizeof buffer);
  int sum = 0;
  for (size_t i = 0; i < sizeof buffer; i++) sum |= buffer[i];
  CHECK_EQ(sum, 0);
  CHECK_EQ(write(fd, buffer, 100), 100);
  CHECK_ERRNO(read(fd, (void *)16, 10), EFAULT);
  char *shared = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  CHECK(shared != MAP_FAILED);
  if (shared != MAP_FAILED) shared[5000] = 1, CHECK_EQ(shared[5000] + shared[0], 1);
  close(fd);

  fd = open("/dev/full", O_RDWR);
  CHECK_ERRNO(write(fd, buffer, 1), ENOSPC);
  CHECK_EQ(read(fd, buffer, 10), 10);
  close(fd);

  const char *sources[] = {"/dev/random", "/dev/urandom"};
  for (int i = 0; i < 2; i++) {
    fd = open(sources[i], O_RDWR);
    memset(buffer, 0, 4096);
    CHECK_EQ(read(fd, buffer, 4096), 4096);
    int histogram[256] = {0}, distinct = 0;
    for (int j = 0; j < 4096; j++) histogram[(unsigned char)buffer[j]]++;
    for (int j = 0; j < 256; j++) distinct += histogram[j] > 0;
    CHECK_THAT("random bytes take nearly all values", distinct > 240);
    CHECK_EQ(write(fd, buffer, 100), 100);
    close(fd);
  }
  fd = open("/dev/urandom", O_RDONLY);
  char first[32], second[32];
  read(fd, first, 32), read(fd, second, 32);
  CHECK_THAT("two reads differ", memcmp(first, second, 32) != 0);
  close(fd);

  // Descriptors as files.
  CHECK_EQ(readlink("/dev/fd", buffer, 100), 13);
  CHECK_EQ(readlink("/dev/stdout", buffer, 100), 15);
  fd = open("/etc/passwd", O_RDONLY);
  lseek(fd, 5, SEEK_SET);
  snprintf(buffer, sizeof buffer, "/dev/fd/%d", fd);
  int again = open(buffer, O_RDONLY);
  CHECK(again >= 0);
  CHECK_EQ(lseek(again, 0, SEEK_CUR), 0);
  close(fd), close(again);
  CHECK_ERRNO(open("/dev/no-such-device", O_RDONLY), ENOENT);
  fd = open("/dev/shm/object", O_RDWR | O_CREAT | O_EXCL, 0600);
  CHECK(fd >= 0);
  CHECK_OK(ftruncate(fd, 10000));
  char *object = mmap(NULL, 10000, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  object[9999] = 7;
  CHECK_EQ(pread(fd, buffer, 1, 9999), 1);
  CHECK_EQ(buffer[0], 7);
  CHECK_OK(unlink("/dev/shm/object"));
  CHECK_END();
}
