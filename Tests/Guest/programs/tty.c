// Standard input and output when they are no terminals: a file and a pipe under Linux, a file and the console here.
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
  CHECK_EQ(fcntl(0, F_GETFL) & O_ACCMODE, O_RDONLY);
  CHECK_ERRNO(write(0, "x", 1), EBADF);
  CHECK_EQ(read(0, line, sizeof line), 12);
  CHECK_EQ(read(0, line, sizeof line), 0);
  CHECK_EQ(write(2, "to standard error\n", 18), 18);
  CHECK_END();
}
