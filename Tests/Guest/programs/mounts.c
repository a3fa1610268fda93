// mount(2) and umount2(2): bindings, moves, what is in use, flags, tmpfs's options, propagation.
#include "../check.h"

#include <dirent.h>
#include <sched.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>

static void put(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
  close(fd);
}

// What a file begins with; good until the fourth call from here.
static const char *get(const char *path) {
  static char texts[4][256];
  static int next;
  char *text = texts[next++ & 3];
  int fd = open(path, O_RDONLY);
  if (fd < 0) return check_errno_name(errno);
  ssize_t count = read(fd, text, sizeof texts[0] - 1);
  text[count < 0 ? 0 : count] = 0;
  close(fd);
  return text;
}

static void check_string(const char *actual, const char *expected, int line) {
  check_report(strcmp(actual, expected) == 0, line, expected);
  if (strcmp(actual, expected) != 0) say("  is %s", actual);
}
#define CHECK_STRING(actual, expected) check_string(actual, expected, __LINE__)

// Prints the lines of a file of /proc that speak of mounts below the working directory, sorted by place: without
// numbers of mounts, devices and groups.
static int order(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }
static void mounts(const char *title) {
  char *lines[64], text[4096], line[1024], cwd[256] = "";
  int count = 0;
  CHECK(getcwd(cwd, sizeof cwd) != NULL);
  FILE *file = fopen("/proc/self/mountinfo", "r");
  while (file && fgets(line, sizeof line, file) && count < 64) {
    char root[256], place[256], flags[256], *rest = line;
    int length = 0;
    if (sscanf(line, "%*d %*d %*s %255s %255s %255s%n", root, place, flags, &length) != 3) continue;
    if (strncmp(place, cwd, strlen(cwd)) != 0) continue;
    rest += length;
    char *end = strstr(rest, " - ");
    char optional[256] = "";
    for (char *at = rest; at < end;) {
      if (strncmp(at, " shared:", 8) == 0) strcat(optional, " shared");
      if (strncmp(at, " master:", 8) == 0) strcat(optional, " slave");
      if (strncmp(at, " unbindable", 11) == 0) strcat(optional, " unbindable");
      at = strchr(at + 1, ' ');
    }
    char type[64] = "", super[512] = "";
    sscanf(end, " - %63s %*s %511s", type, super);
    char *number = strstr(super, ",inode64");
    if (number) memmove(number, number + 8, strlen(number + 8) + 1);
    snprintf(text, sizeof text, "%s %s %s%s - %s %s", place + strlen(cwd), root, flags, optional, type, super);
    lines[count++] = strdup(text);
  }
  if (file) fclose(file);
  qsort(lines, (size_t)count, sizeof *lines, order);
  say("%s:", title);
  for (int i = 0; i < count; i++) {
    say("  %s", lines[i]);
    free(lines[i]);
  }
}

