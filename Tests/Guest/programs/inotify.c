// inotify: what is reported for which change, in which order, and the watches themselves.
#include "../check.h"

#include <dirent.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <sys/xattr.h>

static int fd;
static const char *names[16];

/// Prints the events that wait, one line for each.
static void events(const char *what) {
  char buffer[8192] __attribute__((aligned(8)));
  static const char *bits[] = {"ACCESS", "MODIFY", "ATTRIB", "CLOSE_WRITE", "CLOSE_NOWRITE", "OPEN", "MOVED_FROM",
                               "MOVED_TO", "CREATE", "DELETE", "DELETE_SELF", "MOVE_SELF", "?", "UNMOUNT",
                               "Q_OVERFLOW", "IGNORED"};
  static uint32_t cookie;
  say("%s:", what);
  for (;;) {
    ssize_t length = read(fd, buffer, sizeof buffer);
    if (length <= 0) break;
    for (char *at = buffer; at < buffer + length;) {
      struct inotify_event *event = (void *)at;
      char line[200] = "";
      for (int bit = 0; bit < 16; bit++) {
        if (event->mask >> bit & 1) strcat(strcat(line, " "), bits[bit]);
      }
      if (event->mask & IN_ISDIR) strcat(line, " ISDIR");
      const char *moved = event->cookie == 0 ? "" : event->cookie == cookie ? " same cookie" : " cookie";
      cookie = event->cookie;
      say("  %s%s%s%s (%u)%s", event->wd >= 0 && event->wd < 16 && names[event->wd] ? names[event->wd] : "-", line,
          event->len ? " " : "", event->len ? event->name : "", event->len, moved);
      at += sizeof *event + event->len;
    }
  }
}

static int watch(const char *name, uint32_t mask) {
  int wd = inotify_add_watch(fd, name, mask);
  if (wd >= 0 && wd < 16) names[wd] = strdup(name);
  return wd;
}

