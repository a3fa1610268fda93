// Overlays, as overlayfs mounts them: lower trees that never change, an upper one that takes what is new.
// Everything lies on one tmpfs, so that inode numbers mean what they do on Linux when all layers are on one file system.
#include "../check.h"

#include <dirent.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

static void put(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
  close(fd);
}

// What a file begins with; good until the fourth call from here.
static const char *get(const char *path) {
  static char texts[4][4096];
  static int next;
  char *text = texts[next++ & 3];
  int fd = open(path, O_RDONLY);
  if (fd < 0) return check_errno_name(errno);
  ssize_t count = read(fd, text, sizeof texts[0] - 1);
  if (count < 0) return check_errno_name(errno);
  close(fd);
  text[count] = 0;
  return text;
}

static int order(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

// Prints the names in a directory, sorted, with their types.
static void list(const char *path) {
  char *names[512], line[900] = "";
  int count = 0;
  DIR *directory = opendir(path);
  if (!directory) {
    say("%s: %s", path, check_errno_name(errno));
    return;
  }
  for (struct dirent *entry; (entry = readdir(directory)) && count < 512;) {
    char text[300];
    snprintf(text, sizeof text, "%s%s", entry->d_name,
             entry->d_type == DT_DIR ? "/" : entry->d_type == DT_LNK ? "@" : entry->d_type == DT_CHR ? "!" : "");
    names[count++] = strdup(text);
  }
  closedir(directory);
  qsort(names, (size_t)count, sizeof *names, order);
  for (int i = 0; i < count; i++) {
    strncat(line, " ", sizeof line - strlen(line) - 1);
    strncat(line, names[i], sizeof line - strlen(line) - 1);
    free(names[i]);
  }
  say("%s:%s", path, line);
}

static struct stat status(const char *path) {
  struct stat result = {0};
  if (lstat(path, &result) != 0) say("%s: %s", path, check_errno_name(errno));
  return result;
}
static void show(const char *path) {
  struct stat s = status(path);
  say("%s: %o links %lu owner %u:%u size %lld", path, s.st_mode, (unsigned long)s.st_nlink, s.st_uid, s.st_gid,
      S_ISDIR(s.st_mode) ? 0LL : (long long)s.st_size);
}
static int is_whiteout(const char *path) {
  struct stat s;
  return lstat(path, &s) == 0 && S_ISCHR(s.st_mode) && s.st_rdev == 0;
}
static int is_opaque(const char *path) {
  char value[8];
  return lgetxattr(path, "trusted.overlay.opaque", value, sizeof value) == 1 && value[0] == 'y';
}
static void attributes(const char *path) {
  char names[4096];
  ssize_t count = llistxattr(path, names, sizeof names);
  if (count < 0) {
    say("attributes of %s: %s", path, check_errno_name(errno));
    return;
  }
  for (ssize_t i = 0; i < count; i += (ssize_t)strlen(names + i) + 1)
    if (strncmp(names + i, "security.", 9)) say("attribute of %s: %s", path, names + i);
}
static void set_times(const char *path, long seconds) {
  struct timespec times[2] = {{seconds, 5}, {seconds + 1, 6}};
  CHECK_OK(utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW));
}
static int has_times(const char *path, long seconds) {
  struct stat s = status(path);
  return s.st_atim.tv_sec == seconds && s.st_atim.tv_nsec == 5 && s.st_mtim.tv_sec == seconds + 1 &&
         s.st_mtim.tv_nsec == 6;
}

#define LAYERS "lowerdir=l1:l2,upperdir=u,workdir=w"