static void places(void) {
  say("-- places and errors");
  CHECK_ERRNO(mount("none", "absent", "tmpfs", 0, NULL), ENOENT);
  CHECK_ERRNO(mount("none", "d", "nosuchfs", 0, NULL), ENODEV);
  CHECK_ERRNO(mount("none", "d", NULL, 0, NULL), EINVAL);
  CHECK_ERRNO(mount("none", "file", "tmpfs", 0, NULL), ENOTDIR);
  CHECK_ERRNO(mount("none", "d", "tmpfs", 0, "nosuchoption=1"), EINVAL);
  CHECK_ERRNO(mount("none", "file/x", "tmpfs", 0, NULL), ENOTDIR);
  CHECK_ERRNO(mount((char *)1, "d", "tmpfs", 0, NULL), EFAULT);
  CHECK_ERRNO(mount("none", (char *)1, "tmpfs", 0, NULL), EFAULT);
  CHECK_ERRNO(mount("none", "d", (char *)1, 0, NULL), EFAULT);
  CHECK_ERRNO(mount("none", "d", "tmpfs", 0, (char *)1), EFAULT);
  CHECK_ERRNO(umount2("d", 0), EINVAL);
  CHECK_ERRNO(umount2("absent", 0), ENOENT);
  CHECK_ERRNO(umount2("d", 0x40), EINVAL);
  CHECK_ERRNO(umount2("d", MNT_EXPIRE | MNT_DETACH), EINVAL);
  CHECK_ERRNO(mount(NULL, "d", NULL, MS_BIND, NULL), EINVAL);
  CHECK_ERRNO(mount("", "d", NULL, MS_BIND, NULL), EINVAL);
  CHECK_ERRNO(mount("absent", "d", NULL, MS_BIND, NULL), ENOENT);
  CHECK_ERRNO(mount("file", "d", NULL, MS_BIND, NULL), ENOTDIR);
  CHECK_ERRNO(mount("d", "file", NULL, MS_BIND, NULL), ENOTDIR);
  CHECK_ERRNO(mount("d", "e", NULL, MS_MOVE, NULL), EINVAL);
  CHECK_ERRNO(mount("none", "d", NULL, MS_REMOUNT, NULL), EINVAL);
  CHECK_ERRNO(mount("none", "d", NULL, MS_REMOUNT | MS_BIND, NULL), EINVAL);
  CHECK_ERRNO(mount("none", "d", NULL, MS_PRIVATE, NULL), EINVAL);

  CHECK(mkdir("gone", 0755) == 0);
  int fd = open("gone", O_RDONLY | O_DIRECTORY);
  CHECK(rmdir("gone") == 0);
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  CHECK_ERRNO(mount("none", path, "tmpfs", 0, NULL), ENOENT);
  close(fd);
  int pipes[2];
  CHECK(pipe(pipes) == 0);
  snprintf(path, sizeof path, "/proc/self/fd/%d", pipes[0]);
  CHECK_ERRNO(mount(path, "file", NULL, MS_BIND, NULL), EINVAL);
  close(pipes[0]);
  close(pipes[1]);

  // Others may not, but hear first what is not there.
  pid_t child = fork();
  if (child == 0) {
    if (setresuid(1000, 1000, 1000) != 0) _exit(9);
    CHECK_ERRNO(mount("none", "absent", "tmpfs", 0, NULL), ENOENT);
    CHECK_ERRNO(mount("none", "d", "tmpfs", 0, NULL), EPERM);
    CHECK_ERRNO(umount2("absent", 0), ENOENT);
    CHECK_ERRNO(umount2("d", 0), EPERM);
    _exit(check_failures);
  }
  int status;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static void bindings(void) {
  say("-- bindings");
  put("d/one", "one");
  CHECK(mkdir("d/sub", 0755) == 0);
  CHECK(mount("d", "e", NULL, MS_BIND, NULL) == 0);
  CHECK_STRING(get("e/one"), "one");
  put("e/two", "two");
  CHECK_STRING(get("d/two"), "two");
  struct stat a, b;
  CHECK(stat("d/one", &a) == 0 && stat("e/one", &b) == 0 && a.st_ino == b.st_ino && a.st_dev == b.st_dev);
  CHECK_ERRNO(rename("d/one", "e/three"), EXDEV);
  CHECK_ERRNO(link("d/one", "e/three"), EXDEV);
  CHECK_ERRNO(rmdir("e"), EBUSY);
  CHECK_ERRNO(rename("e", "f"), EBUSY);

  // A file system below is not in a plain binding, and is in a recursive one.
  CHECK(mount("none", "d/sub", "tmpfs", 0, "size=1m") == 0);
  put("d/sub/below", "below");
  CHECK_STRING(get("e/sub/below"), "ENOENT");
  CHECK_ERRNO(rmdir("e/sub"), EBUSY);
  CHECK(mount("d", "f", NULL, MS_BIND, NULL) == 0);
  CHECK_STRING(get("f/sub/below"), "ENOENT");
  CHECK(umount2("f", 0) == 0);
  CHECK(mount("d", "f", NULL, MS_BIND | MS_REC, NULL) == 0);
  CHECK_STRING(get("f/sub/below"), "below");
  mounts("bound");
  CHECK_ERRNO(umount2("f", 0), EBUSY);
  CHECK(umount2("f/sub", 0) == 0);
  CHECK(umount2("f", 0) == 0);
  CHECK_STRING(get("d/sub/below"), "below");
  CHECK(umount2("d/sub", 0) == 0);
  CHECK(umount2("e", 0) == 0);
  CHECK_STRING(get("d/one"), "one");

  // A subdirectory, a file, a file over itself.
  CHECK(mount("d/sub", "e", NULL, MS_BIND, NULL) == 0);
  put("e/x", "x");
  CHECK_STRING(get("d/sub/x"), "x");
  CHECK(chdir("e") == 0);
  CHECK_STRING(get("../file"), "file");
  CHECK(chdir("..") == 0);
  CHECK(umount2("e", 0) == 0);
  put("other", "other");
  CHECK(mount("other", "file", NULL, MS_BIND, NULL) == 0);
  CHECK_STRING(get("file"), "other");
  CHECK_ERRNO(unlink("file"), EBUSY);
  CHECK_ERRNO(rename("other", "file"), EBUSY);
  CHECK(unlink("other") == 0);
  CHECK_STRING(get("file"), "other");
  mounts("a file that is gone");
  CHECK(umount2("file", 0) == 0);
  CHECK_STRING(get("file"), "file");

  // Mounts on mounts: the last is seen, and goes first.
  CHECK(mount("none", "e", "tmpfs", 0, NULL) == 0);
  put("e/first", "first");
  CHECK(mount("none", "e", "tmpfs", 0, NULL) == 0);
  put("e/second", "second");
  CHECK_STRING(get("e/first"), "ENOENT");
  CHECK(umount2("e", 0) == 0);
  CHECK_STRING(get("e/first"), "first");
  CHECK(mount("e", "e", NULL, MS_BIND, NULL) == 0);
  CHECK_STRING(get("e/first"), "first");
  CHECK(umount2("e", 0) == 0);
  CHECK(umount2("e", 0) == 0);
  CHECK_ERRNO(umount2("e", 0), EINVAL);

  // A symbolic link is followed, unless not.
  CHECK(mount("none", "e", "tmpfs", 0, NULL) == 0);
  CHECK(symlink("e", "link") == 0);
  CHECK_ERRNO(umount2("link", UMOUNT_NOFOLLOW), EINVAL);
  CHECK(umount2("link", 0) == 0);
  CHECK(unlink("link") == 0);
}

static void flags(void) {
  say("-- flags");
  CHECK(mount("none", "e", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME, NULL) == 0);
  mounts("all");
  struct statfs s;
  CHECK(statfs("e", &s) == 0 && (s.f_flags & 0xc0f) == 0xc0e);
  put("e/program", "#!/bin/sh\nexit 0\n");
  CHECK(chmod("e/program", 0755) == 0);
  CHECK_ERRNO(access("e/program", X_OK), EACCES);
  CHECK_ERRNO(execl("e/program", "program", NULL), EACCES);
  int fd = open("e/program", O_RDONLY);
  CHECK(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) == MAP_FAILED && errno == EPERM);
  void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
  CHECK(page != MAP_FAILED);
  CHECK_ERRNO(mprotect(page, 4096, PROT_READ | PROT_EXEC), EACCES);
  munmap(page, 4096);
  close(fd);
  CHECK(mknod("e/null", S_IFCHR | 0666, makedev(1, 3)) == 0);
  CHECK_ERRNO(open("e/null", O_RDONLY), EACCES);
  struct stat before, after;
  CHECK(stat("e/program", &before) == 0);
  usleep(20000);
  get("e/program");
  CHECK(stat("e/program", &after) == 0 && after.st_atim.tv_nsec == before.st_atim.tv_nsec);

  // A remount changes all of them, but the times of access only when it speaks of them.
  CHECK(mount(NULL, "e", NULL, MS_REMOUNT | MS_NOSUID, NULL) == 0);
  mounts("remounted");
  CHECK((fd = open("e/null", O_RDONLY)) >= 0);
  close(fd);
  CHECK(mount(NULL, "e", NULL, MS_REMOUNT | MS_STRICTATIME, NULL) == 0);
  mounts("every access");
  for (int i = 0; i < 2; i++) {
    CHECK(stat("e/program", &before) == 0);
    usleep(20000);
    get("e/program");
    CHECK(stat("e/program", &after) == 0 && memcmp(&after.st_atim, &before.st_atim, sizeof after.st_atim) != 0);
  }
  CHECK(mount(NULL, "e", NULL, MS_REMOUNT | MS_RELATIME | MS_NOSYMFOLLOW, NULL) == 0);
  mounts("no links");
  CHECK(symlink("program", "e/link") == 0);
  CHECK_STRING(get("e/link"), "ELOOP");
  CHECK(readlink("e/link", (char[8]){0}, 8) == 7);

  // Read-only: the file system with all its mounts, or one mount.
  CHECK(mount(NULL, "e", NULL, MS_REMOUNT, NULL) == 0);
  CHECK(mount("e", "f", NULL, MS_BIND | MS_RDONLY, NULL) == 0);
  put("f/written", "a binding has no flags of its own at first");
  CHECK(mount(NULL, "f", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) == 0);
  mounts("one read-only");
  CHECK_ERRNO(open("f/written", O_WRONLY), EROFS);
  CHECK_ERRNO(open("f/new", O_WRONLY | O_CREAT, 0644), EROFS);
  CHECK_ERRNO(mkdir("f/new", 0755), EROFS);
  CHECK_ERRNO(unlink("f/written"), EROFS);
  CHECK_ERRNO(chmod("f/written", 0600), EROFS);
  CHECK_ERRNO(truncate("f/written", 0), EROFS);
  CHECK_ERRNO(utimensat(AT_FDCWD, "f/written", NULL, 0), EROFS);
  CHECK_ERRNO(access("f/written", W_OK), EROFS);
  CHECK_ERRNO(setxattr("f/written", "trusted.x", "x", 1, 0), EROFS);
  CHECK(statfs("f", &s) == 0 && (s.f_flags & MS_RDONLY));
  CHECK(statfs("e", &s) == 0 && !(s.f_flags & MS_RDONLY));
  put("e/written", "and the other writes on");
  CHECK_STRING(get("f/written"), "and the other writes on");
  CHECK(mount(NULL, "f", NULL, MS_REMOUNT | MS_BIND, NULL) == 0);
  put("f/written", "again");

  char name[64];
  // Not while somebody writes.
  fd = open("e/written", O_WRONLY);
  CHECK(mount(NULL, "f", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) == 0);
  CHECK_ERRNO(mount(NULL, "e", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), EBUSY);
  CHECK_ERRNO(mount(NULL, "e", NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY);
  CHECK_ERRNO(mount(NULL, "f", NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY);
  close(fd);
  fd = open("e/written", O_RDONLY);
  CHECK(mount(NULL, "f", NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0);
  close(fd);
  mounts("both read-only");
  CHECK_ERRNO(open("e/written", O_WRONLY), EROFS);
  CHECK_ERRNO(rename("e/written", "e/other"), EROFS);
  CHECK(statfs("e", &s) == 0 && (s.f_flags & MS_RDONLY));
  CHECK(mount(NULL, "e", NULL, MS_REMOUNT, NULL) == 0);
  mounts("written again");
  // Nor while something is still to be removed, which is when nobody has it open any more.
  fd = open("e/removed", O_CREAT | O_RDONLY, 0644);
  CHECK(unlink("e/removed") == 0);
  CHECK_ERRNO(mount(NULL, "e", NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY);
  CHECK_ERRNO(mount(NULL, "e", NULL, MS_REMOUNT | MS_RDONLY, "nonsense"), EINVAL);
  CHECK(mount(NULL, "e", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) == 0);
  close(fd);
  CHECK(mount(NULL, "e", NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0);
  CHECK(mount(NULL, "e", NULL, MS_REMOUNT, NULL) == 0);
  CHECK(mkdir("e/removed", 0755) == 0);
  fd = open("e/removed", O_PATH);
  CHECK(rmdir("e/removed") == 0);
  CHECK_ERRNO(mount(NULL, "e", NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY);
  close(fd);
  int writer = open("e", O_TMPFILE | O_RDWR, 0644);
  snprintf(name, sizeof name, "/proc/self/fd/%d", writer);
  fd = open(name, O_RDONLY);
  close(writer);
  CHECK_ERRNO(mount(NULL, "e", NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY);
  snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
  CHECK(linkat(AT_FDCWD, name, AT_FDCWD, "e/named", AT_SYMLINK_FOLLOW) == 0);
  CHECK(mount(NULL, "e", NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0);
  CHECK(mount(NULL, "e", NULL, MS_REMOUNT, NULL) == 0);
  CHECK(rename("e/written", "e/named") == 0);
  CHECK_ERRNO(mount(NULL, "e", NULL, MS_REMOUNT | MS_RDONLY, NULL), EBUSY);
  close(fd);
  CHECK(mount(NULL, "e", NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0);
  CHECK(mount(NULL, "e", NULL, MS_REMOUNT, NULL) == 0);
  CHECK(rename("e/named", "e/written") == 0);
  put("e/written", "again");
  CHECK_ERRNO(open("f/written", O_WRONLY), EROFS);
  CHECK(umount2("f", 0) == 0);
  CHECK(umount2("e", 0) == 0);

  CHECK(mount("none", "e", "tmpfs", MS_RDONLY, NULL) == 0);
  CHECK_ERRNO(mkdir("e/x", 0755), EROFS);
  mounts("read-only from the beginning");
  CHECK(umount2("e", 0) == 0);
  CHECK(mount("none", "e", "tmpfs", MS_MGC_VAL | MS_NOEXEC, "") == 0);
  mounts("as old programs say it");
  CHECK(umount2("e", 0) == 0);
}

// One thing after the other keeps a mount busy.
static void uses(void) {
  say("-- uses");
  CHECK(mount("none", "e", "tmpfs", 0, NULL) == 0);
  put("e/file", "text");
  CHECK(mkdir("e/sub", 0755) == 0);
  int fd = open("e/file", O_RDONLY);
  CHECK_ERRNO(umount2("e", 0), EBUSY);
  void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
  CHECK(page != MAP_FAILED);
  close(fd);
  CHECK_ERRNO(umount2("e", 0), EBUSY);
  munmap(page, 4096);
  fd = open("e/sub", O_PATH);
  CHECK_ERRNO(umount2("e", 0), EBUSY);
  close(fd);
  CHECK(chdir("e/sub") == 0);
  CHECK_ERRNO(umount2("../../e", 0), EBUSY);
  CHECK(chdir("../..") == 0);
  CHECK(mkdir("e/sub/deep", 0755) == 0);
  CHECK(mount("none", "e/sub/deep", "tmpfs", 0, NULL) == 0);
  CHECK_ERRNO(umount2("e", 0), EBUSY);
  CHECK_ERRNO(umount2("e", MNT_EXPIRE), EBUSY);
  CHECK(umount2("e/sub/deep", 0) == 0);

  int ready[2], done[2], status;
  CHECK(pipe(ready) == 0 && pipe(done) == 0);
  pid_t child = fork();
  if (child == 0) {
    char byte = chroot("e") != 0;
    if (write(ready[1], &byte, 1) != 1 || read(done[0], &byte, 1) != 1) _exit(1);
    _exit(0);
  }
  char byte;
  CHECK(read(ready[0], &byte, 1) == 1 && byte == 0);
  CHECK_ERRNO(umount2("e", 0), EBUSY);
  CHECK(write(done[1], "x", 1) == 1 && waitpid(child, &status, 0) == child && status == 0);

  int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "e/socket"};
  CHECK(bind(listener, (struct sockaddr *)&address, sizeof address) == 0);
  CHECK_ERRNO(umount2("e", 0), EBUSY);
  close(listener);

  // A watch does not hold it, and hears of its end.
  int watch = inotify_init1(IN_NONBLOCK);
  CHECK(inotify_add_watch(watch, "e/file", IN_MODIFY) == 1);
  CHECK(umount2("e", 0) == 0);
  struct inotify_event event = {0};
  CHECK(read(watch, &event, sizeof event) == sizeof event && event.mask == IN_UNMOUNT && event.wd == 1);
  CHECK(read(watch, &event, sizeof event) == sizeof event && event.mask == IN_IGNORED);
  close(watch);
  CHECK_STRING(get("e/file"), "ENOENT");

  // Expiry: the second call in a row without a use between.
  CHECK(mount("none", "e", "tmpfs", 0, NULL) == 0);
  CHECK_ERRNO(umount2("e", MNT_EXPIRE), EAGAIN);
  get("e/file");
  CHECK_ERRNO(umount2("e", MNT_EXPIRE), EAGAIN);
  fd = open("e", O_RDONLY);
  CHECK_ERRNO(umount2("e", MNT_EXPIRE), EBUSY);
  close(fd);
  CHECK_ERRNO(umount2("e", MNT_EXPIRE), EAGAIN);
  CHECK(umount2("e", MNT_EXPIRE) == 0);

  CHECK(mount("none", "e", "tmpfs", 0, NULL) == 0);
  CHECK(umount2("e", MNT_FORCE) == 0);
}

static void lazily(void) {
  say("-- lazily");
  CHECK(mount("none", "e", "tmpfs", 0, NULL) == 0);
  put("e/file", "text");
  CHECK(mkdir("e/sub", 0755) == 0);
  CHECK(mount("none", "e/sub", "tmpfs", 0, NULL) == 0);
  put("e/sub/inner", "inner");
  int fd = open("e/file", O_RDWR);
  int directory = open("e", O_RDONLY | O_DIRECTORY);
  int inner = open("e/sub/inner", O_RDONLY);
  char before[256] = "", text[256] = "";
  CHECK(getcwd(before, sizeof before) != NULL);
  CHECK(chdir("e/sub") == 0);
  char up[300];
  snprintf(up, sizeof up, "%s/e", before);
  CHECK(umount2(up, MNT_DETACH) == 0);
  // Both are gone from the tree, and what is open stays whole.
  snprintf(up, sizeof up, "%s/e/file", before);
  CHECK_STRING(get(up), "ENOENT");
  CHECK(pread(fd, text, 10, 0) == 4 && strcmp(text, "text") == 0);
  CHECK(pwrite(fd, "TEXT", 4, 0) == 4);
  CHECK(faccessat(directory, "file", R_OK, 0) == 0);
  CHECK(mkdirat(directory, "new", 0755) == 0);
  CHECK_ERRNO(faccessat(directory, "sub/inner", R_OK, 0), ENOENT);
  CHECK(pread(inner, text, 10, 0) == 5);
  CHECK_STRING(get("inner"), "inner");
  say("getcwd: %ld %s", syscall(SYS_getcwd, text, sizeof text), text);
  ssize_t length = readlink("/proc/self/cwd", text, sizeof text - 1);
  text[length < 0 ? 0 : length] = 0;
  say("/proc/self/cwd: %s", text);
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  length = readlink(link, text, sizeof text - 1);
  text[length < 0 ? 0 : length] = 0;
  say("an open file: %s", text);
  CHECK(chdir("..") == 0);
  CHECK_STRING(get("inner"), "inner");
  // Linux 6.1 gives EINVAL, later ones ENOENT.
  CHECK(mount("none", ".", "tmpfs", 0, NULL) == -1 && (errno == EINVAL || errno == ENOENT));
  CHECK_ERRNO(mount(".", before, NULL, MS_BIND, NULL), EINVAL);
  CHECK_ERRNO(umount2(".", 0), EINVAL);
  CHECK_ERRNO(mount(NULL, ".", NULL, MS_REMOUNT | MS_BIND, NULL), EINVAL);
  CHECK(chdir(before) == 0);
  close(fd);
  close(directory);
  close(inner);
  mounts("after");

  // A binding keeps the file system of a mount that goes.
  CHECK(mount("none", "e", "tmpfs", 0, NULL) == 0);
  put("e/file", "text");
  CHECK(mount("e", "f", NULL, MS_BIND, NULL) == 0);
  CHECK(umount2("e", 0) == 0);
  CHECK_STRING(get("f/file"), "text");
  CHECK(umount2("f", 0) == 0);
}

static void moves(void) {
  say("-- moves");
  CHECK(mount("none", "e", "tmpfs", 0, NULL) == 0);
  CHECK(mkdir("e/sub", 0755) == 0);
  CHECK(mount("none", "e/sub", "tmpfs", MS_NOEXEC, NULL) == 0);
  put("e/sub/file", "text");
  int fd = open("e/sub/file", O_RDONLY);
  CHECK_ERRNO(mount("e", "file", NULL, MS_MOVE, NULL), EINVAL);
  CHECK_ERRNO(mount("e/sub/file", "f", NULL, MS_MOVE, NULL), EINVAL);
  CHECK_ERRNO(mount("e", "e/sub", NULL, MS_MOVE, NULL), ELOOP);
  CHECK_ERRNO(mount("absent", "f", NULL, MS_MOVE, NULL), ENOENT);
  CHECK_ERRNO(mount(NULL, "f", NULL, MS_MOVE, NULL), EINVAL);
  CHECK(mount("e", "f", NULL, MS_MOVE, NULL) == 0);
  CHECK_STRING(get("e/sub/file"), "ENOENT");
  CHECK_STRING(get("f/sub/file"), "text");
  char text[256] = "", link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  CHECK(readlink(link, text, sizeof text - 1) > 10);
  CHECK_STRING(strstr(text, "/f/"), "/f/sub/file");
  mounts("moved");
  CHECK(mount("f/sub", "e", NULL, MS_MOVE, NULL) == 0);
  CHECK(mount("f", "e", NULL, MS_MOVE, NULL) == 0);
  mounts("one onto what was on it");
  CHECK(mount("e", "f", NULL, MS_BIND | MS_REC, NULL) == 0);
  close(fd);
  CHECK(umount2("f", 0) == 0);
  CHECK(umount2("e", 0) == 0);
  CHECK(umount2("e", 0) == 0);
}

static long available(void) { return proc_number("/proc/meminfo", "MemAvailable: %ld"); }

// Fills a file; returns the MiB that fit, and the errno of the end.
static int fill(const char *path, int most, int *error) {
  static char block[1 << 16];
  int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0644), count = 0;
  *error = fd < 0 ? errno : 0;
  memset(block, 'x', sizeof block);
  while (fd >= 0 && count < most * 16) {
    ssize_t written = write(fd, block, sizeof block);
    if (written < 0) *error = errno;
    if (written != sizeof block) break;
    count++;
  }
  close(fd);
  return count / 16;
}

static void limits(void) {
  say("-- limits");
  struct statfs s;
  struct stat status;
  int error;
  CHECK(mount("disk", "e", "tmpfs", 0, "size=4m,nr_inodes=10,mode=700,uid=5,gid=6") == 0);
  mounts("with limits");
  CHECK(statfs("e", &s) == 0 && s.f_blocks == 1024 && s.f_bfree == 1024 && s.f_bsize == 4096);
  CHECK(s.f_files == 10 && s.f_ffree == 9 && s.f_type == 0x1021994 && s.f_namelen == 255);
  CHECK(stat("e", &status) == 0 && status.st_mode == (S_IFDIR | 0700) && status.st_uid == 5 && status.st_gid == 6);
  CHECK_EQ(fill("e/file", 100, &error), 4);
  CHECK_EQ(error, ENOSPC);
  CHECK(statfs("e", &s) == 0 && s.f_bfree == 0 && s.f_bavail == 0);
  CHECK(stat("e/file", &status) == 0 && status.st_size == 4 << 20);
  put("e/empty", "");
  int fd = open("e/empty", O_WRONLY);
  CHECK_ERRNO(write(fd, "x", 1), ENOSPC);
  CHECK_ERRNO(fallocate(fd, 0, 0, 4096), ENOSPC);
  close(fd);
  // A page of a mapping that finds no room.
  fd = open("e/empty", O_RDWR);
  CHECK(ftruncate(fd, 4096) == 0);
  char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  CHECK(page != MAP_FAILED);
  pid_t child = fork();
  if (child == 0) {
    signal(SIGBUS, _exit);
    *page = 1;
    _exit(0);
  }
  int result;
  CHECK(waitpid(child, &result, 0) == child && WEXITSTATUS(result) == SIGBUS);
  munmap(page, 4096);
  close(fd);
  CHECK(truncate("e/file", 2 << 20) == 0);
  CHECK(statfs("e", &s) == 0 && s.f_bfree == 512);

  // New limits, but none below what is used, and none where there was none.
  CHECK(mount(NULL, "e", NULL, MS_REMOUNT, "size=8m") == 0);
  CHECK(statfs("e", &s) == 0 && s.f_blocks == 2048 && s.f_bfree == 1536 && s.f_files == 10);
  CHECK_ERRNO(mount(NULL, "e", NULL, MS_REMOUNT, "size=1m"), EINVAL);
  CHECK_ERRNO(mount(NULL, "e", NULL, MS_REMOUNT, "nr_inodes=2"), EINVAL);
  CHECK_ERRNO(mount(NULL, "e", NULL, MS_REMOUNT, "nonsense"), EINVAL);
  CHECK_ERRNO(mount(NULL, "e", NULL, MS_REMOUNT | MS_RDONLY, "size=1m"), EINVAL);
  CHECK(statfs("e", &s) == 0 && s.f_blocks == 2048 && !(s.f_flags & MS_RDONLY));
  CHECK(mount(NULL, "e", NULL, MS_REMOUNT, "size=2m,nr_inodes=20,mode=777,uid=0") == 0);
  CHECK(statfs("e", &s) == 0 && s.f_blocks == 512 && s.f_bfree == 0 && s.f_files == 20);
  CHECK(stat("e", &status) == 0 && status.st_mode == (S_IFDIR | 0700) && status.st_uid == 5);
  mounts("with others");
  CHECK(mount(NULL, "e", NULL, MS_REMOUNT, "nr_inodes=6") == 0);
  char name[32];
  int made = 0;
  for (int i = 0; i < 10; i++) {
    snprintf(name, sizeof name, "e/n%d", i);
    if (mknod(name, S_IFREG | 0644, 0) == 0) made++;
    else CHECK_EQ(errno, ENOSPC);
  }
  CHECK_EQ(made, 3);
  CHECK_ERRNO(symlink("x", "e/link"), ENOSPC);
  CHECK_ERRNO(mkdir("e/sub", 0755), ENOSPC);
  CHECK(unlink("e/n0") == 0 && mkdir("e/sub", 0755) == 0);
  CHECK(umount2("e", 0) == 0);
  CHECK(mount("none", "e", "tmpfs", 0, "size=0,nr_inodes=0") == 0);
  CHECK_ERRNO(mount(NULL, "e", NULL, MS_REMOUNT, "size=1m"), EINVAL);
  CHECK_ERRNO(mount(NULL, "e", NULL, MS_REMOUNT, "nr_inodes=100"), EINVAL);
  CHECK(statfs("e", &s) == 0 && s.f_blocks == 0 && s.f_files == 0);
  put("e/file", "text");
  CHECK(umount2("e", 0) == 0);

  // What a file system held comes back with its last use.
  long first = available();
  for (int i = 0; i < 12; i++) {
    CHECK(mount("none", "e", "tmpfs", 0, "size=24m") == 0);
    fill("e/file", 16, &error);
    CHECK_EQ(error, 0);
    CHECK(mkdir("e/sub", 0755) == 0);
    for (int k = 0; k < 200; k++) {
      snprintf(name, sizeof name, "e/sub/%d", k);
      close(open(name, O_WRONLY | O_CREAT, 0644));
    }
    if (i % 3 == 0) {
      CHECK(umount2("e", 0) == 0);
      continue;
    }
    fd = open("e/sub/7", O_RDONLY);
    CHECK(umount2("e", MNT_DETACH) == 0);
    if (i % 3 == 1) close(fd);
    else CHECK(fcntl(fd, F_DUPFD, 60) == 60 && close(fd) == 0 && close(60) == 0);
  }
  // Under Linux others take memory meanwhile.
  CHECK(getpid() != 1 || available() > first - 16384);
}

static void propagation(void) {
  say("-- propagation");
  CHECK(mount("none", "e", "tmpfs", 0, NULL) == 0);
  CHECK(mkdir("e/sub", 0755) == 0 && mkdir("e/sub/deep", 0755) == 0);
  CHECK_ERRNO(mount(NULL, "e", NULL, MS_SHARED | MS_PRIVATE, NULL), EINVAL);
  CHECK_ERRNO(mount(NULL, "e", NULL, MS_SHARED | MS_NOEXEC, NULL), EINVAL);
  CHECK(mount(NULL, "e", NULL, MS_UNBINDABLE, NULL) == 0);
  CHECK_ERRNO(mount("e", "f", NULL, MS_BIND, NULL), EINVAL);
  mounts("unbindable");
  CHECK(mount(NULL, "e", NULL, MS_PRIVATE, NULL) == 0);
  CHECK(mount(NULL, "e", NULL, MS_SLAVE, NULL) == 0);
  mounts("a slave of nobody");

  CHECK(mount(NULL, "e", NULL, MS_SHARED, NULL) == 0);
  CHECK(mount("e", "f", NULL, MS_BIND, NULL) == 0);
  CHECK(mount("none", "f/sub", "tmpfs", 0, NULL) == 0);
  put("e/sub/file", "text");
  CHECK_STRING(get("f/sub/file"), "text");
  mounts("peers");
  CHECK_ERRNO(mount("e/sub", "d", NULL, MS_MOVE, NULL), EINVAL);
  CHECK(umount2("e/sub", 0) == 0);
  CHECK_ERRNO(umount2("f/sub", 0), EINVAL);

  // A slave hears of its master, and not the other way round.
  CHECK(mount(NULL, "f", NULL, MS_SLAVE, NULL) == 0);
  CHECK(mount("none", "f/sub", "tmpfs", 0, NULL) == 0);
  put("f/sub/file", "the slave's");
  CHECK_STRING(get("e/sub/file"), "ENOENT");
  mounts("a slave");
  CHECK(umount2("f/sub", 0) == 0);
  CHECK(mount("none", "e/sub", "tmpfs", MS_NODEV, NULL) == 0);
  put("e/sub/file", "the master's");
  CHECK_STRING(get("f/sub/file"), "the master's");
  CHECK(mount(NULL, "f", NULL, MS_SHARED, NULL) == 0);
  CHECK(mount("f", "d/sub", NULL, MS_BIND | MS_REC, NULL) == 0);
  CHECK(mount("none", "e/sub/..", "tmpfs", 0, NULL) == 0);
  mounts("a shared slave, its peer, and something over the master");
  CHECK(umount2("e", 0) == 0);
  CHECK(umount2("e/sub", 0) == 0);
  mounts("without");
  CHECK(mount(NULL, "d/sub", NULL, MS_PRIVATE | MS_REC, NULL) == 0);
  CHECK(mount(NULL, "f", NULL, MS_SLAVE, NULL) == 0);
  mounts("apart");
  CHECK(umount2("d/sub", MNT_DETACH) == 0);
  CHECK(umount2("f", 0) == 0);
  CHECK(umount2("e", MNT_DETACH) == 0);
  mounts("nothing");

  // Unbindable ones are left out of a recursive binding.
  CHECK(mount("none", "e", "tmpfs", 0, NULL) == 0);
  CHECK(mkdir("e/a", 0755) == 0 && mkdir("e/b", 0755) == 0);
  CHECK(mount("none", "e/a", "tmpfs", 0, NULL) == 0 && mount("none", "e/b", "tmpfs", 0, NULL) == 0);
  CHECK(mount(NULL, "e/a", NULL, MS_UNBINDABLE, NULL) == 0);
  CHECK(mount("e", "f", NULL, MS_BIND | MS_REC, NULL) == 0);
  mounts("one left out");
  CHECK(umount2("f", MNT_DETACH) == 0);
  CHECK(umount2("e", MNT_DETACH) == 0);
}

int main(int argc, char **argv) {
  // Natively nothing of this is to be seen outside. In the guest there is one tree of mounts.
  if (unshare(CLONE_NEWNS) == 0) mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
  if (argc > 1 && chdir(argv[1]) != 0) return 2;
  CHECK(mkdir("m", 0755) == 0 && mount("none", "m", "tmpfs", 0, "mode=755") == 0 && chdir("m") == 0);
  CHECK(mkdir("d", 0755) == 0 && mkdir("e", 0755) == 0 && mkdir("f", 0755) == 0);
  put("file", "file");
  places();
  bindings();
  flags();
  uses();
  lazily();
  moves();
  limits();
  propagation();
  CHECK_ERRNO(umount2("../m", 0), EBUSY);
  CHECK(chdir("..") == 0 && umount2("m", 0) == 0);
  CHECK_END();
}
