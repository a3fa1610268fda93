// Files: open flags and errors, reading and writing, offsets, truncation, holes, vectors.
#include "../check.h"

#include <sys/uio.h>

static char buffer[1 << 16];

static void opening(void) {
  CHECK_ERRNO(open("missing", O_RDONLY), ENOENT);
  CHECK_ERRNO(open("", O_RDONLY), ENOENT);
  CHECK_ERRNO(open("missing/file", O_RDWR | O_CREAT, 0644), ENOENT);
  int fd = open("file", O_RDWR | O_CREAT | O_EXCL, 0640);
  CHECK_EQ(fd, 3);
  CHECK_ERRNO(open("file", O_RDWR | O_CREAT | O_EXCL, 0640), EEXIST);
  CHECK_ERRNO(open("file", O_RDONLY | O_DIRECTORY), ENOTDIR);
  CHECK_ERRNO(open("file/", O_RDONLY), ENOTDIR);
  CHECK_ERRNO(open("file/below", O_RDONLY), ENOTDIR);
  CHECK_ERRNO(open("new/", O_RDWR | O_CREAT, 0644), EISDIR);
  CHECK_ERRNO(open(".", O_RDWR), EISDIR);
  CHECK_ERRNO(open(".", O_RDONLY | O_CREAT, 0644), EISDIR);
  CHECK_ERRNO(openat(99, "file", O_RDONLY), EBADF);
  CHECK_ERRNO(openat(fd, "file", O_RDONLY), ENOTDIR);
  CHECK_OK(close(openat(fd, "/dev/null", O_RDONLY)));
  CHECK_OK(close(openat(99, "/dev/null", O_RDONLY)));
  struct stat status;
  CHECK_OK(fstat(fd, &status));
  CHECK_EQ(status.st_mode, S_IFREG | 0640);
  CHECK_EQ(status.st_size, 0);
  CHECK_EQ(status.st_nlink, 1);
  CHECK_EQ(fcntl(fd, F_GETFL), O_RDWR | 0100000);
  CHECK_EQ(fcntl(fd, F_GETFD), 0);
  CHECK_EQ(write(fd, "0123456789", 10), 10);
  CHECK_OK(close(fd));
  CHECK_ERRNO(close(fd), EBADF);
  CHECK_ERRNO(read(fd, buffer, 1), EBADF);
  CHECK_ERRNO(close(-1), EBADF);

  fd = open("file", O_RDONLY);
  CHECK_ERRNO(write(fd, "x", 1), EBADF);
  CHECK_EQ(read(fd, buffer, 100), 10);
  CHECK_EQ(read(fd, buffer, 100), 0);
  CHECK_ERRNO(ftruncate(fd, 0), EINVAL);
  close(fd);
  fd = open("file", O_WRONLY | O_TRUNC);
  CHECK_ERRNO(read(fd, buffer, 1), EBADF);
  CHECK_OK(fstat(fd, &status));
  CHECK_EQ(status.st_size, 0);
  close(fd);

  fd = open(".", O_RDONLY);
  CHECK_ERRNO(read(fd, buffer, 1), EISDIR);
  CHECK_ERRNO(write(fd, buffer, 1), EBADF);
  CHECK_ERRNO(ftruncate(fd, 0), EINVAL);
  close(fd);
  fd = open("file", O_PATH);
  CHECK_ERRNO(read(fd, buffer, 1), EBADF);
  CHECK_OK(fstat(fd, &status));
  CHECK_EQ(status.st_mode, S_IFREG | 0640);
  close(fd);
  CHECK_ERRNO(truncate(".", 0), EISDIR);
  CHECK_ERRNO(truncate("file", -1), EINVAL);
  CHECK_ERRNO(truncate("missing", 0), ENOENT);
}

static void appending(void) {
  int fd = open("log", O_RDWR | O_CREAT | O_APPEND, 0644), other = open("log", O_RDWR);
  write(fd, "one ", 4);
  write(other, "XXXXXXXX", 8);
  CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
  write(fd, "two", 3);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 11);
  CHECK_EQ(pread(fd, buffer, 100, 0), 11);
  CHECK(memcmp(buffer, "XXXXXXXXtwo", 11) == 0);
  CHECK_EQ(fcntl(fd, F_GETFL) & O_APPEND, O_APPEND);
  CHECK_OK(fcntl(fd, F_SETFL, 0));
  lseek(fd, 0, SEEK_SET);
  write(fd, "!", 1);
  CHECK_EQ(pread(other, buffer, 1, 0), 1);
  CHECK_EQ(buffer[0], '!');
  CHECK_OK(fcntl(fd, F_SETFL, O_APPEND));
  CHECK_THAT("pwrite appends too, as Linux does", pwrite(fd, "end", 3, 0) == 3 && lseek(other, 0, SEEK_END) == 14);
  close(fd), close(other);
}

