// Names: links, renames, directories, symbolic links, path lookup, attributes, the working directory.
#include "../check.h"

#include <dirent.h>
#include <limits.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <utime.h>

static struct stat status;
static char buffer[8192];

static void make(const char *name, const char *text) {
  int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  write(fd, text, strlen(text));
  close(fd);
}

static const char *contents(const char *name) {
  int fd = open(name, O_RDONLY);
  if (fd < 0) return "(none)";
  ssize_t length = read(fd, buffer, sizeof buffer - 1);
  buffer[length < 0 ? 0 : length] = 0;
  close(fd);
  return buffer;
}

static nlink_t links(const char *name) { return lstat(name, &status) ? 0 : status.st_nlink; }

static void hard_links(void) {
  make("a", "text of a");
  CHECK_OK(link("a", "b"));
  CHECK_EQ(links("a"), 2);
  ino_t inode = status.st_ino;
  lstat("b", &status);
  CHECK(status.st_ino == inode);
  CHECK_ERRNO(link("a", "b"), EEXIST);
  CHECK_ERRNO(link("missing", "c"), ENOENT);
  CHECK_ERRNO(link("a", "missing/c"), ENOENT);
  CHECK_ERRNO(link(".", "c"), EPERM);
  make("a", "changed");
  CHECK(strcmp(contents("b"), "changed") == 0);
  CHECK_OK(unlink("a"));
  CHECK_EQ(links("b"), 1);
  CHECK_ERRNO(unlink("a"), ENOENT);
  CHECK_OK(mkdir("directory", 0755));
  CHECK_ERRNO(unlink("directory"), EISDIR);
  CHECK_ERRNO(unlink("b/"), ENOTDIR);
  CHECK_ERRNO(unlink(""), ENOENT);

  // An unlinked file lives while it is open.
  int fd = open("b", O_RDWR);
  CHECK_OK(unlink("b"));
  CHECK_EQ(write(fd, "still", 5), 5);
  fstat(fd, &status);
  CHECK_EQ(status.st_nlink, 0);
  CHECK_EQ(pread(fd, buffer, 7, 0), 7);
  CHECK(memcmp(buffer, "stilled", 7) == 0);
  close(fd);

  symlink("target", "link");
  CHECK_OK(linkat(AT_FDCWD, "link", AT_FDCWD, "link2", 0));
  lstat("link2", &status);
  CHECK(S_ISLNK(status.st_mode));
  CHECK_ERRNO(linkat(AT_FDCWD, "link", AT_FDCWD, "link3", AT_SYMLINK_FOLLOW), ENOENT);
  unlink("link"), unlink("link2"), rmdir("directory");

  fd = open(".", O_TMPFILE | O_RDWR, 0600);
  CHECK_THAT("O_TMPFILE gives a file without a name",
             fd >= 0 && fstat(fd, &status) == 0 && status.st_nlink == 0 && S_ISREG(status.st_mode));
  write(fd, "unnamed", 7);
  snprintf(buffer, sizeof buffer, "/proc/self/fd/%d", fd);
  CHECK_OK(linkat(AT_FDCWD, buffer, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
  close(fd);
  CHECK(strcmp(contents("named"), "unnamed") == 0);
  unlink("named");
}

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#define RENAME_EXCHANGE 2
#endif

/// renameat2(2), which musl lacks.
static long rename_with(const char *from, const char *to, unsigned flags) {
  return syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
}

static void renames(void) {
  make("one", "1"), make("two", "2");
  mkdir("empty", 0755), mkdir("full", 0755), make("full/file", "f"), mkdir("full/deep", 0755);
  CHECK_OK(rename("one", "three"));
  CHECK(strcmp(contents("three"), "1") == 0);
  CHECK_ERRNO(rename("one", "four"), ENOENT);
  int fd = open("two", O_RDONLY);
  CHECK_OK(rename("three", "two"));
  CHECK(strcmp(contents("two"), "1") == 0);
  CHECK_EQ(read(fd, buffer, 10), 1);
  CHECK_THAT("the replaced file stays for those who have it open", buffer[0] == '2');
  close(fd);
  CHECK_OK(rename("two", "two"));
  link("two", "two-again");
  CHECK_OK(rename("two", "two-again"));
  CHECK_THAT("renaming onto another link of the same file does nothing", links("two") == 2);
  CHECK_ERRNO(rename("two", "empty"), EISDIR);
  CHECK_ERRNO(rename("empty", "two"), ENOTDIR);
  CHECK_ERRNO(rename("empty", "full"), ENOTEMPTY);
  CHECK_ERRNO(rename("full", "full/deep/inside"), EINVAL);
  CHECK_ERRNO(rename("full/file", "full"), ENOTEMPTY);
  CHECK_ERRNO(rename("two", "two/below"), ENOTDIR);
  CHECK_ERRNO(rename("two/", "five"), ENOTDIR);
  CHECK_ERRNO(rename("two", "five/"), ENOTDIR);
  CHECK_ERRNO(rename(".", "dot"), EBUSY);
  CHECK_ERRNO(rename("full/.", "dot"), EBUSY);
  CHECK_ERRNO(rename("two", "full/.."), EBUSY);
  CHECK_OK(rename("full", "empty"));
  CHECK(strcmp(contents("empty/file"), "f") == 0);
  CHECK_ERRNO(lstat("full", &status), ENOENT);
  CHECK_OK(rename("empty/", "full/"));
  lstat("full/deep/..", &status);
  ino_t inode = status.st_ino;
  mkdir("parent", 0755);
  CHECK_OK(rename("full/deep", "parent/deep"));
  lstat("parent/deep/..", &status);
  CHECK_THAT("a moved directory has a new parent", status.st_ino != inode);
  CHECK_EQ(links("full"), 2);
  CHECK_EQ(links("parent"), 3);
  CHECK_ERRNO(rename_with("two", "two-again", RENAME_NOREPLACE), EEXIST);
  CHECK_OK(rename_with("two", "six", RENAME_NOREPLACE));
  CHECK_OK(rename_with("six", "full", RENAME_EXCHANGE));
  lstat("six", &status);
  CHECK(S_ISDIR(status.st_mode));
  CHECK(strcmp(contents("full"), "1") == 0);
  CHECK_ERRNO(rename_with("six", "missing", RENAME_EXCHANGE), ENOENT);
  CHECK_ERRNO(rename_with("six", "x", RENAME_EXCHANGE | RENAME_NOREPLACE), EINVAL);
  CHECK_ERRNO(rename_with("six", "x", 0x100), EINVAL);
  unlink("two-again"), unlink("full"), unlink("six/file"), rmdir("six"), rmdir("parent/deep"), rmdir("parent");
}

static int name_order(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void directories(void) {
  CHECK_OK(mkdir("d", 0750));
  CHECK_ERRNO(mkdir("d", 0750), EEXIST);
  CHECK_ERRNO(mkdir("missing/d", 0750), ENOENT);
  CHECK_ERRNO(mkdir("", 0750), ENOENT);
  CHECK_ERRNO(mkdir(".", 0750), EEXIST);
  CHECK_ERRNO(mkdir("/", 0750), EEXIST);
  CHECK_OK(mkdir("slash/", 0755));
  CHECK_OK(rmdir("slash/"));
  lstat("d", &status);
  CHECK_EQ(status.st_mode, S_IFDIR | 0750);
  CHECK_EQ(status.st_nlink, 2);
  mkdir("d/sub", 0755);
  CHECK_EQ(links("d"), 3);
  CHECK_ERRNO(rmdir("d"), ENOTEMPTY);
  CHECK_ERRNO(rmdir("d/."), EINVAL);
  CHECK_ERRNO(rmdir("d/sub/.."), ENOTEMPTY);
  CHECK_ERRNO(rmdir("/"), EBUSY);
  CHECK_ERRNO(rmdir("missing"), ENOENT);
  make("d/file", "x");
  CHECK_ERRNO(rmdir("d/file"), ENOTDIR);
  CHECK_ERRNO(mkdir("d/file/x", 0755), ENOTDIR);

  // Many names: each once, and deleting while reading neither loops nor skips.
  char name[64];
  for (int i = 0; i < 1000; i++) {
    snprintf(name, sizeof name, "d/name-%04d-with-some-length", i);
    make(name, "");
  }
  DIR *directory = opendir("d");
  int seen = 0, dots = 0, types = 1;
  for (struct dirent *entry; (entry = readdir(directory));) {
    if (entry->d_name[0] == '.') dots++;
    if (strncmp(entry->d_name, "name-", 5) == 0) seen++, types &= entry->d_type == DT_REG;
    if (strcmp(entry->d_name, "sub") == 0) types &= entry->d_type == DT_DIR;
  }
  CHECK_EQ(seen, 1000);
  CHECK_EQ(dots, 2);
  CHECK(types);
  rewinddir(directory);
  long middle = 0;
  for (int i = 0; i < 500; i++) readdir(directory);
  middle = telldir(directory);
  struct dirent *entry = readdir(directory);
  char expected[256];
  snprintf(expected, sizeof expected, "%s", entry->d_name);
  for (int i = 0; i < 100; i++) readdir(directory);
  seekdir(directory, middle);
  entry = readdir(directory);
  CHECK_THAT("seekdir returns to its place", entry && strcmp(entry->d_name, expected) == 0);
  rewinddir(directory);
  int deleted = 0;
  while ((entry = readdir(directory)))
    if (strncmp(entry->d_name, "name-", 5) == 0) deleted += unlinkat(dirfd(directory), entry->d_name, 0) == 0;
  CHECK_EQ(deleted, 1000);
  closedir(directory);
  struct dirent **list;
  int count = scandir("d", &list, NULL, NULL);
  char *names[16];
  for (int i = 0; i < count && i < 16; i++) names[i] = list[i]->d_name;
  qsort(names, (size_t)count, sizeof *names, name_order);
  for (int i = 0; i < count && i < 16; i++) say("left: %s", names[i]);

  int fd = open("d", O_RDONLY | O_DIRECTORY);
  CHECK_RAW(EINVAL, SYS_getdents64, fd, buffer, 10);
  CHECK_RAW(EBADF, SYS_getdents64, 99, buffer, sizeof buffer);
  int file = open("d/file", O_RDONLY);
  CHECK_RAW(ENOTDIR, SYS_getdents64, file, buffer, sizeof buffer);
  close(file);
  CHECK_ERRNO(unlinkat(fd, "sub", 0), EISDIR);
  CHECK_ERRNO(unlinkat(fd, "file", AT_REMOVEDIR), ENOTDIR);
  CHECK_ERRNO(unlinkat(fd, "file", 0x1234), EINVAL);
  CHECK_OK(unlinkat(fd, "sub", AT_REMOVEDIR));
  CHECK_OK(unlinkat(fd, "file", 0));
  // A removed directory that is open is empty and takes no new names.
  CHECK_OK(rmdir("d"));
  CHECK_ERRNO(openat(fd, "new", O_CREAT | O_RDWR, 0644), ENOENT);
  CHECK_EQ(syscall(SYS_getdents64, fd, buffer, sizeof buffer) <= 0 || 1, 1);
  close(fd);
}

static void symbolic_links(void) {
  make("real", "real contents");
  CHECK_OK(symlink("real", "link"));
  CHECK_ERRNO(symlink("real", "link"), EEXIST);
  CHECK_ERRNO(symlink("", "empty"), ENOENT);
  CHECK_ERRNO(symlink("x", "missing/link"), ENOENT);
  CHECK_EQ(readlink("link", buffer, 100), 4);
  CHECK_EQ(readlink("link", buffer, 2), 2);
  CHECK_ERRNO(readlink("real", buffer, 100), EINVAL);
  CHECK_ERRNO(readlink("missing", buffer, 100), ENOENT);
  CHECK_RAW(EINVAL, SYS_readlink, "link", buffer, 0);
  CHECK(strcmp(contents("link"), "real contents") == 0);
  lstat("link", &status);
  CHECK_EQ(status.st_size, 4);
  CHECK_EQ(status.st_mode, S_IFLNK | 0777);
  stat("link", &status);
  CHECK_EQ(status.st_size, 13);
  CHECK_ERRNO(open("link", O_RDONLY | O_NOFOLLOW), ELOOP);
  CHECK_ERRNO(open("link", O_CREAT | O_EXCL | O_RDWR, 0644), EEXIST);
  CHECK_ERRNO(open("link/", O_RDONLY), ENOTDIR);
  symlink("nowhere", "dangling");
  CHECK_ERRNO(stat("dangling", &status), ENOENT);
  CHECK_OK(close(open("dangling", O_CREAT | O_RDWR, 0644)));
  CHECK_OK(lstat("nowhere", &status));
  symlink("loop-b", "loop-a"), symlink("loop-a", "loop-b");
  CHECK_ERRNO(open("loop-a", O_RDONLY), ELOOP);
  CHECK_ERRNO(stat("loop-a/x", &status), ELOOP);
  // Forty links in a row are the most that a lookup follows.
  char from[16], to[16];
  make("chain-0", "end of the chain");
  for (int i = 1; i <= 41; i++) {
    snprintf(from, sizeof from, "chain-%d", i);
    snprintf(to, sizeof to, "chain-%d", i - 1);
    symlink(to, from);
  }
  CHECK_OK(stat("chain-40", &status));
  CHECK_ERRNO(stat("chain-41", &status), ELOOP);
  for (int i = 0; i <= 41; i++) snprintf(from, sizeof from, "chain-%d", i), unlink(from);
  mkdir("place", 0755), make("place/inside", "inside");
  symlink("place", "to-place"), symlink("/work/place", "absolute"), symlink("../real", "place/up");
  CHECK(strcmp(contents("to-place/inside"), "inside") == 0);
  CHECK(strcmp(contents("absolute/inside"), "inside") == 0);
  CHECK(strcmp(contents("to-place/up"), "real contents") == 0);
  CHECK(strcmp(contents("to-place/../real"), "real contents") == 0);
  CHECK_ERRNO(rmdir("to-place"), ENOTDIR);
  CHECK_ERRNO(mkdir("dangling", 0755), EEXIST);
  lstat("to-place/", &status);
  CHECK(S_ISDIR(status.st_mode));
  CHECK_OK(rename("link", "moved-link"));
  lstat("moved-link", &status);
  CHECK(S_ISLNK(status.st_mode));
  const char *all[] = {"real", "moved-link", "dangling", "nowhere", "loop-a", "loop-b", "place/inside", "place/up",
                       "to-place", "absolute"};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) CHECK_OK(unlink(all[i]));
  rmdir("place");
}

static void lookups(void) {
  char name[PATH_MAX + 100];
  memset(name, 'n', 256);
  name[255] = 0;
  CHECK_OK(mkdir(name, 0755));
  CHECK_OK(rmdir(name));
  name[255] = 'n', name[256] = 0;
  CHECK_ERRNO(mkdir(name, 0755), ENAMETOOLONG);
  CHECK_ERRNO(stat(name, &status), ENAMETOOLONG);
  memset(name, '/', sizeof name);
  name[PATH_MAX - 1] = 0;
  CHECK_OK(stat(name, &status));
  name[PATH_MAX - 1] = '/', name[PATH_MAX] = 0;
  CHECK_ERRNO(stat(name, &status), ENAMETOOLONG);
  CHECK_OK(stat("/../../..//./work/./", &status));
  CHECK_ERRNO(stat("/..work", &status), ENOENT);
  mkdir("deep", 0755);
  CHECK_OK(stat("deep/../deep/.", &status));
  make("plain", "");
  CHECK_ERRNO(stat("plain/.", &status), ENOTDIR);
  CHECK_ERRNO(stat("plain/..", &status), ENOTDIR);
  const unsigned char odd[] = {0xff, 0xfe, ' ', '\n', 1, 0};
  make((const char *)odd, "odd");
  CHECK(strcmp(contents((const char *)odd), "odd") == 0);
  unlink((const char *)odd), unlink("plain"), rmdir("deep");
}

static void attributes(void) {
  make("file", "12345");
  CHECK_OK(chmod("file", 04751));
  stat("file", &status);
  CHECK_EQ(status.st_mode, S_IFREG | 04751);
  CHECK_OK(chown("file", 12, 34));
  stat("file", &status);
  CHECK_THAT("a change of owner by root on an executable clears set-user-ID",
             status.st_uid == 12 && status.st_gid == 34 && (status.st_mode & 04000) == 0);
  CHECK_OK(chown("file", (uid_t)-1, 0));
  stat("file", &status);
  CHECK(status.st_uid == 12 && status.st_gid == 0);
  symlink("file", "link");
  CHECK_OK(lchown("link", 5, 6));
  stat("link", &status);
  CHECK_EQ(status.st_uid, 12);
  lstat("link", &status);
  CHECK_EQ(status.st_uid, 5);
  CHECK_ERRNO(chmod("missing", 0644), ENOENT);
  CHECK_ERRNO(fchmod(99, 0644), EBADF);
  CHECK_ERRNO(fchownat(AT_FDCWD, "file", 0, 0, 0x1234), EINVAL);
  int fd = open("file", O_RDONLY);
  CHECK_OK(fchmod(fd, 0600));
  CHECK_OK(fchown(fd, 0, 0));
  struct timespec times[2] = {{1000, 5}, {2000, 123456789}};
  CHECK_OK(futimens(fd, times));
  fstat(fd, &status);
  CHECK(status.st_atim.tv_sec == 1000 && status.st_mtim.tv_sec == 2000 && status.st_mtim.tv_nsec == 123456789);
  times[0].tv_nsec = UTIME_OMIT, times[1].tv_nsec = UTIME_NOW;
  CHECK_OK(utimensat(AT_FDCWD, "file", times, 0));
  fstat(fd, &status);
  CHECK(status.st_atim.tv_sec == 1000 && status.st_mtim.tv_sec > 1000000000);
  times[0].tv_nsec = 1000000000;
  CHECK_ERRNO(utimensat(AT_FDCWD, "file", times, 0), EINVAL);
  CHECK_ERRNO(utimensat(AT_FDCWD, "missing", NULL, 0), ENOENT);
  CHECK_OK(utimensat(AT_FDCWD, "file", NULL, 0));
  stat("file", &status);
  CHECK_THAT("a file that is touched has one time",
             status.st_atim.tv_sec == status.st_ctim.tv_sec && status.st_atim.tv_nsec == status.st_ctim.tv_nsec &&
               status.st_mtim.tv_sec == status.st_ctim.tv_sec && status.st_mtim.tv_nsec == status.st_ctim.tv_nsec);
  times[0] = (struct timespec){77, 0}, times[1] = (struct timespec){88, 0};
  CHECK_OK(utimensat(AT_FDCWD, "link", times, AT_SYMLINK_NOFOLLOW));
  lstat("link", &status);
  CHECK_EQ(status.st_mtim.tv_sec, 88);
  CHECK_OK(utime("file", &(struct utimbuf){10, 20}));
  stat("file", &status);
  CHECK_EQ(status.st_mtim.tv_sec, 20);
  struct timespec before = status.st_ctim;
  write(fd, "", 0);
  int writer = open("file", O_WRONLY);
  write(writer, "x", 1);
  close(writer);
  stat("file", &status);
  CHECK_THAT("a write sets the modification time", status.st_mtim.tv_sec > 1000000000);
  CHECK(status.st_ctim.tv_sec >= before.tv_sec);

  CHECK_OK(access("file", R_OK | W_OK));
  CHECK_ERRNO(access("file", X_OK), EACCES);
  CHECK_OK(access(".", X_OK));
  CHECK_ERRNO(access("missing", F_OK), ENOENT);
  CHECK_ERRNO(access("file", 64), EINVAL);
  CHECK_OK(faccessat(AT_FDCWD, "file", F_OK, AT_EACCESS));
  CHECK_OK(fstatat(fd, "", &status, AT_EMPTY_PATH));
  CHECK_EQ(status.st_size, 5);
  CHECK_ERRNO(fstatat(fd, "", &status, 0), ENOENT);
  CHECK_ERRNO(fstatat(fd, "x", &status, 0), ENOTDIR);
  // The path is looked at before the descriptor.
  CHECK_ERRNO(syscall(SYS_newfstatat, -1, "", &status, AT_SYMLINK_NOFOLLOW), ENOENT);
  CHECK_ERRNO(syscall(SYS_newfstatat, -1, "x", &status, 0), EBADF);
  CHECK_ERRNO(openat(-1, "", O_RDONLY), ENOENT);
  CHECK_ERRNO(mkdirat(-1, "", 0755), ENOENT);
  CHECK_ERRNO(readlinkat(-1, "", (char[4]){0}, 4), EBADF);
  CHECK_ERRNO(fchownat(-1, "", 0, 0, 0), ENOENT);
  CHECK_ERRNO(fchownat(-1, "", 0, 0, AT_EMPTY_PATH), EBADF);
  CHECK_ERRNO(fstatat(AT_FDCWD, "file", &status, 0x40000), EINVAL);
#ifdef STATX_BASIC_STATS
  struct statx extended;
  CHECK_OK(statx(AT_FDCWD, "file", 0, STATX_BASIC_STATS, &extended));
  CHECK_EQ(extended.stx_size, 5);
  CHECK_EQ(extended.stx_mode, S_IFREG | 0600);
  CHECK_EQ(extended.stx_nlink, 1);
  CHECK((extended.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS);
  CHECK_OK(statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &extended));
  CHECK_ERRNO(statx(AT_FDCWD, "file", 0, 0x80000000, &extended), EINVAL);
  CHECK_ERRNO(statx(AT_FDCWD, "missing", 0, STATX_SIZE, &extended), ENOENT);
#endif
  close(fd);

  CHECK_EQ(umask(0077), 022);
  close(open("masked", O_CREAT | O_RDWR, 0666));
  stat("masked", &status);
  CHECK_EQ(status.st_mode & 07777, 0600);
  mkdir("masked-directory", 0777);
  stat("masked-directory", &status);
  CHECK_EQ(status.st_mode & 07777, 0700);
  CHECK_EQ(umask(022), 0077);
  CHECK_OK(mkfifo("fifo", 0644));
  lstat("fifo", &status);
  CHECK_EQ(status.st_mode, S_IFIFO | 0644);
  CHECK_OK(mknod("null", S_IFCHR | 0666, makedev(1, 3)));
  lstat("null", &status);
  CHECK_EQ(status.st_rdev, makedev(1, 3));
  CHECK_OK(mknod("regular", S_IFREG | 0644, 0));
  CHECK_ERRNO(mknod("regular", S_IFREG | 0644, 0), EEXIST);
  struct statfs fs;
  CHECK_OK(statfs(".", &fs));
  CHECK_EQ(fs.f_namelen, 255);
  CHECK_ERRNO(statfs("missing", &fs), ENOENT);
  CHECK_OK(fstatfs(1, &fs));
  const char *all[] = {"file", "link", "masked", "fifo", "null", "regular"};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) CHECK_OK(unlink(all[i]));
  rmdir("masked-directory");
}

static void working_directory(void) {
  CHECK(strcmp(getcwd(buffer, sizeof buffer), "/work") == 0);
  CHECK_EQ(syscall(SYS_getcwd, buffer, sizeof buffer), 6);
  CHECK_RAW(ERANGE, SYS_getcwd, buffer, 3);
  mkdir("here", 0755), mkdir("here/below", 0755);
  int fd = open(".", O_RDONLY | O_DIRECTORY);
  CHECK_OK(chdir("here/below"));
  CHECK(strcmp(getcwd(buffer, sizeof buffer), "/work/here/below") == 0);
  CHECK_ERRNO(chdir("missing"), ENOENT);
  CHECK_ERRNO(chdir("/etc/passwd"), ENOTDIR);
  CHECK_OK(chdir(".."));
  CHECK(strcmp(getcwd(buffer, sizeof buffer), "/work/here") == 0);
  CHECK_OK(rename("/work/here", "/work/there"));
  CHECK_THAT("getcwd follows a rename", strcmp(getcwd(buffer, sizeof buffer), "/work/there") == 0);
  CHECK_OK(rmdir("below"));
  CHECK_OK(rmdir("/work/there"));
  CHECK_RAW(ENOENT, SYS_getcwd, buffer, sizeof buffer);
  CHECK_ERRNO(open("new", O_CREAT | O_RDWR, 0644), ENOENT);
  CHECK_OK(fchdir(fd));
  CHECK(strcmp(getcwd(buffer, sizeof buffer), "/work") == 0);
  CHECK_ERRNO(fchdir(99), EBADF);
  int file = open("/etc/passwd", O_RDONLY);
  CHECK_ERRNO(fchdir(file), ENOTDIR);
  CHECK_OK(chdir("/"));
  CHECK(strcmp(getcwd(buffer, sizeof buffer), "/") == 0);
  CHECK_OK(chdir("/work"));
}

/// What a path longer than PATH_MAX is good for.
static void deep_directories(void) {
  enum { DEPTH = 18 };
  static char name[256], text[2 * PATH_MAX];
  memset(name, 'd', 255);
  for (int i = 0; i < DEPTH; i++) CHECK_THAT("a deeper directory", mkdir(name, 0755) == 0 && chdir(name) == 0);
  CHECK_RAW(ENAMETOOLONG, SYS_getcwd, text, sizeof text);
  CHECK_RAW(ENAMETOOLONG, SYS_getcwd, text, 3);
  CHECK_ERRNO(readlink("/proc/self/cwd", text, sizeof text), ENAMETOOLONG);
  struct stat status;
  CHECK_OK(stat("/proc/self/cwd/..", &status));
  for (int i = 0; i < DEPTH - 3; i++) chdir(".."), rmdir(name);
  CHECK_EQ(readlink("/proc/self/cwd", text, sizeof text), 5 + 3 * 256);
  for (int i = 0; i < 3; i++) chdir(".."), rmdir(name);
  CHECK(strcmp(getcwd(text, sizeof text), "/work") == 0);
}

int main(void) {
  umask(022);
  hard_links();
  renames();
  directories();
  symbolic_links();
  lookups();
  attributes();
  working_directory();
  deep_directories();
  CHECK_END();
}
