// What mount(2) and umount2(2) say when several things are wrong at a time: places, sources, types, options and flags in
// every combination, as root and as a user. Prints the answers; what was mounted is taken away again. The answers are
// those of Linux 6.18: before 6.5 overlayfs looked for its layers only after all options were right.
// Then what /proc tells of mounts.
#include "../check.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/wait.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *const targets[] = {"d",     "file", "absent", "file/x", "mnt",  "mnt/sub", "mnt/file",
                                      "",      ".",    "link",   "dangling", "loop", "bound"};
static const char *const sources[] = {"none", NULL, "", "absent", "src", "file", "mnt", "mnt/sub", "file/x"};
static const struct {
  const char *type, *options;
} kinds[] = {
    {NULL, NULL},
    {"", NULL},
    {"nosuchfs", NULL},
    {"nosuchfs", "nonsense"},
    {"tmpfs.x", NULL},
    {"tmpfs", NULL},
    {"tmpfs", ""},
    {"tmpfs", ","},
    {"tmpfs", "nonsense"},
    {"tmpfs", "size=x"},
    {"tmpfs", "size"},
    {"tmpfs", "size="},
    {"tmpfs", "mode=8"},
    {"tmpfs", "uid=-1"},
    {"tmpfs", "nr_inodes=1,nonsense"},
    {"proc", NULL},
    {"proc", "nonsense"},
    {"sysfs", NULL},
    {"sysfs", "nonsense"},
    {"devpts", NULL},
    {"devpts", "nonsense"},
    {"devpts", "mode=8"},
    {"overlay", NULL},
    {"overlay", "nonsense"},
    {"overlay", "lowerdir"},
    {"overlay", "lowerdir=absent"},
    {"overlay", "lowerdir=absent,nonsense"},
    {"overlay", "nonsense,lowerdir=absent"},
    {"overlay", "lowerdir=src"},
    {"overlay", "lowerdir=src:src"},
    {"overlay", "lowerdir=src:"},
    {"overlay", "lowerdir=src:file"},
    {"overlay", "lowerdir=src:absent"},
    {"overlay", "lowerdir=src:d"},
    {"overlay", "upperdir=d,workdir=w"},
    {"overlay", "upperdir=absent"},
    {"overlay", "workdir=absent"},
    {"overlay", "lowerdir=src,upperdir=up"},
    {"overlay", "lowerdir=src,workdir=w"},
    {"overlay", "lowerdir=src,upperdir=absent,workdir=w"},
    {"overlay", "lowerdir=src,upperdir=file,workdir=w"},
    {"overlay", "lowerdir=src,upperdir=up,workdir=absent"},
    {"overlay", "lowerdir=src,upperdir=up,workdir=file"},
    {"overlay", "lowerdir=src,upperdir=up,workdir=up"},
    {"overlay", "lowerdir=src,upperdir=up,workdir=up/in"},
    {"overlay", "lowerdir=src,upperdir=up/in,workdir=up"},
    {"overlay", "lowerdir=src,upperdir=up,workdir=mnt/sub"},
    {"overlay", "lowerdir=src,upperdir=up,workdir=w"},
    {"overlay", "lowerdir=up,upperdir=up/in,workdir=w"},
    {"overlay", "lowerdir=up/in,upperdir=up,workdir=w"},
    {"overlay", "lowerdir=src,upperdir=up,workdir=w,xino=nonsense"},
};
static const unsigned long flags[] = {
    MS_BIND, MS_BIND | MS_REC, MS_MOVE, MS_REMOUNT, MS_REMOUNT | MS_BIND, MS_PRIVATE, MS_SHARED | MS_PRIVATE,
    MS_PRIVATE | MS_RDONLY, MS_PRIVATE | MS_REC | MS_SILENT, MS_UNBINDABLE | MS_REC, MS_BIND | MS_MOVE,
    MS_REMOUNT | MS_PRIVATE, MS_REMOUNT | MS_MOVE, MS_MOVE | MS_PRIVATE, MS_MOVE | MS_REC, MS_BIND | MS_PRIVATE,
    MS_BIND | MS_REMOUNT | MS_REC, MS_REMOUNT | MS_BIND | MS_PRIVATE, MS_BIND | MS_RDONLY | MS_NOEXEC,
    1 << 22, 1 << 22 | MS_BIND, 1 << 26, 1 << 27, 1 << 28, 1 << 29, 1 << 30, 1ul << 31, 1ul << 31 | MS_BIND,
    1ul << 32, 1ul << 32 | MS_BIND, 1ul << 63};

static char top[256];

static const char *text(const char *string) { return string ? string : "NULL"; }

// Adds an answer to a line, and takes away what was mounted.
static void attempt(char *line, size_t size, const char *source, const char *target, const char *type, unsigned long flags,
                    const char *options) {
  int result = mount(source, target, type, flags, options);
  size_t length = strlen(line);
  snprintf(line + length, size - length, " %s", result ? check_errno_name(errno) : "0");
  if (result || flags & (MS_REMOUNT | MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE)) return;
  const char *place = strcmp(target, ".") ? target : top;
  if (flags & MS_MOVE && !(flags & MS_BIND)) {
    if (mount(place, source, NULL, MS_MOVE, NULL)) say("  does not go back: %s", check_errno_name(errno));
  } else if (umount2(place, MNT_DETACH)) {
    say("  umount: %s", check_errno_name(errno));
  }
}