static void offsets(void) {
  int fd = open("offsets", O_RDWR | O_CREAT | O_TRUNC, 0644);
  write(fd, "0123456789", 10);
  CHECK_EQ(lseek(fd, 3, SEEK_SET), 3);
  CHECK_EQ(lseek(fd, 4, SEEK_CUR), 7);
  CHECK_EQ(lseek(fd, -2, SEEK_END), 8);
  CHECK_EQ(read(fd, buffer, 5), 2);
  CHECK_ERRNO(lseek(fd, -1, SEEK_SET), EINVAL);
  CHECK_ERRNO(lseek(fd, -11, SEEK_END), EINVAL);
  CHECK_ERRNO(lseek(fd, 0, 17), EINVAL);
  CHECK_ERRNO(lseek(99, 0, SEEK_SET), EBADF);
  CHECK_EQ(lseek(fd, 1000, SEEK_END), 1010);
  CHECK_EQ(read(fd, buffer, 5), 0);
  CHECK_EQ(pread(fd, buffer, 4, 2), 4);
  CHECK(memcmp(buffer, "2345", 4) == 0);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 1010);
  CHECK_ERRNO(pread(fd, buffer, 4, -1), EINVAL);
  CHECK_ERRNO(pwrite(fd, buffer, 4, -1), EINVAL);
  CHECK_EQ(pwrite(fd, "AB", 2, 5000), 2);
  CHECK_EQ(lseek(fd, 0, SEEK_END), 5002);
  CHECK_EQ(pread(fd, buffer, 4990, 10), 4990);
  int sum = 0;
  for (int i = 0; i < 4990; i++) sum |= buffer[i];
  CHECK_THAT("a hole reads as zeroes", sum == 0);
  CHECK_EQ(read(fd, buffer, 0), 0);
  CHECK_EQ(write(fd, buffer, 0), 0);

  CHECK_OK(ftruncate(fd, 4));
  CHECK_OK(ftruncate(fd, 8));
  CHECK_EQ(pread(fd, buffer, 100, 0), 8);
  CHECK(memcmp(buffer, "0123\0\0\0\0", 8) == 0);
  CHECK_ERRNO(ftruncate(fd, -1), EINVAL);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 5002);
  CHECK_EQ(write(fd, "x", 1), 1);
  CHECK_EQ(lseek(fd, 0, SEEK_END), 5003);

  // A file of a gigabyte with two bytes in it.
  CHECK_OK(ftruncate(fd, 1 << 30));
  CHECK_EQ(pwrite(fd, "Z", 1, (1 << 30) - 1), 1);
  CHECK_EQ(pread(fd, buffer, 10, (1 << 30) - 2), 2);
  CHECK_EQ(buffer[1], 'Z');
  struct stat status;
  fstat(fd, &status);
  CHECK_EQ(status.st_size, 1 << 30);
  CHECK_THAT("and takes little room", status.st_blocks < 1000);
  CHECK_OK(ftruncate(fd, 0));
  fstat(fd, &status);
  CHECK_EQ(status.st_blocks, 0);
  CHECK_ERRNO(lseek(fd, 0, SEEK_DATA), ENXIO);
  pwrite(fd, "data", 4, 0);
  CHECK_EQ(lseek(fd, 0, SEEK_DATA), 0);
  CHECK_EQ(lseek(fd, 1, SEEK_DATA), 1);
  CHECK_EQ(lseek(fd, 0, SEEK_HOLE), 4);
  CHECK_ERRNO(lseek(fd, 4, SEEK_HOLE), ENXIO);
  CHECK_OK(fsync(fd));
  CHECK_OK(fdatasync(fd));
  CHECK_OK(posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL));
  CHECK_OK(syscall(SYS_fallocate, fd, 0, 0, 10000));
  fstat(fd, &status);
  CHECK_EQ(status.st_size, 10000);
  CHECK_ERRNO(syscall(SYS_fallocate, fd, 0, 0, 0), EINVAL);
  close(fd);
}

