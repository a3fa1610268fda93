// Bytes between pipes and files inside the kernel: splice, tee, vmsplice, sendfile; the size of a pipe.
#include "../check.h"

#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

static char big[200000], back[200000];

int main(void) {
  int a[2], b[2], pair[2];
  char text[100];
  signal(SIGPIPE, SIG_IGN);
  for (unsigned i = 0; i < sizeof big; i++) big[i] = i * 7 + i / 256;
  int file = open("file", O_CREAT | O_RDWR | O_TRUNC, 0600);
  CHECK_EQ(write(file, big, sizeof big), sizeof big);
  pipe(a);
  pipe(b);

  // From a file, by an offset and by its own.
  loff_t offset = 1000;
  CHECK_EQ(splice(file, &offset, a[1], NULL, 5000, 0), 5000);
  CHECK_EQ(offset, 6000);
  CHECK_EQ(lseek(file, 0, SEEK_CUR), sizeof big);
  CHECK_EQ(read(a[0], back, 6000), 5000);
  CHECK(memcmp(back, big + 1000, 5000) == 0);
  lseek(file, 10, SEEK_SET);
  CHECK_EQ(splice(file, NULL, a[1], NULL, 100, 0), 100);
  CHECK_EQ(lseek(file, 0, SEEK_CUR), 110);
  // To a file.
  int other = open("other", O_CREAT | O_RDWR | O_TRUNC, 0600);
  offset = 50;
  CHECK_EQ(splice(a[0], NULL, other, &offset, 60, 0), 60);
  CHECK_EQ(offset, 110);
  CHECK_EQ(splice(a[0], NULL, other, NULL, 60, 0), 40);
  CHECK_EQ(lseek(other, 0, SEEK_CUR), 40);
  CHECK_EQ(pread(other, back, 200, 0), 110);
  CHECK(memcmp(back, big + 70, 40) == 0 && memcmp(back + 50, big + 10, 60) == 0);
  // At the end of the file.
  offset = sizeof big;
  CHECK_EQ(splice(file, &offset, a[1], NULL, 100, 0), 0);

  // Between pipes, and copies.
  CHECK_EQ(write(a[1], big, 10000), 10000);
  CHECK_EQ(tee(a[0], b[1], 4000, 0), 4000);
  CHECK_EQ(tee(a[0], b[1], 20000, 0), 10000);
  CHECK_EQ(read(b[0], back, sizeof back), 14000);
  CHECK(memcmp(back, big, 4000) == 0 && memcmp(back + 4000, big, 10000) == 0);
  CHECK_EQ(splice(a[0], NULL, b[1], NULL, 3000, 0), 3000);
  CHECK_EQ(splice(a[0], NULL, b[1], NULL, 30000, 0), 7000);
  int count;
  ioctl(b[0], FIONREAD, &count);
  CHECK_EQ(count, 10000);
  CHECK_EQ(read(b[0], back, sizeof back), 10000);
  CHECK(memcmp(back, big, 10000) == 0);

  // Without waiting.
  CHECK_ERRNO(splice(a[0], NULL, b[1], NULL, 10, SPLICE_F_NONBLOCK), EAGAIN);
  CHECK_ERRNO(tee(a[0], b[1], 10, SPLICE_F_NONBLOCK), EAGAIN);
  CHECK_ERRNO(splice(a[0], NULL, other, NULL, 10, SPLICE_F_NONBLOCK), EAGAIN);
  fcntl(a[1], F_SETFL, O_NONBLOCK);
  CHECK_EQ(write(a[1], big, sizeof big), 65536);
  offset = 0;
  CHECK_ERRNO(splice(file, &offset, a[1], NULL, 10, SPLICE_F_NONBLOCK), EAGAIN);
  CHECK_ERRNO(splice(file, &offset, a[1], NULL, 10, 0), EAGAIN);
  CHECK_EQ(read(a[0], back, sizeof back), 65536);
  fcntl(a[1], F_SETFL, 0);

  // The program's memory.
  struct iovec vector[2] = {{big, 3000}, {big + 5000, 2000}};
  CHECK_EQ(vmsplice(a[1], vector, 2, 0), 5000);
  struct iovec into = {back, 10000};
  CHECK_EQ(vmsplice(a[0], &into, 1, 0), 5000);
  CHECK(memcmp(back, big, 3000) == 0 && memcmp(back + 3000, big + 5000, 2000) == 0);
  CHECK_ERRNO(vmsplice(a[0], &into, 1, SPLICE_F_NONBLOCK), EAGAIN);
  CHECK_ERRNO(vmsplice(file, &into, 1, 0), EBADF);
  CHECK_EQ(vmsplice(a[1], vector, 0, 0), 0);

  // Sockets.
  socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
  write(a[1], "through a socket", 16);
  CHECK_EQ(splice(a[0], NULL, pair[0], NULL, 100, 0), 16);
  CHECK_EQ(splice(pair[1], NULL, b[1], NULL, 100, 0), 16);
  CHECK_EQ(read(b[0], text, 100), 16);
  CHECK(memcmp(text, "through a socket", 16) == 0);
  offset = 100;
  CHECK_EQ(sendfile(pair[0], file, &offset, 50000), 50000);
  CHECK_EQ(offset, 50100);
  CHECK_EQ(recv(pair[1], back, 50000, MSG_WAITALL), 50000);
  CHECK(memcmp(back, big + 100, 50000) == 0);
  offset = 0;
  CHECK_EQ(sendfile(b[1], file, &offset, 40000), 40000);
  CHECK_EQ(read(b[0], back, 40000), 40000);
  CHECK(memcmp(back, big, 40000) == 0);
  offset = 0;
  CHECK_ERRNO(splice(pair[1], &offset, b[1], NULL, 1, 0), EINVAL);
  close(pair[1]);
  write(a[1], "x", 1);
  CHECK_ERRNO(splice(a[0], NULL, pair[0], NULL, 1, 0), EPIPE);
  CHECK_EQ(read(a[0], text, 100), 1);

  // What cannot be.
  CHECK_ERRNO(splice(file, NULL, other, NULL, 10, 0), EINVAL);
  CHECK_ERRNO(splice(file, NULL, a[1], NULL, 10, 16), EINVAL);
  CHECK_ERRNO(splice(a[0], &offset, b[1], NULL, 10, 0), ESPIPE);
  CHECK_ERRNO(splice(file, NULL, a[1], &offset, 10, 0), ESPIPE);
  CHECK_ERRNO(splice(a[1], NULL, b[1], NULL, 10, 0), EBADF);
  CHECK_ERRNO(splice(a[0], NULL, b[0], NULL, 10, 0), EBADF);
  CHECK_ERRNO(splice(99, NULL, b[1], NULL, 10, 0), EBADF);
  CHECK_ERRNO(splice(a[0], NULL, a[1], NULL, 10, 0), EINVAL);
  CHECK_ERRNO(tee(a[0], a[1], 10, 0), EINVAL);
  CHECK_ERRNO(tee(file, a[1], 10, 0), EINVAL);
  CHECK_EQ(tee(a[0], b[1], 0, 0), 0);
  CHECK_EQ(splice(99, NULL, b[1], NULL, 0, 0), 0);
  CHECK_RAW(EFAULT, SYS_splice, file, 8, a[1], NULL, 10, 0);
  int append = open("other", O_WRONLY | O_APPEND);
  CHECK_ERRNO(splice(a[0], NULL, append, NULL, 10, 0), EINVAL);
  int event = eventfd(0, 0), directory = open(".", O_RDONLY);
  CHECK_ERRNO(splice(event, NULL, a[1], NULL, 10, 0), EINVAL);
  CHECK_ERRNO(splice(directory, NULL, a[1], NULL, 10, 0), EINVAL);
  close(b[0]);
  write(a[1], "x", 1);
  CHECK_ERRNO(splice(a[0], NULL, b[1], NULL, 1, 0), EPIPE);
  CHECK_ERRNO(tee(a[0], b[1], 1, 0), EPIPE);
  CHECK_EQ(read(a[0], text, 10), 1);
  close(a[1]);
  CHECK_EQ(splice(a[0], NULL, other, NULL, 1, 0), 0);

  // The size of a pipe.
  pipe(a);
  CHECK_EQ(fcntl(a[0], F_GETPIPE_SZ), 65536);
  CHECK_EQ(fcntl(a[0], F_SETPIPE_SZ, 5000), 8192);
  CHECK_EQ(fcntl(a[1], F_GETPIPE_SZ), 8192);
  CHECK_EQ(fcntl(a[0], F_SETPIPE_SZ, 100), 4096);
  CHECK_EQ(fcntl(a[0], F_SETPIPE_SZ, 0), 4096);
  CHECK_ERRNO(fcntl(file, F_GETPIPE_SZ), EBADF);
  CHECK_EQ(fcntl(a[0], F_SETPIPE_SZ, 1 << 20), 1 << 20);
  CHECK_EQ(write(a[1], big, 150000), 150000);
  CHECK_ERRNO(fcntl(a[0], F_SETPIPE_SZ, 65536), EBUSY);
  CHECK_EQ(splice(a[0], NULL, other, NULL, 200000, 0), 150000);
  CHECK_END();
}