static void make_layers(void) {
  for (const char *const *name = (const char *const[]){"l1", "l2", "u", "w", "o", 0}; *name; name++)
    CHECK_OK(mkdir(*name, 0755));
  put("l1/file", "first");
  put("l2/file", "second");
  put("l2/below", "from below");
  put("l1/kept", "kept");
  put("l1/modes", "modes");
  put("l1/owned", "owned");
  put("l1/times", "times");
  put("l1/gone", "gone");
  put("l1/cut", "0123456789");
  put("l1/moved", "moved");
  put("l1/target", "target");
  put("l1/linked", "linked");
  put("l1/named", "named");
  put("l1/mapped", "mapped");
  put("l1/old", "old content");
  CHECK_OK(link("l1/linked", "l1/alias"));
  CHECK_OK(symlink("file", "l1/symbolic"));
  CHECK_OK(mkfifo("l1/fifo", 0640));
  CHECK_OK(mkdir("l1/d", 0750));
  CHECK_OK(mkdir("l1/d/deep", 0700));
  CHECK_OK(mkdir("l1/d/deep/er", 0711));
  put("l1/d/deep/er/file", "deep");
  CHECK_OK(mkdir("l1/both", 0755));
  CHECK_OK(mkdir("l2/both", 0700));
  put("l1/both/one", "1");
  put("l2/both/two", "2");
  put("l1/both/same", "upper one");
  put("l2/both/same", "lower one");
  CHECK_OK(mkdir("l2/hidden", 0755));
  put("l2/hidden/inside", "inside");
  CHECK_OK(mkdir("l1/full", 0755));
  put("l1/full/a", "a");
  put("l1/full/b", "b");
  CHECK_OK(mkdir("l1/tree", 0755));
  CHECK_OK(mkdir("l1/tree/sub", 0755));
  // A whiteout and an opaque directory in a lower layer.
  put("l2/white", "not seen");
  CHECK_OK(mknod("l1/white", S_IFCHR, makedev(0, 0)));
  CHECK_OK(mkdir("l1/opaque", 0755));
  CHECK_OK(mkdir("l2/opaque", 0755));
  put("l2/opaque/inside", "not seen");
  put("l1/opaque/shown", "shown");
  CHECK_OK(setxattr("l1/opaque", "trusted.overlay.opaque", "y", 1, 0));
  CHECK_OK(setxattr("l1/named", "trusted.mine", "value", 5, 0));
  set_times("l1/times", 1000000000);
  set_times("l1/d/deep/er/file", 1100000000);
  set_times("l1/d/deep/er", 1200000000);
  set_times("l1/d/deep", 1200000000);
  set_times("l1/symbolic", 1300000000);
}

static void errors(void) {
  CHECK_ERRNO(mount("overlay", "o", "overlay", 0, "upperdir=u,workdir=w"), EINVAL);
  CHECK_ERRNO(mount("overlay", "o", "overlay", 0, "lowerdir=l1,upperdir=u"), EINVAL);
  CHECK_ERRNO(mount("overlay", "o", "overlay", 0, "lowerdir=nowhere,upperdir=u,workdir=w"), ENOENT);
  CHECK_ERRNO(mount("overlay", "o", "overlay", 0, "lowerdir=l1,upperdir=nowhere,workdir=w"), ENOENT);
  CHECK_ERRNO(mount("overlay", "o", "overlay", 0, "lowerdir=l1,upperdir=u,workdir=u/w"), ENOENT);
  CHECK_ERRNO(mount("overlay", "o", "overlay", 0, "lowerdir=l1,upperdir=u,workdir=u"), EINVAL);
  CHECK_ERRNO(mount("overlay", "o", "overlay", 0, "lowerdir=l1"), EINVAL);
  CHECK_ERRNO(mount("overlay", "o", "overlay", 0, "lowerdir=l1,upperdir=u,workdir=w,unknown"), EINVAL);
  CHECK_ERRNO(mount("overlay", "o", "overlay", 0, "lowerdir=l1/file,upperdir=u,workdir=w"), EINVAL);
  CHECK_ERRNO(mount("overlay", "nowhere", "overlay", 0, LAYERS), ENOENT);
}

