// Pseudo-terminals within one process: devpts and its nodes, locks, the line discipline between a master and its slave,
// packet mode, flow control, readiness, and what each side sees when the other closes.
#include "../check.h"

#include <dirent.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <termios.h>

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

static int master, slave;
static char node[64];

/// Linux carries bytes from one side to the other in the background, with no event for when they have arrived.
static void settle(void) { usleep(20000); }

/// Reads what is there and says it, control characters in caret notation.
static void say_read(const char *what, int fd) {
  char data[512], text[1100];
  settle();
  ssize_t count = read(fd, data, sizeof data);
  if (count < 0) {
    say("%s: %s", what, check_errno_name(errno));
    return;
  }
  int length = 0;
  for (ssize_t i = 0; i < count; i++) {
    unsigned char byte = data[i];
    if (byte < 32 || byte == 127) {
      text[length++] = '^';
      text[length++] = byte ^ 64;
    } else if (byte > 127) {
      length += sprintf(text + length, "<%02x>", byte);
    } else {
      text[length++] = byte;
    }
  }
  say("%s: %zd \"%.*s\"", what, count, length, text);
}

static int events(int fd) {
  struct pollfd entry = {.fd = fd, .events = 0x3fff};
  settle();
  poll(&entry, 1, 0);
  return entry.revents;
}

static void type(const char *text) {
  CHECK_EQ(write(master, text, strlen(text)), (ssize_t)strlen(text));
  settle();
}

static struct termios settings(void) {
  struct termios now;
  tcgetattr(slave, &now);
  return now;
}

static void make(void) {
  int number, unlock = 0;
  master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK);
  CHECK(master >= 0);
  CHECK_OK(ioctl(master, TIOCGPTN, &number));
  sprintf(node, "/dev/pts/%d", number);
  CHECK_OK(ioctl(master, TIOCSPTLCK, &unlock));
  slave = open(node, O_RDWR | O_NOCTTY | O_NONBLOCK);
  CHECK(slave >= 0);
}

static void names(void) {
  struct statfs figures;
  struct stat status;
  CHECK_OK(statfs("/dev/pts", &figures));
  CHECK_EQ(figures.f_type, 0x1cd1);
  CHECK_OK(stat("/dev/pts/ptmx", &status));
  CHECK_EQ(status.st_mode, S_IFCHR);
  CHECK_EQ(status.st_rdev, makedev(5, 2));
  CHECK_EQ(status.st_ino, 2);
  CHECK_OK(stat("/dev/pts", &status));
  say("directory %o, inode %d, links %d, size %d", status.st_mode, (int)status.st_ino, (int)status.st_nlink, (int)status.st_size);
  CHECK_OK(stat("/dev/ptmx", &status));
  CHECK_EQ(status.st_mode, S_IFCHR | 0666);

  int number = -1, locked = -1, lock = 0;
  master = open("/dev/ptmx", O_RDWR);
  CHECK(master >= 0);
  CHECK_OK(ioctl(master, TIOCGPTN, &number));
  CHECK_EQ(number, 0);
  CHECK_OK(ioctl(master, TIOCGPTLCK, &locked));
  CHECK_EQ(locked, 1);
  CHECK_ERRNO(open("/dev/pts/0", O_RDWR | O_NOCTTY), EIO);
  CHECK_ERRNO(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY), EIO);
  CHECK_OK(ioctl(master, TIOCSPTLCK, &lock));
  CHECK_OK(stat("/dev/pts/0", &status));
  say("node %o of %d:%d, inode %d, links %d", status.st_mode, status.st_uid, status.st_gid, (int)status.st_ino, (int)status.st_nlink);
  CHECK_EQ(status.st_rdev, makedev(136, 0));
  slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
  CHECK(slave >= 0);
  CHECK_EQ(fcntl(slave, F_GETFD), FD_CLOEXEC);
  char name[64], link[64];
  CHECK_EQ(ptsname_r(master, name, sizeof name), 0);
  say("%s", name);
  sprintf(link, "/proc/self/fd/%d", slave);
  ssize_t length = readlink(link, name, sizeof name);
  say("%.*s", (int)length, name);
  CHECK_EQ(ttyname_r(slave, name, sizeof name), 0);
  say("%s", name);
  sprintf(link, "/proc/self/fd/%d", master);
  length = readlink(link, name, sizeof name);
  say("%.*s", (int)length, name);
  CHECK(isatty(master) && isatty(slave));
  CHECK_ERRNO(ioctl(slave, TIOCGPTN, &number), ENOTTY);
  CHECK_ERRNO(ioctl(slave, TIOCGPTPEER, 0), EIO);
  CHECK_ERRNO(lseek(master, 0, SEEK_CUR), ESPIPE);

  int second = open("/dev/ptmx", O_RDWR), third = open("/dev/ptmx", O_RDWR);
  CHECK_OK(ioctl(third, TIOCGPTN, &number));
  CHECK_EQ(number, 2);
  close(second);
  CHECK_ERRNO(stat("/dev/pts/1", &status), ENOENT);
  second = open("/dev/ptmx", O_RDWR);
  CHECK_OK(ioctl(second, TIOCGPTN, &number));
  CHECK_EQ(number, 1);
  DIR *directory = opendir("/dev/pts");
  int count = 0;
  for (struct dirent *entry; (entry = readdir(directory));) count++;
  closedir(directory);
  CHECK_EQ(count, 6);
  CHECK_ERRNO(open("/dev/pts/new", O_CREAT | O_RDWR, 0600), EACCES);
  CHECK_ERRNO(mkdir("/dev/pts/new", 0700), EPERM);
  CHECK_ERRNO(unlink("/dev/pts/1"), EPERM);
  CHECK_OK(chmod("/dev/pts/1", 0640));
  CHECK_OK(chown("/dev/pts/1", 7, 8));
  CHECK_OK(stat("/dev/pts/1", &status));
  say("node %o of %d:%d", status.st_mode, status.st_uid, status.st_gid);
  close(second);
  close(third);
  close(slave);
  close(master);
}