static void vectors(void) {
  int fd = open("vectors", O_RDWR | O_CREAT | O_TRUNC, 0644);
  char one[4] = "abc", two[6] = "defgh", empty[1];
  struct iovec out[] = {{one, 3}, {empty, 0}, {two, 5}};
  CHECK_EQ(writev(fd, out, 3), 8);
  char first[2], second[100];
  struct iovec in[] = {{first, 2}, {NULL, 0}, {second, 100}};
  lseek(fd, 0, SEEK_SET);
  CHECK_EQ(readv(fd, in, 3), 8);
  CHECK(memcmp(first, "ab", 2) == 0 && memcmp(second, "cdefgh", 6) == 0);
  CHECK_EQ(preadv(fd, in, 3, 3), 5);
  CHECK(memcmp(first, "de", 2) == 0);
  CHECK_EQ(pwritev(fd, out, 1, 10), 3);
  CHECK_EQ(lseek(fd, 0, SEEK_END), 13);
  CHECK_EQ(writev(fd, out, 0), 0);
  CHECK_ERRNO(writev(fd, out, -1), EINVAL);
  CHECK_ERRNO(writev(fd, out, 1025), EINVAL);
  struct iovec bad[] = {{one, 3}, {two, (size_t)-1}};
  CHECK_ERRNO(writev(fd, bad, 2), EINVAL);
  CHECK_ERRNO(readv(fd, (struct iovec *)8, 2), EFAULT);
  // A fault after some bytes gives what was done.
  char *edge = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(edge + 4096, 4096);
  memset(edge, 'e', 4096);
  lseek(fd, 0, SEEK_SET);
  struct iovec half[] = {{one, 3}, {(void *)16, 4}};
  CHECK_EQ(writev(fd, half, 2), 3);
  CHECK_ERRNO(write(fd, (void *)16, 4), EFAULT);
  CHECK_ERRNO(read(fd, (void *)16, 4), EFAULT);
  CHECK_EQ(lseek(fd, 0, SEEK_CUR), 3);
  close(fd);
}

static void descriptors(void) {
  int fd = open("shared", O_RDWR | O_CREAT | O_TRUNC, 0644), copy = dup(fd);
  CHECK_EQ(copy, fd + 1);
  write(fd, "abcdef", 6);
  CHECK_EQ(lseek(copy, 0, SEEK_CUR), 6);
  CHECK_EQ(dup2(fd, 20), 20);
  CHECK_EQ(dup2(fd, fd), fd);
  CHECK_ERRNO(dup2(99, 21), EBADF);
  CHECK_ERRNO(dup2(99, 99), EBADF);
  CHECK_ERRNO(dup2(fd, -1), EBADF);
  CHECK_ERRNO(dup2(fd, 1 << 30), EBADF);
  CHECK_ERRNO(dup(99), EBADF);
  CHECK_EQ(dup3(fd, 21, O_CLOEXEC), 21);
  CHECK_EQ(fcntl(21, F_GETFD), FD_CLOEXEC);
  CHECK_EQ(fcntl(20, F_GETFD), 0);
  CHECK_RAW(EINVAL, SYS_dup3, fd, fd, 0);
  CHECK_RAW(EINVAL, SYS_dup3, fd, 22, 0x1234);
  CHECK_EQ(fcntl(fd, F_DUPFD, 15), 15);
  CHECK_EQ(fcntl(fd, F_DUPFD, 15), 16);
  CHECK_EQ(fcntl(fd, F_DUPFD_CLOEXEC, 17), 17);
  CHECK_EQ(fcntl(17, F_GETFD), FD_CLOEXEC);
  CHECK_ERRNO(fcntl(fd, F_DUPFD, -1), EINVAL);
  CHECK_ERRNO(fcntl(fd, 9999), EINVAL);
  CHECK_ERRNO(fcntl(99, F_GETFL), EBADF);
  CHECK_OK(fcntl(20, F_SETFD, FD_CLOEXEC));
  CHECK_EQ(fcntl(20, F_GETFD), FD_CLOEXEC);
  CHECK_OK(fcntl(fd, F_SETFL, O_NONBLOCK));
  CHECK_THAT("file status flags belong to the open file", fcntl(copy, F_GETFL) & O_NONBLOCK);
  CHECK_OK(close(fd));
  CHECK_EQ(open("/dev/null", O_RDONLY), fd);
  CHECK_EQ(write(copy, "g", 1), 1);
  CHECK_EQ(lseek(20, 0, SEEK_END), 7);
  CHECK_OK(syscall(SYS_close_range, 15, 21, 0));
  CHECK_ERRNO(fcntl(20, F_GETFD), EBADF);
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  CHECK_OK(fcntl(copy, F_SETLK, &lock));
  lock.l_type = F_WRLCK;
  CHECK_OK(fcntl(copy, F_GETLK, &lock));
  CHECK_EQ(lock.l_type, F_UNLCK);
  // That this asks for nothing is seen before that there is no such place.
  lock.l_type = F_UNLCK, lock.l_start = INT64_MAX, lock.l_len = 10;
  CHECK_ERRNO(fcntl(copy, F_GETLK, &lock), EINVAL);
  lock.l_type = F_WRLCK;
  CHECK_ERRNO(fcntl(copy, F_GETLK, &lock), EOVERFLOW);
  close(copy), close(fd);
  int last = 0, opened = 0;
  while ((last = open("/dev/null", O_RDONLY)) >= 0 && opened < 5000) opened++;
  CHECK_THAT("descriptors run out with EMFILE", opened == 5000 || errno == EMFILE);
  for (int i = 3; i < 5100; i++) close(i);
}

int main(void) {
  umask(022);
  opening();
  appending();
  offsets();
  vectors();
  descriptors();
  CHECK_END();
}