static void reading(void) {
  list("o");
  list("o/both");
  list("o/opaque");
  list("o/d/deep");
  say("file %s", get("o/file"));
  say("below %s", get("o/below"));
  say("white %s", get("o/white"));
  say("same %s", get("o/both/same"));
  say("two %s", get("o/both/two"));
  say("inside %s", get("o/opaque/inside"));
  show("o/both");
  show("o/hidden");
  show("o/fifo");
  show("o/symbolic");
  show("o/linked");
  CHECK_THAT("times of a lower file", has_times("o/times", 1000000000));
  struct stat a = status("o/file"), b = status("l1/file"), c = status("o");
  CHECK(a.st_ino == b.st_ino);
  CHECK(a.st_dev == c.st_dev && a.st_dev != b.st_dev);
  struct statfs f;
  CHECK_OK(statfs("o", &f));
  CHECK_EQ(f.f_type, 0x794c7630);
  CHECK_THAT("the upper layer is empty", status("u").st_nlink == 2);
  attributes("o/opaque");
  attributes("o/named");
  list("u");
}

static void copying_up(void) {
  // Opening for writing alone copies.
  ino_t before = status("o/file").st_ino;
  int old = open("o/file", O_RDONLY);
  char *map = mmap(0, 4096, PROT_READ, MAP_SHARED, old, 0);
  int fd = open("o/file", O_WRONLY);
  CHECK(fd >= 0);
  CHECK_THAT("the copy is there", status("u/file").st_size == 5);
  CHECK_EQ(pwrite(fd, "FI", 2, 0), 2);
  say("through the overlay %s, below %s", get("o/file"), get("l1/file"));
  char text[16] = "";
  CHECK_EQ(pread(old, text, 15, 0), 5);
  say("a descriptor from before reads %s", text);
  say("a mapping from before has %.5s", map);
  CHECK(status("o/file").st_ino == before);
  struct stat s;
  CHECK_OK(fstat(old, &s));
  CHECK(s.st_ino == before && s.st_size == 5);
  close(fd);
  close(old);
  munmap(map, 4096);

  before = status("o/modes").st_ino;
  CHECK_OK(chmod("o/modes", 0600));
  show("o/modes");
  show("l1/modes");
  say("%s", get("u/modes"));
  CHECK(status("o/modes").st_ino == before);
  CHECK_OK(chown("o/owned", 5, 6));
  show("o/owned");
  show("l1/owned");
  set_times("o/owned", 900000000);
  CHECK_THAT("new times", has_times("o/owned", 900000000));
  CHECK_OK(truncate("o/cut", 4));
  say("cut %s, below %s", get("o/cut"), get("l1/cut"));
  fd = open("o/kept", O_RDWR | O_TRUNC);
  CHECK(fd >= 0);
  show("o/kept");
  show("l1/kept");
  close(fd);
  // A file that is only read, or a failed open, copies nothing.
  CHECK_ERRNO(open("o/times", O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
  CHECK_OK(close(open("o/times", O_RDONLY)));
  CHECK_ERRNO(access("u/times", F_OK), ENOENT);
  CHECK_OK(chmod("o/times", 0640));
  CHECK_THAT("times stay", has_times("o/times", 1000000000));
  // Attributes of the file go with it.
  CHECK_OK(setxattr("o/named", "trusted.other", "x", 1, 0));
  attributes("o/named");
  CHECK_EQ(getxattr("u/named", "trusted.mine", text, sizeof text), 5);
  CHECK_ERRNO(getxattr("l1/named", "trusted.other", text, sizeof text), ENODATA);
  CHECK_OK(removexattr("o/named", "trusted.mine"));
  CHECK_ERRNO(getxattr("o/named", "trusted.mine", text, sizeof text), ENODATA);
  CHECK_EQ(getxattr("l1/named", "trusted.mine", text, sizeof text), 5);
  // Directories above are copied with their modes and times.
  before = status("o/d/deep/er").st_ino;
  int deep = open("o/d/deep/er/file", O_WRONLY | O_APPEND);
  CHECK(deep >= 0 && write(deep, "er", 2) == 2);
  close(deep);
  say("%s", get("o/d/deep/er/file"));
  show("u/d");
  show("u/d/deep");
  show("u/d/deep/er");
  CHECK_THAT("times of a copied directory", has_times("u/d/deep/er", 1200000000));
  CHECK_THAT("and of the one above", has_times("u/d/deep", 1200000000));
  CHECK(status("o/d/deep/er").st_ino == before);
  CHECK_EQ(status("o/d/deep/er").st_nlink, 1);
  // Symbolic links and FIFOs.
  CHECK_OK(lchown("o/symbolic", 7, 8));
  char target[16] = "";
  CHECK_EQ(readlink("u/symbolic", target, 15), 4);
  say("leads to %s", target);
  CHECK_OK(chmod("o/fifo", 0600));
  show("u/fifo");
}

static void links(void) {
  struct stat a = status("o/linked"), b = status("o/alias");
  CHECK_EQ(a.st_nlink, 2);
  CHECK(a.st_ino == b.st_ino);
  // Hard links of a lower layer come apart.
  int fd = open("o/linked", O_WRONLY | O_APPEND);
  CHECK(fd >= 0 && write(fd, "!", 1) == 1);
  close(fd);
  say("linked %s, alias %s", get("o/linked"), get("o/alias"));
  show("o/linked");
  show("o/alias");
  CHECK(status("o/linked").st_ino != status("o/alias").st_ino);
  // New ones hold together.
  CHECK_OK(link("o/below", "o/new"));
  show("o/below");
  show("o/new");
  fd = open("o/new", O_WRONLY | O_APPEND);
  CHECK(fd >= 0 && write(fd, "!", 1) == 1);
  close(fd);
  say("below %s", get("o/below"));
  CHECK(status("o/below").st_ino == status("o/new").st_ino);
  CHECK_OK(unlink("o/below"));
  show("o/new");
  CHECK(is_whiteout("u/below"));
  CHECK_ERRNO(link("o/new", "o/file"), EEXIST);
  CHECK_ERRNO(link("o/new", "u/other"), EXDEV);
}

static void removing(void) {
  int fd = open("o/gone", O_RDONLY);
  CHECK_OK(unlink("o/gone"));
  char text[8] = "";
  CHECK_EQ(read(fd, text, 7), 4);
  close(fd);
  CHECK(is_whiteout("u/gone"));
  CHECK_ERRNO(open("o/gone", O_RDONLY), ENOENT);
  CHECK_ERRNO(unlink("o/gone"), ENOENT);
  say("below %s", get("l1/gone"));
  put("o/gone", "again");
  say("%s", get("o/gone"));
  CHECK(!is_whiteout("u/gone"));
  CHECK_OK(unlink("o/gone"));
  CHECK(is_whiteout("u/gone"));

  CHECK_ERRNO(rmdir("o/full"), ENOTEMPTY);
  CHECK_OK(unlink("o/full/a"));
  list("o/full");
  CHECK_ERRNO(rmdir("o/full"), ENOTEMPTY);
  CHECK_OK(unlink("o/full/b"));
  list("o/full");
  CHECK_OK(rmdir("o/full"));
  CHECK(is_whiteout("u/full"));
  CHECK_OK(mkdir("o/full", 0755));
  CHECK(is_opaque("u/full"));
  list("o/full");
  put("o/full/c", "c");
  list("o/full");
  CHECK_ERRNO(rmdir("o/full"), ENOTEMPTY);
  // A file where a directory was, and the other way round.
  CHECK_OK(unlink("o/hidden/inside"));
  CHECK_OK(rmdir("o/hidden"));
  put("o/hidden", "a file now");
  say("%s", get("o/hidden"));
  CHECK_OK(unlink("o/hidden"));
  CHECK_OK(mkdir("o/hidden", 0755));
  list("o/hidden");
  put("o/white", "visible");
  say("%s", get("o/white"));
  CHECK_OK(unlink("o/white"));
  // What only the upper layer had leaves nothing behind.
  put("o/fresh", "fresh");
  CHECK_OK(unlink("o/fresh"));
  CHECK_ERRNO(access("u/fresh", F_OK), ENOENT);
  CHECK_OK(mkdir("o/fresh", 0700));
  CHECK_OK(rmdir("o/fresh"));
  CHECK_ERRNO(access("u/fresh", F_OK), ENOENT);
  list("o");
}

// renameat2, which musl does not know.
static int move(const char *from, const char *to, unsigned flags) {
  return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
}
static int exchange(const char *a, const char *b) { return move(a, b, 2 /* RENAME_EXCHANGE */); }

static void moving(void) {
  ino_t before = status("o/moved").st_ino;
  CHECK_OK(rename("o/moved", "o/elsewhere"));
  CHECK(is_whiteout("u/moved"));
  CHECK(status("o/elsewhere").st_ino == before);
  say("%s", get("o/elsewhere"));
  CHECK_ERRNO(open("o/moved", O_RDONLY), ENOENT);
  CHECK_OK(rename("o/elsewhere", "o/target"));
  say("%s, below %s", get("o/target"), get("l1/target"));
  CHECK_OK(rename("o/target", "o/moved"));
  CHECK(!is_whiteout("u/moved"));
  CHECK(is_whiteout("u/target"));
  // Directories that are in a lower layer do not move.
  CHECK_ERRNO(rename("o/tree", "o/forest"), EXDEV);
  CHECK_ERRNO(rename("o/both", "o/forest"), EXDEV);
  CHECK_ERRNO(exchange("o/moved", "o/tree"), EXDEV);
  // New ones do, and hide what they replace.
  CHECK_OK(mkdir("o/new-tree", 0755));
  put("o/new-tree/leaf", "leaf");
  CHECK_OK(rename("o/new-tree", "o/newer"));
  list("o/newer");
  CHECK_ERRNO(rename("o/newer", "o/tree"), ENOTEMPTY);
  CHECK_OK(rmdir("o/tree/sub"));
  CHECK_OK(rename("o/newer", "o/tree"));
  list("o/tree");
  CHECK(is_opaque("u/tree"));
  CHECK_ERRNO(rename("o/tree", "o/tree/leaf/x"), ENOTDIR);
  CHECK_ERRNO(rename("o/modes", "o/tree"), EISDIR);
  CHECK_ERRNO(rename("o/tree", "o/modes"), ENOTDIR);
  CHECK_ERRNO(move("o/modes", "o/file", 1 /* RENAME_NOREPLACE */), EEXIST);
  CHECK_OK(exchange("o/modes", "o/file"));
  say("modes %s, file %s", get("o/modes"), get("o/file"));
  CHECK_OK(rename("o/moved", "o/tree/moved"));
  list("o/tree");
  list("o");
}

// A directory that is listed while its entries go.
static void listing(void) {
  CHECK_OK(mkdir("l1/many", 0755));
  CHECK_OK(mkdir("l2/many", 0755));
  char path[64];
  for (int i = 0; i < 400; i++) {
    snprintf(path, sizeof path, "%s/many/%03d", i & 1 ? "l1" : "l2", i);
    close(open(path, O_WRONLY | O_CREAT, 0600));
  }
  for (int i = 400; i < 500; i++) {
    snprintf(path, sizeof path, "o/many/%03d", i);
    close(open(path, O_WRONLY | O_CREAT, 0600));
  }
  char seen[500] = "";
  int removed = 0, twice = 0;
  DIR *directory = opendir("o/many");
  for (struct dirent *entry; (entry = readdir(directory));) {
    if (entry->d_name[0] == '.') continue;
    int number = atoi(entry->d_name);
    if (seen[number]++) twice++;
    snprintf(path, sizeof path, "o/many/%03d", number);
    struct stat s = status(path);
    if (s.st_ino != entry->d_ino) say("%s: another number than in the directory", entry->d_name);
    if (unlink(path) == 0) removed++;
  }
  CHECK_EQ(removed, 500);
  CHECK_EQ(twice, 0);
  rewinddir(directory);
  int left = 0;
  while (readdir(directory)) left++;
  CHECK_EQ(left, 2);
  closedir(directory);
  CHECK_OK(rmdir("o/many"));
  // Positions.
  CHECK_OK(mkdir("o/many", 0755));
  for (int i = 0; i < 50; i++) {
    snprintf(path, sizeof path, "o/many/%03d", i);
    close(open(path, O_WRONLY | O_CREAT, 0600));
  }
  directory = opendir("o/many");
  long place = -1;
  char place_name[256] = "";
  for (int i = 0; i < 30; i++) {
    if (i == 20) place = telldir(directory);
    struct dirent *entry = readdir(directory);
    if (i == 20) strcpy(place_name, entry->d_name);
  }
  seekdir(directory, place);
  CHECK_THAT("seekdir goes back", strcmp(readdir(directory)->d_name, place_name) == 0);
  closedir(directory);
}

static void others(void) {
  // Files without a name.
  int fd = open("o", O_TMPFILE | O_RDWR, 0600);
  CHECK(fd >= 0);
  CHECK_EQ(write(fd, "unnamed", 7), 7);
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  CHECK_OK(linkat(AT_FDCWD, path, AT_FDCWD, "o/given", AT_SYMLINK_FOLLOW));
  close(fd);
  say("%s", get("o/given"));
  show("o/given");
  // Mappings that write.
  fd = open("o/mapped", O_RDWR);
  char *map = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  memcpy(map, "MAP", 3);
  CHECK_OK(msync(map, 4096, MS_SYNC));
  munmap(map, 4096);
  close(fd);
  say("%s, below %s", get("o/mapped"), get("l1/mapped"));
  // Locks go by the file, whether it is copied or not.
  int one = open("o/old", O_RDONLY);
  CHECK_OK(flock(one, LOCK_EX));
  int two = open("o/old", O_RDWR);
  CHECK_ERRNO(flock(two, LOCK_EX | LOCK_NB), EAGAIN);
  close(one);
  CHECK_OK(flock(two, LOCK_EX | LOCK_NB));
  CHECK_EQ(pwrite(two, "new", 3, 0), 3);
  CHECK_OK(fsync(two));
  CHECK_OK(fallocate(two, 0, 0, 100));
  CHECK_EQ(lseek(two, 0, SEEK_END), 100);
  close(two);
  say("%s", get("o/old"));
  // The overlay's own attributes are not seen through it.
  char value[8];
  CHECK_ERRNO(getxattr("o/tree", "trusted.overlay.opaque", value, sizeof value), ENODATA);
  attributes("o/tree");
  // A device that looks like a whiteout cannot be made.
  CHECK_ERRNO(mknod("o/nothing", S_IFCHR, makedev(0, 0)), EPERM);
  CHECK_OK(mknod("o/null", S_IFCHR | 0666, makedev(1, 3)));
  fd = open("o/null", O_WRONLY);
  CHECK(fd >= 0 && write(fd, "x", 1) == 1);
  close(fd);
  CHECK_OK(unlink("o/null"));
}

static void again(void) {
  // The upper layer keeps what was done.
  CHECK_OK(umount("o"));
  CHECK_OK(mount("overlay", "o", "overlay", 0, LAYERS));
  list("o");
  list("o/tree");
  list("o/full");
  say("%s %s", get("o/file"), get("o/given"));
  CHECK_OK(umount("o"));
  // Read-only, and without an upper layer.
  CHECK_OK(mount("overlay", "o", "overlay", MS_RDONLY, LAYERS));
  CHECK_ERRNO(open("o/file", O_WRONLY), EROFS);
  CHECK_ERRNO(chmod("o/file", 0600), EROFS);
  CHECK_OK(umount("o"));
  CHECK_OK(mount("overlay", "o", "overlay", 0, "lowerdir=u:l1:l2"));
  CHECK_ERRNO(open("o/file", O_WRONLY), EROFS);
  CHECK_ERRNO(unlink("o/file"), EROFS);
  CHECK_ERRNO(mkdir("o/x", 0700), EROFS);
  list("o");
  say("%s", get("o/file"));
  CHECK_OK(umount("o"));
}

int main(void) {
  CHECK_OK(mkdir("mnt", 0755));
  CHECK_OK(mount("layers", "mnt", "tmpfs", 0, "mode=755"));
  CHECK_OK(chdir("mnt"));
  make_layers();
  errors();
  CHECK_OK(mount("overlay", "o", "overlay", 0, LAYERS));
  reading();
  copying_up();
  links();
  removing();
  moving();
  listing();
  others();
  again();
  CHECK_OK(chdir(".."));
  CHECK_OK(umount("mnt"));
  CHECK_OK(rmdir("mnt"));
  CHECK_END();
}