int main(void) {
  char text[100];
  CHECK_ERRNO(inotify_init1(1), EINVAL);
  fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  CHECK(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
  CHECK_EQ(fcntl(fd, F_GETFL), O_NONBLOCK);
  CHECK_OK(mkdir("d", 0755));
  CHECK_EQ(watch("d", IN_ALL_EVENTS), 1);
  CHECK_EQ(inotify_add_watch(fd, "d", IN_ALL_EVENTS), 1);
  CHECK_ERRNO(inotify_add_watch(fd, "d", 0), EINVAL);
  CHECK_ERRNO(inotify_add_watch(fd, "d", IN_CREATE | IN_MASK_ADD | IN_MASK_CREATE), EINVAL);
  CHECK_ERRNO(inotify_add_watch(fd, "d", IN_CREATE | IN_MASK_CREATE), EEXIST);
  CHECK_ERRNO(inotify_add_watch(fd, "none", IN_CREATE), ENOENT);
  CHECK_ERRNO(inotify_add_watch(0, "d", IN_CREATE), EINVAL);
  CHECK_ERRNO(inotify_add_watch(99, "d", IN_CREATE), EBADF);
  CHECK_ERRNO(inotify_rm_watch(fd, 7), EINVAL);
  CHECK_ERRNO(inotify_rm_watch(0, 1), EINVAL);
  CHECK_ERRNO(read(fd, text, 100), EAGAIN);
  CHECK_ERRNO(write(fd, text, 1), EBADF);

  int file = open("d/file", O_CREAT | O_RDWR, 0644);
  events("create");
  CHECK_ERRNO(inotify_add_watch(fd, "d/file", IN_CREATE | IN_ONLYDIR), ENOTDIR);
  CHECK_EQ(watch("d/file", IN_ALL_EVENTS), 2);
  write(file, "hello", 5);
  write(file, "again", 5);
  pread(file, text, 3, 0);
  events("write, write, read");
  read(file, text, 10);
  write(file, "", 0);
  events("nothing read, nothing written");
  ftruncate(file, 3);
  fchmod(file, 0600);
  fchown(file, 1, 1);
  events("ftruncate, fchmod, fchown");
  struct timespec times[2] = {{1, 0}, {2, 0}};
  futimens(file, times);
  times[0].tv_nsec = UTIME_OMIT;
  futimens(file, times);
  times[0].tv_nsec = 0;
  times[1].tv_nsec = UTIME_OMIT;
  futimens(file, times);
  events("times");
  int copy = dup(file);
  close(file);
  events("one of two descriptors closed");
  close(copy);
  events("close");
  close(open("d/file", O_RDONLY));
  close(open("d/file", O_WRONLY | O_TRUNC));
  events("opened again, truncated");
  truncate("d/file", 10);
  close(open("d/file", O_PATH));
  events("truncate, O_PATH");
  struct stat info;
  stat("d/file", &info);
  access("d/file", R_OK);
  events("stat, access");

  link("d/file", "d/link");
  symlink("file", "d/symlink");
  mkdir("d/sub", 0755);
  mkfifo("d/fifo", 0644);
  events("link, symlink, mkdir, mkfifo");
  rename("d/file", "d/moved");
  events("rename");
  rename("d/moved", "outside");
  events("moved out");
  rename("outside", "d/inside");
  rename("d/inside", "d/fifo");
  events("moved in, over another");
  CHECK_EQ(watch("d/sub", IN_ALL_EVENTS), 3);
  rename("d/sub", "d/directory");
  rmdir("d/directory");
  events("a directory moved and removed");
  syscall(SYS_renameat2, AT_FDCWD, "d/link", AT_FDCWD, "d/symlink", 2);
  events("exchange");
  unlink("d/fifo");
  file = open("d/symlink", O_RDONLY);
  unlink("d/symlink");
  events("both names gone, but open");
  pread(file, text, 1, 0);
  close(file);
  events("closed");
  DIR *directory = opendir("d");
  while (readdir(directory)) {}
  closedir(directory);
  events("listed");

  // Fewer events, added events, one event.
  close(open("d/a", O_CREAT | O_WRONLY, 0644));
  events("a");
  CHECK_EQ(watch("d/a", IN_OPEN), 4);
  CHECK_EQ(inotify_add_watch(fd, "d", IN_DELETE | IN_EXCL_UNLINK), 1);
  file = open("d/a", O_RDWR);
  write(file, "x", 1);
  events("only opens");
  CHECK_EQ(inotify_add_watch(fd, "d/a", IN_MODIFY | IN_MASK_ADD), 4);
  close(open("d/a", O_RDONLY));
  write(file, "x", 1);
  events("opens and writes");
  CHECK_EQ(inotify_add_watch(fd, "d/a", IN_MODIFY | IN_ONESHOT), 4);
  write(file, "x", 1);
  write(file, "x", 1);
  events("once");
  CHECK_EQ(inotify_add_watch(fd, "d", IN_MODIFY | IN_EXCL_UNLINK), 1);
  write(file, "x", 1);
  unlink("d/a");
  write(file, "x", 1);
  close(file);
  events("not after the name is gone");
  CHECK_OK(inotify_rm_watch(fd, 1));
  CHECK_ERRNO(inotify_rm_watch(fd, 1), EINVAL);
  events("removed");

  // Waiting, and how much there is.
  CHECK_EQ(watch("d", IN_CREATE), 5);
  struct pollfd entry = {fd, POLLIN | POLLOUT, 0};
  CHECK_EQ(poll(&entry, 1, 0), 0);
  mkdir("d/0123456789012345", 0755);
  mkdir("d/1", 0755);
  CHECK_EQ(poll(&entry, 1, 0), 1);
  CHECK_EQ(entry.revents, POLLIN);
  int count = 0;
  CHECK_OK(ioctl(fd, FIONREAD, &count));
  CHECK_EQ(count, 16 + 32 + 16 + 16);
  CHECK_ERRNO(read(fd, text, 47), EINVAL);
  CHECK_EQ(read(fd, text, 60), 48);
  events("the rest");
  // The queue has an end.
  int overflow = inotify_init1(IN_NONBLOCK);
  inotify_add_watch(overflow, "d", IN_ALL_EVENTS);
  for (int i = 0; i < 9000; i++) {
    sprintf(text, "d/%d", i + 10);
    mkdir(text, 0755);
    rmdir(text);
  }
  static char all[600000] __attribute__((aligned(8)));
  int seen = 0, last = 0;
  ssize_t length;
  while ((length = read(overflow, all, sizeof all)) > 0) {
    for (char *at = all; at < all + length; at += sizeof(struct inotify_event) + ((struct inotify_event *)at)->len) {
      seen++;
      last = ((struct inotify_event *)at)->mask;
    }
  }
  CHECK_EQ(seen, 16385);
  CHECK_EQ(last, IN_Q_OVERFLOW);
  close(overflow);
  close(fd);
  CHECK_END();
}