static void attempts(const char *who) {
  char line[1000];
  for (size_t k = 0; k < COUNT(kinds); k++) {
    snprintf(line, sizeof line, "%s %s %s:", who, text(kinds[k].type), text(kinds[k].options));
    for (size_t t = 0; t < COUNT(targets); t++)
      attempt(line, sizeof line, "none", targets[t], kinds[k].type, 0, kinds[k].options);
    say("%s", line);
  }
  for (size_t f = 0; f < COUNT(flags); f++)
    for (size_t s = 0; s < COUNT(sources); s++) {
      snprintf(line, sizeof line, "%s %#lx of %s:", who, flags[f], text(sources[s]));
      for (size_t t = 0; t < COUNT(targets); t++) {
        // That one would stay: nobody can go back to below it.
        if (flags[f] & MS_MOVE && !strcmp(targets[t], ".")) continue;
        attempt(line, sizeof line, sources[s], targets[t], NULL, flags[f], NULL);
      }
      say("%s", line);
    }
  static const char *const options[] = {NULL, "", "nonsense", "size=x"};
  static const unsigned long remounts[] = {MS_REMOUNT, MS_REMOUNT | MS_RDONLY, MS_REMOUNT | MS_BIND | MS_RDONLY,
                                           MS_REMOUNT | MS_BIND, MS_REMOUNT};
  for (size_t r = 0; r < COUNT(remounts); r++)
    for (size_t o = 0; o < COUNT(options); o++) {
      snprintf(line, sizeof line, "%s %#lx with %s:", who, remounts[r], text(options[o]));
      for (size_t t = 0; t < COUNT(targets); t++)
        attempt(line, sizeof line, NULL, targets[t], "nosuchfs", remounts[r], options[o]);
      say("%s", line);
    }
  for (int f = 0; f < 32; f++) {
    snprintf(line, sizeof line, "%s umount2 %#x:", who, f);
    for (size_t t = 0; t < COUNT(targets); t++) {
      size_t length = strlen(line);
      // These are wanted further on, unless the flags are wrong.
      int stays = !strcmp(targets[t], "mnt") || !strcmp(targets[t], "bound") || !strcmp(targets[t], ".");
      int takes = f < 16 && (!(f & MNT_EXPIRE) || !(f & (MNT_FORCE | MNT_DETACH)));
      if (stays && takes) continue;
      snprintf(line + length, sizeof line - length, " %s", umount2(targets[t], f) ? check_errno_name(errno) : "0");
    }
    say("%s", line);
  }
}

static void put(const char *path, const char *content) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  CHECK(fd >= 0 && write(fd, content, strlen(content)) == (ssize_t)strlen(content));
  close(fd);
}

// A place that is given as `.` is what was mounted on it last.
static void here(void) {
  CHECK_OK(mkdir("d/x", 0755));
  CHECK_OK(chdir("d"));
  CHECK_OK(mount("none", ".", "tmpfs", 0, NULL));
  CHECK_OK(mkdir("../d/first", 0755));
  CHECK_ERRNO(access("first", F_OK), ENOENT);
  CHECK_OK(access("x", F_OK));
  CHECK_OK(mount("none", ".", "tmpfs", 0, NULL));
  CHECK_ERRNO(access("../d/first", F_OK), ENOENT);
  CHECK_OK(mkdir("../d/second", 0755));
  CHECK_OK(mount("../src", ".", NULL, MS_BIND, NULL));
  CHECK_ERRNO(access("../d/second", F_OK), ENOENT);
  CHECK_OK(umount2(".", 0));
  CHECK_OK(access("../d/second", F_OK));
  CHECK_OK(umount2(".", 0));
  CHECK_OK(access("../d/first", F_OK));
  CHECK_OK(umount2(".", 0));
  CHECK_OK(access("../d/x", F_OK));
  CHECK_ERRNO(umount2(".", 0), EINVAL);
  CHECK_OK(chdir(".."));
  CHECK_OK(rmdir("d/x"));
}

// What there is one of is seen at every place; a proc can be mounted over itself.
static void kernels_own(void) {
  char path[300];
  struct stat one, other;
  CHECK_OK(mount("p", "d", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL));
  CHECK_OK(mount("p", "d", "proc", 0, NULL));
  CHECK(readlink("d/self", path, sizeof path) > 0);
  CHECK_OK(umount2("d", 0));
  CHECK_OK(umount2("d", 0));
  CHECK_OK(mount("s", "d", "sysfs", 0, NULL));
  CHECK_OK(access("d/devices", X_OK));
  CHECK_ERRNO(mount("s", "d", "sysfs", 0, NULL), EBUSY);
  CHECK_OK(mount("d", "src", NULL, MS_BIND, NULL));
  CHECK(stat("d/devices", &one) == 0 && stat("src/devices", &other) == 0 && one.st_ino == other.st_ino);
  CHECK_OK(umount2("src", 0));
  CHECK_OK(umount2("d", 0));
  CHECK_OK(mount("dev", "d", "devtmpfs", 0, "mode=755"));
  CHECK(stat("d/null", &one) == 0 && S_ISCHR(one.st_mode));
  CHECK_ERRNO(mount("dev", "d", "devtmpfs", 0, NULL), EBUSY);
  CHECK_OK(umount2("d", 0));
}

