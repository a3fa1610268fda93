// Standard input and output when they are no terminals: pipes under Linux, the console here.
#include "../check.h"

#include <sys/ioctl.h>
#include <termios.h>

int main(void) {
  char line[100];
  CHECK(!isatty(0));
  CHECK(!isatty(1));
  CHECK(!isatty(2));
  struct termios settings;
  CHECK_ERRNO(tcgetattr(1, &settings), ENOTTY);
  struct winsize size;
  CHECK_ERRNO(ioctl(1, TIOCGWINSZ, &size), ENOTTY);
  CHECK_ERRNO(ioctl(1, 0x12345678, 0), ENOTTY);
  CHECK_ERRNO(lseek(1, 0, SEEK_CUR), ESPIPE);
  CHECK_ERRNO(lseek(0, 0, SEEK_CUR), ESPIPE);
  CHECK_ERRNO(pread(0, line, 1, 0), ESPIPE);
  CHECK_EQ(fcntl(0, F_GETFL) & O_ACCMODE, O_RDONLY);
  CHECK_EQ(fcntl(1, F_GETFL) & O_ACCMODE, O_WRONLY);
  CHECK_ERRNO(write(0, "x", 1), EBADF);
  CHECK_ERRNO(read(1, line, 1), EBADF);
  ssize_t length = 0;
  for (ssize_t n; (n = read(0, line + length, sizeof line - (size_t)length)) > 0;) length += n;
  CHECK_EQ(length, 16);
  CHECK_THAT("all bytes pass unchanged", memcmp(line, "twelve\x10\x04\r\n\x03\x1a\xff\x7f\x11\x13", 16) == 0);
  CHECK_EQ(read(0, line, sizeof line), 0);
  CHECK_EQ(write(2, "to standard error\n", 18), 18);
  CHECK_END();
}
