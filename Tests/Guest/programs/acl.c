// Access control lists: system.posix_acl_access and system.posix_acl_default, as acl(5) has them.
#include "../check.h"

#include <grp.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#define ACCESS "system.posix_acl_access"
#define DEFAULT "system.posix_acl_default"

struct entry {
  uint16_t tag, permissions;
  uint32_t id;
};
enum { USER_OBJ = 1, USER = 2, GROUP_OBJ = 4, GROUP = 8, MASK = 16, OTHER = 32 };
static struct {
  uint32_t version;
  struct entry entries[20];
} list;

// Makes a list of text: "u:6 u1000:7 g:4 g5:1 m:5 o:0".
static size_t make(const char *text) {
  int count = 0;
  list.version = 2;
  for (; *text; count++) {
    char kind = *text++;
    struct entry *entry = &list.entries[count];
    entry->id = (uint32_t)-1;
    int isNamed = *text != ':';
    if (isNamed) entry->id = (uint32_t)strtoul(text, (char **)&text, 10);
    entry->tag = kind == 'u' ? (isNamed ? USER : USER_OBJ) : kind == 'g' ? (isNamed ? GROUP : GROUP_OBJ) : kind == 'm' ? MASK
        : OTHER;
    entry->permissions = (uint16_t)(text[1] - '0'), text += 2;
    if (*text == ' ') text++;
  }
  return 4 + 8 * (size_t)count;
}
static int set(const char *path, const char *name, const char *text) {
  size_t size = make(text);
  return lsetxattr(path, name, &list, size, 0);
}

// The mode of a file, its lists as text, and the names of all attributes.
static void show(const char *path) {
  struct stat status;
  char line[900], names[400];
  int length = snprintf(line, sizeof line, "%s", path);
  if (lstat(path, &status)) return say("%s: %s", path, check_errno_name(errno));
  length += snprintf(line + length, sizeof line - (size_t)length, " %o", status.st_mode);
  for (int kind = 0; kind < 2; kind++) {
    ssize_t size = lgetxattr(path, kind ? DEFAULT : ACCESS, &list, sizeof list);
    length += snprintf(line + length, sizeof line - (size_t)length, "%s", kind ? " default" : " access");
    if (size < 0) length += snprintf(line + length, sizeof line - (size_t)length, " %s", check_errno_name(errno));
    for (ssize_t i = 0; i < (size - 4) / 8; i++) {
      const struct entry *entry = &list.entries[i];
      length += snprintf(line + length, sizeof line - (size_t)length, " %d.%d:%o", entry->tag, (int)entry->id,
                         entry->permissions);
    }
  }
  ssize_t size = llistxattr(path, names, sizeof names);
  for (ssize_t i = 0; i < size; i += (ssize_t)strlen(names + i) + 1)
    if (strcmp(names + i, "security.selinux"))
      length += snprintf(line + length, sizeof line - (size_t)length, " %s", names + i);
  say("%s", line);
}

static void file(const char *path, unsigned mode) {
  int fd = open(path, O_CREAT | O_WRONLY, mode);
  CHECK(fd >= 0);
  close(fd);
}

// What users may do with a file: one digit for each.
static void accesses(const char *path) {
  static const struct {
    unsigned user, group, extra;
  } users[] = {{1000, 1000, 0}, {1001, 1000, 0}, {1002, 5, 0}, {1003, 6, 0}, {1004, 7, 5}, {1005, 7, 6}, {1006, 9, 9}};
  char text[8] = "";
  for (unsigned i = 0; i < 7; i++) {
    pid_t child = fork();
    if (child == 0) {
      gid_t extra = users[i].extra;
      if (setgroups(extra ? 1 : 0, &extra) || setgid(users[i].group) || setuid(users[i].user)) _exit(99);
      int can = 0;
      for (int bit = 1; bit < 8; bit <<= 1)
        if (access(path, bit) == 0) can |= bit;
      int fd = open(path, O_RDONLY | O_NONBLOCK);
      if ((fd >= 0) != ((can & 4) != 0)) _exit(98);
      _exit(can);
    }
    int status;
    waitpid(child, &status, 0);
    text[i] = (char)('0' + WEXITSTATUS(status));
  }
  say("%s may %s", path, text);
}

static void lists(void) {
  say("-- lists");
  file("a", 0640);
  show("a");
  CHECK(set("a", ACCESS, "u:7 g:5 o:1") == 0);
  show("a");
  CHECK(set("a", ACCESS, "u:6 u1001:7 g:4 g5:5 g6:2 m:7 o:1") == 0);
  show("a");
  accesses("a");
  CHECK(chmod("a", 0612) == 0);
  show("a");
  accesses("a");
  CHECK(chmod("a", 04774) == 0);
  show("a");
  CHECK(set("a", ACCESS, "u:6 u1001:0 g:7 g5:4 m:6 o:7") == 0);
  CHECK(chown("a", 1000, 1000) == 0);
  show("a");
  accesses("a");
  CHECK(setxattr("a", "user.x", "x", 1, 0) == 0);
  CHECK(set("a", ACCESS, "u:6 g:7 m:6 o:7") == 0);
  show("a");
  CHECK(removexattr("a", ACCESS) == 0);
  CHECK(removexattr("a", ACCESS) == 0);
  show("a");
  CHECK(set("a", ACCESS, "u:6 u5:7 g:1 m:6 o:7") == 0);
  CHECK(chmod("a", 0700) == 0);
  accesses("a");
  CHECK(setxattr("a", ACCESS, NULL, 0, 0) == 0);
  show("a");
  CHECK(set("a", ACCESS, "u:6 u5:7 g:1 m:6 o:7") == 0);
  list.version = 2;
  CHECK(setxattr("a", ACCESS, &list, 4, 0) == 0);
  show("a");
  char small[10];
  CHECK(set("a", ACCESS, "u:6 u5:7 g:1 m:6 o:7") == 0);
  CHECK_ERRNO(getxattr("a", ACCESS, small, sizeof small), ERANGE);
  CHECK_EQ(getxattr("a", ACCESS, NULL, 0), 44);
}