static void discipline(void) {
  make();
  struct termios now = settings();
  say("%o %o %o %o", now.c_iflag, now.c_oflag, now.c_cflag, now.c_lflag);
  for (int i = 0; i < 17; i++) say("c_cc[%d] = %d", i, now.c_cc[i]);
  type("one\rt\177two\n");
  say_read("echo", master);
  say_read("line", slave);
  say_read("line", slave);
  say_read("line", slave);
  CHECK_EQ(write(slave, "out\n\tx\n", 7), 7);
  say_read("output", master);
  type("abc\004\004");
  say_read("before the end", slave);
  say_read("the end", slave);
  say_read("after it", slave);
  type("kept");
  int count = -1;
  CHECK_OK(ioctl(slave, FIONREAD, &count));
  CHECK_EQ(count, 0);
  now.c_lflag &= ~(ICANON | ECHO);
  CHECK_OK(tcsetattr(slave, TCSANOW, &now));
  CHECK_OK(ioctl(slave, FIONREAD, &count));
  CHECK_EQ(count, 4);
  say_read("raw", slave);
  tcflush(master, TCIFLUSH);
  say_read("flushed", master);
  type("\003\026\003\022\027x\025");
  say_read("raw with signals", slave);
  now.c_lflag |= ICANON | ECHO;
  now.c_lflag &= ~ISIG;
  CHECK_OK(tcsetattr(slave, TCSANOW, &now));
  type("a\003b\026\004c\001\n");
  say_read("echo", master);
  say_read("line", slave);
  type("one two  three\027four\n");
  say_read("echo", master);
  say_read("line", slave);
  type("gone\025here\022!\n");
  say_read("echo", master);
  say_read("line", slave);
  now.c_iflag |= ISTRIP | INLCR;
  now.c_iflag &= ~ICRNL;
  CHECK_OK(tcsetattr(slave, TCSANOW, &now));
  type("\341\342\r\n\004");
  say_read("echo", master);
  say_read("line", slave);
  now = settings();
  now.c_iflag = PARMRK;
  now.c_lflag = 0;
  CHECK_OK(tcsetattr(slave, TCSANOW, &now));
  type("\377\376");
  say_read("marked", slave);
  now.c_oflag = OPOST | OLCUC | OCRNL | TAB3;
  CHECK_OK(tcsetattr(slave, TCSADRAIN, &now));
  CHECK_EQ(write(slave, "ab\tc\rd\n", 7), 7);
  say_read("output", master);
  now.c_cflag = CS5 | PARENB;
  CHECK_OK(tcsetattr(slave, TCSAFLUSH, &now));
  say("%o", settings().c_cflag & (CSIZE | PARENB | CREAD));
  struct winsize size = {.ws_row = 1, .ws_col = 2, .ws_xpixel = 3, .ws_ypixel = 4}, other;
  CHECK_OK(ioctl(slave, TIOCGWINSZ, &other));
  CHECK_EQ(other.ws_row + other.ws_col, 0);
  CHECK_OK(ioctl(master, TIOCSWINSZ, &size));
  CHECK_OK(ioctl(slave, TIOCGWINSZ, &other));
  CHECK_EQ(memcmp(&size, &other, sizeof size), 0);
  close(slave);
  close(master);
}

