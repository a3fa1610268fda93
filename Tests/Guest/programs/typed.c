// A terminal: canonical input with editing and echo, end of file, signals from keys, raw input, window size.
#include "../check.h"

#include <setjmp.h>
#include <sys/ioctl.h>
#include <termios.h>

static char line[256];

static ssize_t ask(const char *prompt) {
  write(1, prompt, strlen(prompt));
  memset(line, 0, sizeof line);
  return read(0, line, sizeof line);
}

// The key may come before the read has begun, so the handler leaves it rather than relying on EINTR.
static sigjmp_buf escape;
static void on_interrupt(int number) { siglongjmp(escape, number); }

static int signal_from_key(const char *prompt) {
  int number = sigsetjmp(escape, 1);
  if (number == 0) ask(prompt);
  return number;
}

int main(void) {
  struct termios old, raw;
  CHECK(isatty(0) && isatty(1) && isatty(2));
  CHECK_OK(tcgetattr(0, &old));
  CHECK_EQ(old.c_lflag & (ICANON | ECHO | ISIG | ECHOE), ICANON | ECHO | ISIG | ECHOE);
  CHECK_EQ(old.c_oflag & (OPOST | ONLCR), OPOST | ONLCR);
  CHECK_EQ(old.c_iflag & ICRNL, ICRNL);
  CHECK_EQ(old.c_cc[VINTR], 3);
  CHECK_EQ(old.c_cc[VEOF], 4);
  CHECK_EQ(old.c_cc[VERASE], 127);
  CHECK_EQ(fcntl(0, F_GETFL) & O_ACCMODE, O_RDWR);
  struct stat status;
  fstat(0, &status);
  CHECK(S_ISCHR(status.st_mode));
  CHECK_ERRNO(lseek(0, 0, SEEK_CUR), ESPIPE);
  int tty = open("/dev/tty", O_RDWR);
  CHECK(tty >= 0);
  CHECK_EQ(write(tty, "through /dev/tty\n", 17), 17);
  CHECK_EQ(tcgetpgrp(0), getpgrp());

  CHECK_EQ(ask("line? "), 6);
  say("<%.*s>", 5, line);
  CHECK_EQ(ask("edited? "), 4);
  say("<%.*s>", 3, line);
  CHECK_EQ(ask("killed? "), 4);
  say("<%.*s>", 3, line);
  CHECK_EQ(ask("empty? "), 0);
  CHECK_EQ(ask("partial? "), 3);
  say("<%s>", line);

  struct sigaction action = {.sa_handler = on_interrupt};
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGQUIT, &action, NULL);
  CHECK_EQ(signal_from_key("interrupt? "), SIGINT);
  CHECK_EQ(signal_from_key("quit? "), SIGQUIT);

  raw = old;
  cfmakeraw(&raw);
  CHECK_OK(tcsetattr(0, TCSAFLUSH, &raw));
  ssize_t length = ask("raw? ");
  tcsetattr(0, TCSANOW, &old);
  CHECK_EQ(length, 1);
  CHECK_EQ(line[0], 3);
  raw = old;
  raw.c_lflag &= (tcflag_t) ~(ECHO | ICANON);
  raw.c_cc[VMIN] = 0, raw.c_cc[VTIME] = 1;
  CHECK_OK(tcsetattr(0, TCSANOW, &raw));
  CHECK_EQ(ask("nothing? "), 0);
  CHECK_OK(tcsetattr(0, TCSADRAIN, &old));
  struct winsize size = {0};
  CHECK_OK(ioctl(0, TIOCGWINSZ, &size));
  int waiting = -1;
  CHECK_OK(ioctl(0, FIONREAD, &waiting));
  CHECK_EQ(waiting, 0);
  signal(SIGINT, SIG_DFL);
  ask("die? ");
  CHECK_END();
}