static void errors(void) {
  say("-- errors");
  file("b", 0644);
  static const char *const wrong[] = {
      "u:6", "u:6 g:6", "u:6 o:6", "g:6 u:6 o:6", "u:6 u5:6 g:6 o:6", "u:6 g:6 g5:6 o:6", "u:6 g:6 o:6 m:6", "u:6 g:6 o:6 o:6",
      "u:6 g:6 m:6 m:6 o:6", "u:6 u:6 g:6 o:6", "u:6 g5:6 g:6 m:6 o:6", "u:8 g:6 o:6", "u:6 u4294967295:6 g:6 m:6 o:6",
  };
  for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) CHECK_ERRNO(set("b", ACCESS, wrong[i]), EINVAL);
  size_t size = make("u:6 g:6 o:6");
  CHECK_ERRNO(setxattr("b", ACCESS, &list, size - 1, 0), EINVAL);
  CHECK_ERRNO(setxattr("b", ACCESS, &list, 3, 0), EINVAL);
  list.version = 1;
  CHECK_ERRNO(setxattr("b", ACCESS, &list, size, 0), EOPNOTSUPP);
  make("u:6 g:6 o:6");
  list.entries[1].tag = 64;
  CHECK_ERRNO(setxattr("b", ACCESS, &list, size, 0), EINVAL);
  CHECK_ERRNO(set("b", DEFAULT, "u:6 g:6 o:6"), EACCES);
  CHECK(removexattr("b", DEFAULT) == 0);
  CHECK_ERRNO(getxattr("b", DEFAULT, NULL, 0), ENODATA);
  CHECK(symlink("b", "s") == 0);
  CHECK_ERRNO(set("s", ACCESS, "u:6 g:6 o:6"), EOPNOTSUPP);
  CHECK_ERRNO(lgetxattr("s", ACCESS, NULL, 0), EOPNOTSUPP);
  make("u:6 g:6 o:6");
  CHECK_ERRNO(setxattr("b", "system.posix_acl_x", &list, size, 0), EOPNOTSUPP);
  show("b");

  // Only the owner sets them, and not for a group that is not his.
  file("c", 0);
  CHECK(chown("c", 1000, 77) == 0 && chmod("c", 02755) == 0);
  pid_t child = fork();
  if (child == 0) {
    CHECK(setgroups(0, NULL) == 0 && setgid(1000) == 0 && setuid(1000) == 0);
    CHECK_ERRNO(set("b", ACCESS, "u:6 u1000:6 g:6 m:6 o:6"), EPERM);
    CHECK_ERRNO(removexattr("b", ACCESS), EPERM);
    CHECK(set("c", ACCESS, "u:6 u1000:6 g:6 m:6 o:6") == 0);
    show("c");
    _exit(check_failures);
  }
  int status;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
}

static void defaults(void) {
  say("-- defaults");
  CHECK(mkdir("d", 0755) == 0);
  CHECK(set("d", DEFAULT, "u:7 u1001:7 g:5 m:7 o:1") == 0);
  show("d");
  umask(077);
  file("d/file", 0666);
  show("d/file");
  file("d/closed", 0604);
  show("d/closed");
  CHECK(mkdir("d/sub", 0777) == 0);
  show("d/sub");
  CHECK(mkdir("d/sub/sub", 0750) == 0);
  show("d/sub/sub");
  CHECK(mknod("d/fifo", S_IFIFO | 0662, 0) == 0);
  show("d/fifo");
  CHECK(symlink("x", "d/link") == 0);
  CHECK(lgetxattr("d/link", ACCESS, NULL, 0) == -1);
  int fd = open("d", O_TMPFILE | O_RDWR, 0666);
  CHECK_EQ(fgetxattr(fd, ACCESS, NULL, 0), 44);
  close(fd);
  CHECK(rename("d/file", "moved") == 0 && link("moved", "d/again") == 0);
  show("d/again");
  // One that says no more than a mode: it stands for the umask all the same.
  CHECK(set("d/sub", DEFAULT, "u:7 g:5 o:4") == 0);
  file("d/sub/plain", 0666);
  show("d/sub/plain");
  CHECK(mkdir("d/sub/plain-directory", 0777) == 0);
  show("d/sub/plain-directory");
  CHECK(removexattr("d/sub", DEFAULT) == 0);
  file("d/sub/masked", 0666);
  show("d/sub/masked");
  umask(0);
  CHECK(chmod("d", 0) == 0 && set("d", ACCESS, "u:7 u1001:5 g:0 g6:1 m:5 o:0") == 0);
  show("d");
  accesses("d");
  accesses("d/again");
}

int main(void) {
  umask(0);
  lists();
  errors();
  defaults();
  CHECK_END();
}