static void long_lines(void) {
  static char data[10000];
  make();
  fcntl(slave, F_SETFL, O_RDWR);
  fcntl(master, F_SETFL, O_RDWR);
  memset(data, 'a', 5000);
  CHECK_EQ(write(master, data, 5000), 5000);
  int echoed = 0;
  while (echoed < 5000) {
    ssize_t count = read(master, data, sizeof data);
    if (count <= 0) break;
    echoed += count;
  }
  CHECK_EQ(echoed, 5000);
  CHECK_EQ(write(master, "X\n", 2), 2);
  CHECK_EQ(read(slave, data, sizeof data), 4096);
  CHECK(data[4094] == 'a' && data[4095] == '\n');
  say_read("echo", master);
  close(slave);
  close(master);
}

static void readiness(void) {
  make();
  say("new: master %x, slave %x", events(master), events(slave));
  type("x");
  say("part of a line: master %x, slave %x", events(master), events(slave));
  type("\n");
  say("a line: master %x, slave %x", events(master), events(slave));
  int queue = epoll_create1(0);
  struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u32 = 5};
  CHECK_OK(epoll_ctl(queue, EPOLL_CTL_ADD, slave, &event));
  CHECK_EQ(epoll_wait(queue, &event, 1, 1000), 1);
  CHECK_EQ(epoll_wait(queue, &event, 1, 0), 0);
  type("y\n");
  CHECK_EQ(epoll_wait(queue, &event, 1, 1000), 1);
  close(queue);
  struct termios now = settings();
  now.c_lflag &= ~ICANON;
  now.c_cc[VMIN] = 3;
  tcsetattr(slave, TCSAFLUSH, &now);
  say_read("echo", master);
  type("ab");
  say("two of three: slave %x", events(slave));
  type("c");
  say("three of three: slave %x", events(slave));
  now.c_cc[VMIN] = 0;
  now.c_cc[VTIME] = 0;
  tcsetattr(slave, TCSAFLUSH, &now);
  say_read("no minimum", slave);
  close(slave);
  say_read("echo", master);
  say_read("a closed slave", master);
  say("a closed slave: master %x", events(master));
  CHECK_EQ(write(master, "z", 1), 1);
  slave = open(node, O_RDWR | O_NOCTTY | O_NONBLOCK);
  CHECK(slave >= 0);
  say("open again: master %x, slave %x", events(master), events(slave));
  say_read("what came in between", slave);
  // Twice open: closing one changes nothing.
  int twin = open(node, O_RDWR | O_NOCTTY);
  close(twin);
  say("still open: master %x", events(master));
  close(master);
  say("a closed master: slave %x", events(slave));
  say_read("a closed master", slave);
  CHECK_ERRNO(write(slave, "x", 1), EIO);
  CHECK_ERRNO(tcgetattr(slave, &now), EIO);
  int group = getpgrp();
  CHECK_ERRNO(ioctl(slave, TIOCSPGRP, &group), ENOTTY);
  CHECK_ERRNO(open(node, O_RDWR | O_NOCTTY), ENOENT);
  struct stat status;
  CHECK_OK(fstat(slave, &status));
  CHECK_EQ(status.st_nlink, 0);
  close(slave);
}

static void full(void) {
  static char data[4096];
  make();
  struct termios now = settings();
  cfmakeraw(&now);
  tcsetattr(slave, TCSANOW, &now);
  memset(data, 'x', sizeof data);
  long total = 0;
  for (ssize_t count; (count = write(slave, data, sizeof data)) > 0; settle()) total += count;
  CHECK(errno == EAGAIN && total > 4096);
  say("full of output: slave %x", events(slave));
  long taken = 0;
  for (ssize_t count; (count = read(master, data, sizeof data)) > 0; settle()) taken += count;
  CHECK(taken == total);
  say("drained: slave %x", events(slave));
  total = 0;
  for (ssize_t count; (count = write(master, data, sizeof data)) > 0; settle()) total += count;
  CHECK(errno == EAGAIN && total > 4096);
  say("full of input: master %x", events(master));
  taken = 0;
  for (ssize_t count; (count = read(slave, data, sizeof data)) > 0; settle()) taken += count;
  CHECK(taken == total);
  say("drained: master %x", events(master));
  close(slave);
  close(master);
}

