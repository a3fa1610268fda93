// Files of an overlay's lower layers that are removed while they are open: what would want a copy of them fails, as the
// copy would get the name that the file had. Everything lies on one tmpfs.
#include "../check.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/xattr.h>

static void put(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
  close(fd);
}

#define SAY(call)                                                       \
  do {                                                                  \
    long result = (long)(call);                                         \
    say("  %s: %s", #call, result == -1 ? check_errno_name(errno) : "done"); \
  } while (0)

static int opened(const char *path, int flags) {
  int fd = open(path, flags);
  if (fd >= 0) close(fd);
  return fd;
}

// Everything that changes an open file, and what it is afterwards.
static void change(const char *title, int fd) {
  char path[64], text[16] = "";
  const struct timespec times[2] = {{5, 0}, {6, 0}};
  struct stat status;
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  say("%s", title);
  CHECK(fd >= 0);
  SAY(fchmod(fd, 0600));
  SAY(chmod(path, 0640));
  SAY(fchown(fd, 1, 1));
  SAY(futimens(fd, times));
  SAY(utimensat(AT_FDCWD, path, times, 0));
  SAY(fsetxattr(fd, "trusted.a", "b", 1, 0));
  SAY(fremovexattr(fd, "trusted.a"));
  SAY(ftruncate(fd, 3));
  SAY(truncate(path, 2));
  SAY(opened(path, O_RDONLY | O_NONBLOCK));
  SAY(opened(path, O_RDWR | O_NONBLOCK));
  SAY(opened(path, O_RDONLY | O_TRUNC | O_NONBLOCK));
  SAY(linkat(AT_FDCWD, path, AT_FDCWD, "o/linked", AT_SYMLINK_FOLLOW));
  SAY(fallocate(fd, 0, 0, 10));
  SAY(fsync(fd));
  if (fstat(fd, &status) == 0)
    say("  %06o %u:%u size %ld", status.st_mode, status.st_uid, status.st_gid,
        S_ISREG(status.st_mode) ? (long)status.st_size : 0);
  say("  reads %ld %s", (long)pread(fd, text, 15, 0), text);
  unlink("o/linked");
  close(fd);
}

int main(void) {
  if (unshare(CLONE_NEWNS) == 0) mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
  CHECK(mkdir("mnt", 0755) == 0 && mount("none", "mnt", "tmpfs", 0, "mode=755") == 0 && chdir("mnt") == 0);
  static const char *const directories[] = {"l", "u", "w", "o", "l/d", "l/e", "l/g", "l/h", "l/i"};
  for (int i = 0; i < 9; i++) CHECK_OK(mkdir(directories[i], 0755));
  static const char *const files[] = {"l/a", "l/b", "l/c", "l/d/x", "l/one", "l/written", "l/moved", "l/linked-before"};
  for (int i = 0; i < 8; i++) put(files[i], "text");
  CHECK_OK(link("l/one", "l/other"));
  CHECK(mkfifo("l/fifo", 0644) == 0 && mkfifo("l/e/fifo", 0644) == 0);
  CHECK_OK(mount("overlay", "o", "overlay", 0, "lowerdir=l,upperdir=u,workdir=w"));

  int fd = open("o/a", O_RDONLY);
  CHECK_OK(unlink("o/a"));
  change("removed", fd);
  fd = open("o/b", O_RDONLY);
  CHECK_OK(unlink("o/b"));
  put("o/b", "new");
  change("removed, and its name made again", fd);
  fd = open("o/c", O_RDONLY);
  put("o/cc", "new");
  CHECK_OK(rename("o/cc", "o/c"));
  change("replaced", fd);
  fd = open("o/d/x", O_RDONLY);
  CHECK_OK(unlink("o/d/x"));
  CHECK_OK(rmdir("o/d"));
  change("removed with its directory", fd);
  fd = open("o/one", O_RDONLY);
  CHECK_OK(unlink("o/one"));
  change("one of two names", fd);
  change("the other", open("o/other", O_RDONLY));
  fd = open("o/written", O_RDWR);
  CHECK_OK(unlink("o/written"));
  change("open for writing before", fd);
  fd = open("o/moved", O_RDONLY);
  CHECK_OK(rename("o/moved", "o/elsewhere"));
  CHECK_OK(unlink("o/elsewhere"));
  change("copied by a rename before", fd);
  fd = open("o/g", O_RDONLY);
  CHECK_OK(rmdir("o/g"));
  change("a directory", fd);
  fd = open("o/h", O_RDONLY);
  CHECK_OK(rmdir("o/h"));
  put("o/h", "file");
  change("a directory, now a file", fd);
  fd = open("o/i", O_RDONLY);
  CHECK_OK(rmdir("o/i"));
  CHECK_OK(mkdir("o/i", 0755));
  put("o/i/file", "file");
  change("a directory, now one with something in it", fd);
  fd = open("o/fifo", O_RDONLY | O_NONBLOCK);
  CHECK_OK(unlink("o/fifo"));
  CHECK_OK(mkdir("o/fifo", 0755));
  change("a FIFO, now a directory", fd);
  fd = open("o/e/fifo", O_RDONLY | O_NONBLOCK);
  CHECK_OK(unlink("o/e/fifo"));
  CHECK_OK(rmdir("o/e"));
  change("a FIFO, removed with its directory", fd);
  CHECK_OK(umount2("o", 0));
  CHECK_OK(chdir(".."));
  CHECK_OK(umount2("mnt", 0));
  CHECK_OK(rmdir("mnt"));
  CHECK_END();
}