// Prints the lines of a file of /proc that speak of mounts below the top.
static void report(const char *path) {
  char line[1000];
  FILE *file = fopen(path, "r");
  CHECK(file != NULL);
  say("%s", path);
  while (file && fgets(line, sizeof line, file)) {
    int numbers = 0;
    line[strcspn(line, "\n")] = 0;
    sscanf(line, "%*d %*d %*d:%*d %n", &numbers);
    char *place = strstr(line, top);
    if (!place) continue;
    place[0] = 0;
    say("  %s%s", line + numbers, place + strlen(top));
  }
  if (file) fclose(file);
}

// What /proc says of mounts: names that break columns, flags of mounts and of file systems.
static void reports(void) {
  static const char *const names[] = {"sp ace", "back\\slash", "tab\tulator", "ha#sh", "line\nend"};
  char name[8];
  // It was moved, and stands behind others in older kernels' lists.
  CHECK_OK(umount2("mnt", 0));
  for (int i = 0; i < 5; i++)
    CHECK(mkdir(names[i], 0755) == 0 && mount(names[i], names[i], "tmpfs", 0, NULL) == 0);
  static const unsigned long all[] = {MS_SYNCHRONOUS, MS_DIRSYNC, MS_MANDLOCK, MS_LAZYTIME | MS_RDONLY,
                                      MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME, MS_NOSYMFOLLOW,
                                      MS_STRICTATIME, MS_SYNCHRONOUS | MS_DIRSYNC | MS_MANDLOCK | MS_LAZYTIME};
  for (int i = 0; i < 8; i++) {
    snprintf(name, sizeof name, "f%d", i);
    CHECK(mkdir(name, 0755) == 0);
    CHECK_OK(mount(NULL, name, "tmpfs", all[i], NULL));
  }
  CHECK_OK(mount("f0", "d", NULL, MS_BIND, NULL));
  CHECK_OK(mount(NULL, "d", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NODEV, NULL));
  CHECK_OK(mount(NULL, "f1", NULL, MS_REMOUNT | MS_SYNCHRONOUS, NULL));
  CHECK_OK(mount(NULL, "f2", NULL, MS_REMOUNT | MS_LAZYTIME | MS_NOEXEC, NULL));
  CHECK_OK(mount(NULL, "f7", NULL, MS_REMOUNT, NULL));
  CHECK_OK(mount("x", "src", "tmpfs", 0, "size=50%,mode=700,uid=3"));
  CHECK_OK(mount("x", "up", "tmpfs", 0, "size=1m,nr_inodes=10,gid=3,inode32"));
  report("/proc/self/mountinfo");
  report("/proc/self/mounts");
  report("/proc/self/mountstats");
  report("/proc/thread-self/mountinfo");
  CHECK_ERRNO(access("/proc/thread-self/mountstats", F_OK), ENOENT);
  struct statfs status;
  for (int i = 0; i < 8; i++) {
    snprintf(name, sizeof name, "f%d", i);
    if (statfs(name, &status) == 0) say("%s %#lx", name, (unsigned long)status.f_flags);
  }
}

int main(int count, char **arguments) {
  if (unshare(CLONE_NEWNS) == 0) mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
  if (count > 1 && chdir(arguments[1])) return 2;
  CHECK(mkdir("m", 0755) == 0 && mount("none", "m", "tmpfs", 0, "mode=755") == 0 && chdir("m") == 0);
  CHECK(getcwd(top, sizeof top) != NULL);
  static const char *const directories[] = {"d", "src", "mnt", "up", "up/in", "w"};
  for (size_t i = 0; i < COUNT(directories); i++) CHECK_OK(mkdir(directories[i], 0755));
  put("file", "text");
  put("bound", "text");
  CHECK(symlink("d", "link") == 0 && symlink("nowhere", "dangling") == 0 && symlink("loop", "loop") == 0);
  CHECK_OK(mount("none", "mnt", "tmpfs", 0, NULL));
  CHECK_OK(mkdir("mnt/sub", 0755));
  put("mnt/file", "text");
  CHECK_OK(mount("file", "bound", NULL, MS_BIND, NULL));
  attempts("root");
  pid_t child = fork();
  if (child == 0) {
    if (setresuid(1000, 1000, 1000)) _exit(9);
    attempts("user");
    _exit(0);
  }
  int status;
  CHECK(waitpid(child, &status, 0) == child && status == 0);
  // What was made unbindable.
  CHECK_OK(mount(NULL, top, NULL, MS_PRIVATE | MS_REC, NULL));
  here();
  kernels_own();
  reports();
  CHECK_OK(chdir(".."));
  CHECK_OK(umount2("m", MNT_DETACH));
  CHECK_END();
}