static void flow(void) {
  make();
  type("\023");
  CHECK_ERRNO(write(slave, "x", 1), EAGAIN);
  say("stopped: slave %x", events(slave));
  type("abc\n");
  say_read("no echo", master);
  type("\021");
  say_read("the echo", master);
  say_read("the line", slave);
  CHECK_OK(tcflow(slave, TCOOFF));
  type("\021");
  CHECK_ERRNO(write(slave, "x", 1), EAGAIN);
  CHECK_OK(tcflow(slave, TCOON));
  CHECK_EQ(write(slave, "x", 1), 1);
  say_read("output", master);
  CHECK_OK(tcflow(slave, TCIOFF));
  CHECK_OK(tcflow(slave, TCION));
  say_read("start and stop", master);
  CHECK_ERRNO(tcflow(slave, 9), EINVAL);
  CHECK_ERRNO(tcflush(slave, 9), EINVAL);
  close(slave);
  close(master);
}

static void packets(void) {
  make();
  int on = 1, is = -1;
  CHECK_OK(ioctl(master, TIOCPKT, &on));
  CHECK_OK(ioctl(master, TIOCGPKT, &is));
  CHECK_EQ(is, 1);
  CHECK_EQ(write(slave, "data", 4), 4);
  say("data: master %x", events(master));
  say_read("packet", master);
  say_read("packet", master);
  CHECK_OK(tcflush(slave, TCIFLUSH));
  say("flushed: master %x", events(master));
  say_read("packet", master);
  CHECK_OK(tcflush(slave, TCIOFLUSH));
  say_read("packet", master);
  CHECK_OK(tcflow(slave, TCOOFF));
  say_read("packet", master);
  CHECK_OK(tcflow(slave, TCOON));
  say_read("packet", master);
  struct termios now = settings();
  now.c_iflag &= ~IXON;
  CHECK_OK(tcsetattr(slave, TCSANOW, &now));
  say_read("packet", master);
  now.c_iflag |= IXON;
  CHECK_OK(tcsetattr(slave, TCSANOW, &now));
  say_read("packet", master);
  char one;
  CHECK_EQ(write(slave, "ab", 2), 2);
  CHECK_EQ(read(master, &one, 1), 1);
  CHECK_EQ(one, 0);
  say_read("packet", master);
  on = 0;
  CHECK_OK(ioctl(master, TIOCPKT, &on));
  CHECK_EQ(write(slave, "plain", 5), 5);
  say_read("plain", master);
  close(slave);
  close(master);
}

static void jobs(void) {
  make();
  int value = -1;
  CHECK_ERRNO(ioctl(slave, TIOCGPGRP, &value), ENOTTY);
  CHECK_OK(ioctl(master, TIOCGPGRP, &value));
  CHECK_EQ(value, 0);
  CHECK_ERRNO(ioctl(slave, TIOCGSID, &value), ENOTTY);
  CHECK_ERRNO(ioctl(master, TIOCGSID, &value), ENOTTY);
  value = getpgrp();
  CHECK_ERRNO(ioctl(slave, TIOCSPGRP, &value), ENOTTY);
  CHECK_ERRNO(ioctl(slave, TIOCSPGRP, 8), EFAULT);
  CHECK_ERRNO(ioctl(slave, TIOCNOTTY, 0), ENOTTY);
  CHECK_ERRNO(ioctl(master, TIOCSIG, SIGUSR1), EINVAL);
  CHECK_OK(ioctl(master, TIOCSIG, SIGINT));
  CHECK_OK(ioctl(slave, TIOCEXCL, 0));
  CHECK_OK(ioctl(slave, TIOCNXCL, 0));
  value = -1;
  CHECK_OK(ioctl(slave, TIOCGETD, &value));
  CHECK_EQ(value, 0);
  CHECK_ERRNO(ioctl(slave, 0x5499, 0), ENOTTY);
  close(slave);
  close(master);
}

int main(void) {
  umask(022);
  names();
  discipline();
  long_lines();
  readiness();
  full();
  flow();
  packets();
  jobs();
  CHECK_END();
}
