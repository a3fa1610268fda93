// Random sequences of file operations, made from seeds: the same seed gives the same calls, so what Linux answers is
// what the guest has to answer. Prints one line per sequence with a hash over every result, errno and the tree that is
// left; with -v every call.
//
//   file-model [-v] [-i] [-o] [-s FIRST] [-n SEQUENCES] [-l CALLS] [-p TREES] [-x FEATURE,...] DIRECTORY
//
// -x leaves out what a file system does not have or does in a way of its own (see `features`). With -p sequence N
// starts in the tree TREES/N instead of an empty one, which is how a file system under an overlay is met. With -o the
// sequences work in an overlay, each on what another sequence has left in the lower layer: mount(2) is called. With -i
// inotify(7) watches, and its events belong to the answers.
//
// A sequence works on a few names, descriptors and mappings, so that operations meet each other: files that are removed
// while they are open, directories that are moved while they are listed, mappings of what is cut.
#include "../check.h"

#include <ctype.h>
#include <dirent.h>
#include <setjmp.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/uio.h>
#include <sys/xattr.h>

static struct {
  const char *name;
  int is_off;
} features[] = {
#define ATIME 0      // access times, which a server may keep otherwise
#define BLOCKS 1     // st_blocks
#define TMPFILE 2    // O_TMPFILE
#define FALLOCATE 3  // fallocate(2)
#define EXCHANGE 4   // RENAME_EXCHANGE
#define WHITEOUT 5   // RENAME_WHITEOUT
#define FIFO 6       // FIFOs, sockets, devices
#define HOLES 7      // SEEK_DATA and SEEK_HOLE
#define USERS 8      // calls as another user
#define XATTRS 9     // extended attributes
#define HUGE 10      // offsets beyond 16 TiB
#define DIRNLINK 11  // link counts of directories
#define TRUSTED 12   // extended attributes beside the user's
#define NLINK 14     // link counts of all files
#define EMPTY 13     // extended attributes without a value, which QEMU's 9P server takes for a removal
    {"atime", 0}, {"blocks", 0}, {"tmpfile", 0}, {"fallocate", 0}, {"exchange", 0}, {"whiteout", 0}, {"fifo", 0},
    {"holes", 0}, {"users", 0},  {"xattrs", 0},  {"huge", 0},      {"dirnlink", 0},
    {"trusted", 0}, {"empty", 0}, {"nlink", 0},
};
#define HAS(feature) (!features[feature].is_off)

static int is_verbose;
static unsigned long long state, hash;
/// A page of a mapping was read or copied that the file may not have: tmpfs gives it one, other file systems do
/// not. And tmpfs calls pages that fallocate(2) made holes until they are written.
static int are_pages_unclear;
/// A mapping was written to: only the first write after certain others changes the time of modification.
static int is_mtime_unclear;
/// A mapping continues another one of the file: where Linux can make one area of both, it does not note the access.
static int is_atime_unclear;
/// The sequence works in an overlay, or makes what will be its lower layer: without pages that are unclear, as they would
/// be copied.
static int is_overlaid, is_below;

static unsigned random_below(unsigned limit) {
  state ^= state >> 12, state ^= state << 25, state ^= state >> 27;
  return (unsigned)((state * 0x2545F4914F6CDD1DULL) >> 33) % limit;
}
#define PICK(array) (array)[random_below(sizeof(array) / sizeof *(array))]
#define CHANCE(one_in) (random_below(one_in) == 0)

static unsigned long long hash_more(unsigned long long sum, const void *bytes, size_t count) {
  for (size_t i = 0; i < count; i++) sum = (sum ^ ((const unsigned char *)bytes)[i]) * 0x100000001b3ULL;
  return sum;
}
#define HASH_START 0xcbf29ce484222325ULL

/// Adds text to the sequence's hash, and prints it if asked to.
__attribute__((format(printf, 1, 2))) static void trace(const char *format, ...) {
  char text[900];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  hash = hash_more(hash, text, strlen(text));
  if (is_verbose) say("%s", text);
}

/// A result as text: the number, or the errno's name.
static const char *result_text(long long result) {
  static char text[4][32];
  static int turn;
  char *place = text[turn++ & 3];
  if (result == -1)
    snprintf(place, 32, "%s", check_errno_name(errno));
  else
    snprintf(place, 32, "%lld", result);
  return place;
}
#define TRACE_RESULT(result, format, ...)                             \
  do {                                                                \
    long long traced = (result);                                      \
    const char *shown = result_text(traced);                          \
    trace(format " = %s", __VA_ARGS__, shown);                        \
  } while (0)

// MARK: What a sequence works on

#define SLOTS 6
static int slots[SLOTS];
static struct {
  char *start;
  size_t length;
  int is_private;
  long long offset;
  ino_t inode;
} mappings[3];
static int pipe_ends[2];
static unsigned char data[70000];

static const char *const plain_names[] = {"a", "b", "c", "d", "e", "d/f", "d/g", "e/f", "e/d", "e/d/h", "s", "d/s"};
static const char *const odd_names[] = {"a/",   "d/",      ".",       "d/.",  "e/..", "",        "d/../a", "missing/x",
                                        "a/x",  "s/f",     "..//t/b", "e//f", "./c",  "e/d/",    "d/s/f",  "s/"};
static const char *const targets[] = {"a", "d", "../a", "s", "missing", "d/f", ".", "e/d", "f"};
static const int sizes[] = {0, 1, 7, 100, 4095, 4096, 4097, 10000, 65536};
static const long long offsets[] = {0, 0, 1, 100, 4095, 4096, 4097, 8192, 12288, 20000, 100000, 5LL << 30};
static const unsigned modes[] = {0644, 0600, 0755, 0444, 0, 0777, 04755, 02755, 01777, 02644, 0111, 0222};
static const unsigned ids[] = {0, 1000, 2000, -1};

static const char *any_name(void) { return CHANCE(8) ? PICK(odd_names) : PICK(plain_names); }
/// A descriptor; mostly an open one.
static int any_slot(void) {
  int slot = (int)random_below(SLOTS);
  for (int i = 0; i < SLOTS && slots[slot] < 0 && !CHANCE(30); i++) slot = (slot + 1) % SLOTS;
  return slot;
}
static long long any_offset(void) {
  if (HAS(HUGE) && CHANCE(60)) return CHANCE(2) ? 0x7fffffffffffff00LL : 0x7ffffffffffff000LL;
  if (CHANCE(50)) return -1;
  return PICK(offsets);
}

/// A descriptor to look a name up from, and its name for the trace.
static int any_base(const char **shown) {
  static char text[16];
  if (!CHANCE(10)) {
    *shown = "cwd";
    return AT_FDCWD;
  }
  int slot = any_slot();
  snprintf(text, sizeof text, "[%d]", slot);
  *shown = text;
  return slots[slot];
}

static void fill_data(size_t count) {
  unsigned char byte = (unsigned char)random_below(255) + 1;
  for (size_t i = 0; i < count; i++) data[i] = (unsigned char)(byte + i / 97);
}

static const char *time_text(struct timespec time, char *place) {
  // Times that were set are small; those of the clock only show that they are.
  if (time.tv_sec < 1000000000)
    snprintf(place, 40, "%lld.%09ld", (long long)time.tv_sec, time.tv_nsec);
  else
    strcpy(place, "now");
  return place;
}

static void describe(const struct stat *status, char *place, size_t size) {
  char modified[40], accessed[40], links[24] = "", blocks[24] = "";
  if (HAS(NLINK) && (HAS(DIRNLINK) || !S_ISDIR(status->st_mode))) snprintf(links, 24, " links %lu", (unsigned long)status->st_nlink);
  if (HAS(BLOCKS) && !are_pages_unclear && S_ISREG(status->st_mode)) snprintf(blocks, 24, " blocks %lld",
      (long long)status->st_blocks);
  snprintf(place, size, "%06o %u:%u%s size %lld%s mtime %s atime %s", status->st_mode, status->st_uid, status->st_gid,
           links, S_ISDIR(status->st_mode) ? 0LL : (long long)status->st_size, blocks,
           is_mtime_unclear ? "-" : time_text(status->st_mtim, modified),
           HAS(ATIME) && !is_atime_unclear ? time_text(status->st_atim, accessed) : "-");
}

// MARK: Operations on names

static void keep(int slot, int fd) {
  if (fd < 0) return;
  if (slots[slot] >= 0) close(slots[slot]);
  slots[slot] = fd;
}

static void do_open(void) {
  static const int accesses[] = {O_RDONLY, O_WRONLY, O_RDWR, O_RDWR};
  static const int extra[] = {O_EXCL,   O_TRUNC,   O_APPEND, O_DIRECTORY, O_NOFOLLOW, O_PATH,
                              O_SYNC,   O_DSYNC,   O_NOATIME, O_CLOEXEC,  O_TRUNC,    O_CREAT};
  int flags = PICK(accesses) | O_NONBLOCK, slot = any_slot();
  if (CHANCE(2)) flags |= O_CREAT;
  while (CHANCE(3)) flags |= PICK(extra);
  const char *name = any_name(), *base;
  if (HAS(TMPFILE) && CHANCE(12)) flags = (flags & ~O_CREAT) | O_TMPFILE, name = CHANCE(2) ? "." : "d";
  int at = any_base(&base);
  unsigned mode = PICK(modes);
  if (CHANCE(6)) {
    static const unsigned long long resolves[] = {0, 1, 2, 4, 8, 16, 9, 64};
    struct {
      unsigned long long flags, mode, resolve;
    } how = {(unsigned)flags, flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? mode : 0, PICK(resolves)};
    int fd = (int)syscall(SYS_openat2, at, name, &how, sizeof how);
    TRACE_RESULT(fd < 0 ? -1 : 0, "[%d] openat2(%s, \"%s\", %#o, %#o, %llu)", slot, base, name, flags, mode,
        how.resolve);
    keep(slot, fd);
    return;
  }
  int fd = openat(at, name, flags, mode);
  TRACE_RESULT(fd < 0 ? -1 : 0, "[%d] openat(%s, \"%s\", %#o, %#o)", slot, base, name, flags, mode);
  keep(slot, fd);
}

static void do_rename(void) {
  static const unsigned kinds[] = {0, 0, 0, 0, 1, 2, 2, 4, 3, 5};
  unsigned flags = PICK(kinds);
  if ((flags & 2 && !HAS(EXCHANGE)) || (flags & 4 && !HAS(WHITEOUT))) flags = 0;
  const char *from = any_name(), *to = any_name();
  TRACE_RESULT(syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags), "rename(\"%s\", \"%s\", %u)", from, to,
      flags);
}

static void do_link(void) {
  const char *from = any_name(), *to = any_name();
  int flags = CHANCE(3) ? AT_SYMLINK_FOLLOW : 0;
  // Others may link what they do not own unless fs.protected_hardlinks forbids it, which is the machine's choice.
  if (geteuid()) return;
  if (CHANCE(5)) {
    char path[40];
    int slot = any_slot();
    if (CHANCE(2)) {
      TRACE_RESULT(linkat(slots[slot], "", AT_FDCWD, to, AT_EMPTY_PATH), "linkat([%d], \"%s\")", slot, to);
    } else {
      snprintf(path, sizeof path, "/proc/self/fd/%d", slots[slot]);
      TRACE_RESULT(linkat(AT_FDCWD, path, AT_FDCWD, to, AT_SYMLINK_FOLLOW), "linkat(fd of [%d], \"%s\")", slot, to);
    }
    return;
  }
  TRACE_RESULT(linkat(AT_FDCWD, from, AT_FDCWD, to, flags), "link(\"%s\", \"%s\", %d)", from, to, flags);
}

static void do_make(void) {
  const char *name = any_name();
  unsigned mode = PICK(modes);
  switch (random_below(HAS(FIFO) ? 8 : 6)) {
    case 0: case 1: case 2:
      TRACE_RESULT(mkdir(name, mode), "mkdir(\"%s\", %#o)", name, mode);
      break;
    case 3: case 4: {
      const char *target = CHANCE(20) ? "" : PICK(targets);
      TRACE_RESULT(symlink(target, name), "symlink(\"%s\", \"%s\")", target, name);
      break;
    }
    case 5:
      TRACE_RESULT(mknod(name, S_IFREG | mode, 0), "mknod(\"%s\", S_IFREG|%#o)", name, mode);
      break;
    default: {
      static const unsigned types[] = {S_IFIFO, S_IFIFO, S_IFSOCK, S_IFCHR, S_IFDIR, S_IFLNK, 0170000};
      unsigned type = PICK(types);
      TRACE_RESULT(mknod(name, type | mode, 0x103), "mknod(\"%s\", %#o)", name, type | mode);
    }
  }
}

static void do_remove(void) {
  const char *name = any_name();
  if (CHANCE(3))
    TRACE_RESULT(rmdir(name), "rmdir(\"%s\")", name);
  else
    TRACE_RESULT(unlink(name), "unlink(\"%s\")", name);
}

/// In an overlay, a removed file of the lower layer that is neither a regular file nor a directory would be copied under
/// its old name, where Linux puts it in the place of what has this name now.
static int is_left_out(int fd) {
  struct stat status;
  return is_overlaid && fstat(fd, &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode);
}

static void do_attributes(void) {
  const char *name = any_name();
  int slot = any_slot(), flags = CHANCE(3) ? AT_SYMLINK_NOFOLLOW : 0;
  unsigned mode = PICK(modes), uid = PICK(ids), gid = PICK(ids);
  static const struct timespec times[] = {{5, 0},        {1000, 123456789}, {0, UTIME_NOW}, {0, UTIME_OMIT},
                                          {-1, 1},       {999999999, 1},    {7, 1000000000}, {0, 0}};
  unsigned operation = random_below(6);
  // The choices that follow stay the same, whatever is left out.
  struct timespec new[2] = {times[0], times[0]};
  if (operation > 3) new[0] = PICK(times), new[1] = PICK(times);
  if (operation & 1 && is_left_out(slots[slot])) return;
  switch (operation) {
    case 0: TRACE_RESULT(chmod(name, mode), "chmod(\"%s\", %#o)", name, mode); break;
    case 1: TRACE_RESULT(fchmod(slots[slot], mode), "fchmod([%d], %#o)", slot, mode); break;
    case 2:
      TRACE_RESULT(fchownat(AT_FDCWD, name, uid, gid, flags), "chown(\"%s\", %d, %d, %d)", name, uid, gid, flags);
      break;
    case 3: TRACE_RESULT(fchown(slots[slot], uid, gid), "fchown([%d], %d, %d)", slot, uid, gid); break;
    case 4:
      TRACE_RESULT(utimensat(AT_FDCWD, name, new, flags), "utimensat(\"%s\", %lld.%ld, %lld.%ld, %d)", name,
                   (long long)new[0].tv_sec, new[0].tv_nsec, (long long)new[1].tv_sec, new[1].tv_nsec, flags);
      break;
    default:
      TRACE_RESULT(futimens(slots[slot], new), "futimens([%d], %lld.%ld, %lld.%ld)", slot, (long long)new[0].tv_sec,
                   new[0].tv_nsec, (long long)new[1].tv_sec, new[1].tv_nsec);
  }
}

static int compare_names(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/// The names of extended attributes, sorted, as one text.
static void attribute_names(ssize_t length, char *names, char *text, size_t size) {
  char *list[32];
  int count = 0;
  for (ssize_t i = 0; i < length && count < 32; i += (ssize_t)strlen(names + i) + 1)
    // What the machine's security modules add is not the file system's.
    if (strcmp(names + i, "security.selinux")) list[count++] = names + i;
  qsort(list, (size_t)count, sizeof *list, compare_names);
  text[0] = 0;
  for (int i = 0; i < count; i++) {
    strncat(text, list[i], size - strlen(text) - 1);
    strncat(text, " ", size - strlen(text) - 1);
  }
}

static void do_xattr(void) {
  static const char *const names[] = {"user.a", "user.b", "trusted.t", "security.s", "user.", "none", "user.a"};
  const char *name = any_name(), *attribute = PICK(names);
  if (!HAS(TRUSTED) && (attribute[0] == 't' || attribute[0] == 's')) attribute = "user.c";
  char value[2000], text[600];
  size_t length = CHANCE(5) ? 1500 : random_below(20);
  memset(value, 'v', sizeof value);
  int flags = CHANCE(3) ? XATTR_CREATE : CHANCE(3) ? XATTR_REPLACE : 0;
  if (length == 0 && !HAS(EMPTY)) length = 1;
  switch (random_below(5)) {
    case 0: case 1:
      TRACE_RESULT(lsetxattr(name, attribute, value, length, flags), "lsetxattr(\"%s\", %s, %zu, %d)", name, attribute,
          length, flags);
      break;
    case 2: {
      ssize_t result = getxattr(name, attribute, value, length);
      TRACE_RESULT(result, "getxattr(\"%s\", %s, %zu)", name, attribute, length);
      break;
    }
    case 3: TRACE_RESULT(removexattr(name, attribute), "removexattr(\"%s\", %s)", name, attribute); break;
    default: {
      ssize_t result = llistxattr(name, value, sizeof value);
      int error = errno;
      attribute_names(result, value, text, sizeof text);
      errno = error;
      TRACE_RESULT(result < 0 ? -1 : 0, "llistxattr(\"%s\") %s", name, text);
    }
  }
}

/// Lists an open directory: the names and types, sorted.
static void list(int fd, const char *shown) {
  char buffer[8192], *names[128], text[800] = "";
  static char copies[128][40];
  int count = 0;
  long length;
  while ((length = syscall(SYS_getdents64, fd, buffer, sizeof buffer)) > 0)
    for (long at = 0; at < length;) {
      const char *entry = buffer + at;
      unsigned short size;
      memcpy(&size, entry + 16, 2);
      if (count < 128) {
        snprintf(copies[count], 40, "%s:%d", entry + 19, entry[18]);
        names[count] = copies[count], count++;
      }
      at += size;
    }
  const char *result = result_text(length);
  qsort(names, (size_t)count, sizeof *names, compare_names);
  for (int i = 0; i < count; i++) {
    strncat(text, " ", sizeof text - strlen(text) - 1);
    strncat(text, names[i], sizeof text - strlen(text) - 1);
  }
  trace("getdents(%s)%s = %s", shown, text, result);
}

static void do_look(void) {
  const char *name = any_name(), *base;
  char text[300], target[100];
  struct stat status;
  int slot = any_slot(), flags = CHANCE(2) ? AT_SYMLINK_NOFOLLOW : 0;
  switch (random_below(6)) {
    case 0: case 1: {
      int at = any_base(&base), result = fstatat(at, name, &status, flags);
      if (result == 0) {
        describe(&status, text, sizeof text);
        trace("stat(%s, \"%s\", %d) %s", base, name, flags, text);
      } else {
        TRACE_RESULT(result, "stat(%s, \"%s\", %d)", base, name, flags);
      }
      break;
    }
    case 2:
      if (fstat(slots[slot], &status) == 0) {
        describe(&status, text, sizeof text);
        trace("fstat([%d]) %s", slot, text);
      }
      break;
    case 3: {
      int mode = (int)random_below(8);
      TRACE_RESULT(syscall(439, AT_FDCWD, name, mode, flags | (CHANCE(2) ? AT_EACCESS : 0)), "access(\"%s\", %d, %d)",
          name, mode, flags);
      break;
    }
    case 4: {
      ssize_t length = readlink(name, target, sizeof target);
      TRACE_RESULT(length, "readlink(\"%s\") \"%.*s\"", name, length < 0 ? 0 : (int)length, target);
      break;
    }
    default:
      snprintf(text, sizeof text, "[%d]", slot);
      TRACE_RESULT(lseek(slots[slot], 0, SEEK_SET), "lseek([%d], 0)", slot);
      list(slots[slot], text);
  }
}

// MARK: Operations on descriptors

static void do_read(void) {
  int slot = any_slot(), size = PICK(sizes);
  long long offset = any_offset(), result;
  memset(data, 0xee, sizeof data);
  struct iovec parts[3] = {{data, (size_t)size / 3}, {data + size / 3, 0}, {data + size / 3,
      (size_t)(size - size / 3)}};
  const char *how;
  switch (random_below(4)) {
    case 0: how = "read", result = read(slots[slot], data, (size_t)size), offset = 0; break;
    case 1: how = "readv", result = readv(slots[slot], parts, 3), offset = 0; break;
    case 2: how = "preadv2", result = syscall(SYS_preadv2, slots[slot], parts, 3L, offset, 0L, 0); break;
    default: how = "pread", result = pread(slots[slot], data, (size_t)size, offset);
  }
  unsigned long long sum = hash_more(HASH_START, data, result > 0 ? (size_t)result : 0);
  TRACE_RESULT(result, "%s([%d], %d, %lld) data %llx", how, slot, size, offset, sum);
}

static void do_write(void) {
  int slot = any_slot(), size = PICK(sizes);
  long long offset = any_offset(), result;
  fill_data((size_t)size);
  struct iovec parts[3] = {{data, (size_t)size / 3}, {data + size / 3, 0}, {data + size / 3,
      (size_t)(size - size / 3)}};
  const char *how;
  switch (random_below(5)) {
    case 0: how = "write", result = write(slots[slot], data, (size_t)size), offset = 0; break;
    case 1: how = "writev", result = writev(slots[slot], parts, 3), offset = 0; break;
    case 2: {
      int flags = CHANCE(3) ? 0x10 : 0;  // RWF_APPEND
      how = flags ? "pwritev2-append" : "pwritev2";
      result = syscall(SYS_pwritev2, slots[slot], parts, 3L, offset, 0L, flags);
      break;
    }
    default: how = "pwrite", result = pwrite(slots[slot], data, (size_t)size, offset);
  }
  TRACE_RESULT(result, "%s([%d], %d, %lld)", how, slot, size, offset);
}

static void do_seek(void) {
  static const int whences[] = {SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE, 9};
  int whence = PICK(whences), slot = any_slot();
  struct stat status;
  // A position in a directory is a file system's own.
  if (fstat(slots[slot], &status) == 0 && S_ISDIR(status.st_mode)) return;
  if (!HAS(HOLES) || are_pages_unclear || status.st_size > 1LL << 50)
    if (whence == SEEK_DATA || whence == SEEK_HOLE) whence = SEEK_END;
  long long offset = any_offset();
  TRACE_RESULT(lseek(slots[slot], offset, whence), "lseek([%d], %lld, %d)", slot, offset, whence);
}

static void do_size(void) {
  int slot = any_slot();
  long long size = any_offset();
  const char *name = any_name();
  if (HAS(FALLOCATE) && CHANCE(2)) {
    static const int kinds[] = {0, 1, 3, 0x10, 0x11, 2, 8, 0x20, 0x40, 0x13};
    int mode = PICK(kinds);
    long long count = CHANCE(10) ? 0 : PICK(sizes);
    if (size > 1 << 20) size = 4096;
    if (is_below && mode < 2) return;
    are_pages_unclear |= mode < 2;
    TRACE_RESULT(fallocate(slots[slot], mode, size, count), "fallocate([%d], %#x, %lld, %lld)", slot, mode, size,
        count);
  } else if (CHANCE(2)) {
    TRACE_RESULT(truncate(name, size), "truncate(\"%s\", %lld)", name, size);
  } else {
    TRACE_RESULT(ftruncate(slots[slot], size), "ftruncate([%d], %lld)", slot, size);
  }
}

static void do_descriptor(void) {
  int slot = any_slot(), other = any_slot();
  switch (random_below(6)) {
    case 0: case 1:
      TRACE_RESULT(slots[slot] < 0 ? 0 : close(slots[slot]), "close([%d])", slot);
      slots[slot] = -1;
      break;
    case 2: {
      int fd = dup(slots[slot]);
      TRACE_RESULT(fd < 0 ? -1 : 0, "[%d] dup([%d])", other, slot);
      keep(other, fd);
      break;
    }
    case 3: {
      static const int kinds[] = {O_APPEND, O_NONBLOCK, O_NONBLOCK | O_APPEND, O_NONBLOCK | O_NOATIME};
      int flags = PICK(kinds) | O_NONBLOCK;
      TRACE_RESULT(fcntl(slots[slot], F_SETFL, flags), "fcntl([%d], F_SETFL, %#o)", slot, flags);
      break;
    }
    case 4: TRACE_RESULT(fcntl(slots[slot], F_GETFL), "fcntl([%d], F_GETFL)", slot); break;
    default:
      switch (random_below(4)) {
        case 0: TRACE_RESULT(fsync(slots[slot]), "fsync([%d])", slot); break;
        case 1: TRACE_RESULT(fdatasync(slots[slot]), "fdatasync([%d])", slot); break;
        case 2: {
          long long offset = any_offset();
          unsigned flags = random_below(9);
          TRACE_RESULT(syscall(SYS_sync_file_range, slots[slot], offset, 100L, flags),
              "sync_file_range([%d], %lld, %u)", slot, offset, flags);
          break;
        }
        default: TRACE_RESULT(readahead(slots[slot], 0, 4096), "readahead([%d])", slot);
      }
  }
}

static void do_copy(void) {
  int from = any_slot(), to = any_slot(), size = PICK(sizes);
  off_t source = any_offset(), target = any_offset();
  off_t *source_place = CHANCE(2) ? &source : 0, *target_place = CHANCE(2) ? &target : 0;
  if (CHANCE(2)) {
    ssize_t result = copy_file_range(slots[from], source_place, slots[to], target_place, (size_t)size, 0);
    TRACE_RESULT(result, "copy_file_range([%d], %s%lld, [%d], %s%lld, %d)", from, source_place ? "at " : "- ",
                 source_place ? (long long)source : 0, to, target_place ? "at " : "- ",
                     target_place ? (long long)target : 0, size);
    // Linux does not note it in an overlay.
    is_atime_unclear |= is_overlaid && result > 0;
    return;
  }
  // On its way Linux holds the file's own pages, which a copy to the same file would change while it reads them.
  struct stat one, other;
  if (fstat(slots[from], &one) || fstat(slots[to], &other) || one.st_ino == other.st_ino) return;
  if (CHANCE(2)) {
    ssize_t result = sendfile(slots[to], slots[from], source_place, (size_t)size);
    TRACE_RESULT(result, "sendfile([%d], [%d], %s%lld, %d)", to, from, source_place ? "at " : "- ",
        source_place ? (long long)source : 0, size);
  } else {
    ssize_t result = splice(slots[from], source_place, pipe_ends[1], 0, (size_t)size, SPLICE_F_NONBLOCK);
    TRACE_RESULT(result, "splice([%d], %s, pipe, %d)", from, source_place ? "at" : "-", size);
    if (result > 0) {
      ssize_t moved = splice(pipe_ends[0], 0, slots[to], target_place, (size_t)result, SPLICE_F_NONBLOCK);
      TRACE_RESULT(moved, "splice(pipe, [%d], %s, %zd)", to, target_place ? "at" : "-", result);
    }
    while (read(pipe_ends[0], data, sizeof data) > 0) {}
  }
}

static void do_lock(void) {
  static const short types[] = {F_RDLCK, F_WRLCK, F_UNLCK};
  static const int commands[] = {F_SETLK, F_GETLK, F_OFD_SETLK, F_OFD_GETLK};
  static const int flocks[] = {LOCK_SH | LOCK_NB, LOCK_EX | LOCK_NB, LOCK_UN, LOCK_EX | LOCK_NB, LOCK_NB};
  int slot = any_slot();
  if (CHANCE(3)) {
    int kind = PICK(flocks);
    TRACE_RESULT(flock(slots[slot], kind), "flock([%d], %d)", slot, kind);
    return;
  }
  struct flock lock = {.l_type = PICK(types), .l_whence = CHANCE(5) ? SEEK_END : SEEK_SET,
      .l_start = random_below(6) * 10, .l_len = random_below(4) * 10};
  if (CHANCE(8)) lock.l_len = -5;
  int command = PICK(commands);
  struct flock given = lock;
  int result = fcntl(slots[slot], command, &lock);
  TRACE_RESULT(result, "fcntl([%d], %d, %d %d %lld+%lld) %d %lld+%lld %s", slot, command, given.l_type, given.l_whence,
               (long long)given.l_start, (long long)given.l_len, lock.l_type, (long long)lock.l_start,
                   (long long)lock.l_len,
               lock.l_pid == getpid() ? "own" : lock.l_pid == 0 ? "0" : lock.l_pid == -1 ? "-1" : "other");
}

// MARK: Mappings

static sigjmp_buf fault;
static void on_fault(int number) { siglongjmp(fault, number); }

static void do_map(void) {
  unsigned which = random_below(3);
  if (!mappings[which].start) {
    static const int kinds[] = {MAP_SHARED, MAP_SHARED, MAP_PRIVATE, MAP_SHARED_VALIDATE};
    static const int protections[] = {PROT_READ, PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE, PROT_WRITE, PROT_NONE};
    int slot = any_slot(), protection = PICK(protections), kind = PICK(kinds);
    size_t length = 4096u * (1 + random_below(4));
    long long offset = 4096LL * random_below(3);
    if (CHANCE(20)) offset += 1;
    char *start = mmap(0, length, protection, kind, slots[slot], offset);
    TRACE_RESULT(start == MAP_FAILED ? -1 : 0, "{%u} mmap([%d], %zu, %d, %d, %lld)", which, slot, length, protection,
        kind, offset);
    if (start == MAP_FAILED) return;
    struct stat status;
    fstat(slots[slot], &status);
    mappings[which].start = start, mappings[which].length = length;
    mappings[which].is_private = kind == MAP_PRIVATE;
    mappings[which].offset = offset, mappings[which].inode = status.st_ino;
    for (int i = 0; i < 3; i++)
      is_atime_unclear |= mappings[i].start && mappings[i].inode == status.st_ino &&
          (mappings[i].offset + (long long)mappings[i].length == offset ||
           offset + (long long)length == mappings[i].offset);
    return;
  }
  char *start = mappings[which].start;
  size_t length = mappings[which].length;
  volatile char *page = start + 4096 * random_below((unsigned)(length / 4096));
  switch (random_below(5)) {
    case 0:
      munmap(start, length);
      mappings[which].start = 0;
      trace("munmap({%u})", which);
      break;
    case 1: TRACE_RESULT(msync(start, length, CHANCE(2) ? MS_SYNC : MS_ASYNC), "msync({%u})", which); break;
    case 2: {
      // The first byte: behind the file's end in the same page it is for nobody to say what happens.
      int number = sigsetjmp(fault, 1);
      unsigned char byte = 0;
      are_pages_unclear = 1;
      if (number == 0) byte = (unsigned char)*page;
      trace("load({%u}+%zu) = %d signal %d", which, (size_t)(page - start), byte, number);
      break;
    }
    default: {
      int number = sigsetjmp(fault, 1);
      char byte = (char)random_below(100);
      are_pages_unclear |= mappings[which].is_private, is_mtime_unclear |= !mappings[which].is_private;
      if (number == 0) *page = byte;
      trace("store({%u}+%zu) signal %d", which, (size_t)(page - start), number);
    }
  }
}

static void do_become(void) {
  if (!HAS(USERS)) return;
  uid_t user = CHANCE(2) ? 0 : 1000;
  if (geteuid() == user) return;
  if (user) {
    setegid(1000), seteuid(user);
  } else {
    seteuid(0), setegid(0);
  }
  trace("user %u", user);
}

// MARK: A sequence

static void show_file(const char *path) {
  int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOATIME);
  if (fd < 0) {
    TRACE_RESULT(-1, "  open \"%s\"", path);
    return;
  }
  unsigned long long sum = HASH_START;
  ssize_t length;
  for (long long at = 0; at < 300000 && (length = pread(fd, data, 65536, at)) > 0; at += length)
    sum = hash_more(sum, data, (size_t)length);
  close(fd);
  trace("  content %llx", sum);
}

static void show_tree(const char *directory) {
  struct dirent **entries;
  int count = scandir(directory, &entries, 0, alphasort);
  for (int i = 0; i < count; i++) {
    const char *name = entries[i]->d_name;
    if (strcmp(name, ".") && strcmp(name, "..")) {
      char path[300], text[300], names[2000], target[100];
      struct stat status;
      snprintf(path, sizeof path, "%s/%s", directory, name);
      if (lstat(path, &status)) {
        TRACE_RESULT(-1, "lstat \"%s\"", path);
      } else {
        describe(&status, text, sizeof text);
        trace("%s %s", path, text);
        if (S_ISREG(status.st_mode)) show_file(path);
        if (S_ISLNK(status.st_mode)) {
          ssize_t length = readlink(path, target, sizeof target);
          trace("  to %.*s", length < 0 ? 0 : (int)length, target);
        }
        if (HAS(XATTRS)) {
          ssize_t length = llistxattr(path, names, sizeof names);
          attribute_names(length, names, text, sizeof text);
          trace("  attributes %s", text);
        }
        if (S_ISDIR(status.st_mode)) show_tree(path);
      }
    }
    free(entries[i]);
  }
  if (count >= 0) free(entries);
}

static void remove_tree(const char *directory) {
  DIR *stream = opendir(directory);
  if (!stream) return;
  struct dirent *entry;
  while ((entry = readdir(stream))) {
    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
    char path[300];
    struct stat status;
    snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
    if (lstat(path, &status) == 0 && S_ISDIR(status.st_mode)) remove_tree(path);
    else unlink(path);
  }
  closedir(stream);
  if (rmdir(directory)) trace("rmdir(%s) leaves something: %s", directory, result_text(-1));
}

/// Makes the files that most names lead to, so that few calls end with ENOENT.
static void prepare(void) {
  static const char *const directories[] = {"d", "e", "e/d"}, *const files[] = {"a", "b", "d/f", "e/f"};
  for (int i = 0; i < 3; i++) TRACE_RESULT(mkdir(directories[i], 0777), "mkdir(\"%s\")", directories[i]);
  for (int i = 0; i < 4; i++) {
    int fd = open(files[i], O_RDWR | O_CREAT | O_NONBLOCK, 0666);
    size_t size = (size_t)PICK(sizes);
    fill_data(size);
    TRACE_RESULT(write(fd, data, size), "write(\"%s\", %zu)", files[i], size);
    keep(i, fd);
  }
}

static int is_watching, watcher = -1;

static void watch(void) {
  static const char *const watched[] = {".", "d", "e", "e/d", "a", "b", "d/f", "e/f"};
  watcher = inotify_init1(IN_NONBLOCK);
  for (int i = 0; i < 8; i++) inotify_add_watch(watcher, watched[i], IN_ALL_EVENTS | IN_DONT_FOLLOW);
}

/// Adds the events since the last call to the trace. A cookie shows only whether it is the one before.
static void show_events(void) {
  static _Alignas(struct inotify_event) char events[65536];
  ssize_t length;
  unsigned last = 0;
  while ((length = read(watcher, events, sizeof events)) > 0)
    for (ssize_t at = 0; at < length;) {
      const struct inotify_event *event = (const void *)(events + at);
      trace("  event of %d: %#x%s %s", event->wd, event->mask, !event->cookie ? "" : event->cookie == last ? " and" : " from",
            // A file without a name goes by its number.
            !event->len ? "" : event->name[0] == '#' ? "#" : event->name);
      last = event->cookie;
      at += (ssize_t)(sizeof *event + event->len);
    }
}

static void do_watch(void) {
  static const unsigned masks[] = {IN_ALL_EVENTS, IN_MODIFY, IN_CREATE | IN_DELETE, IN_ALL_EVENTS | IN_ONESHOT,
                                   IN_ATTRIB | IN_MASK_ADD, IN_ALL_EVENTS | IN_EXCL_UNLINK, IN_OPEN | IN_MASK_CREATE,
                                   IN_MOVE | IN_ONLYDIR, IN_ACCESS | IN_DONT_FOLLOW, 0};
  const char *name = any_name();
  unsigned mask = PICK(masks);
  if (CHANCE(3)) {
    int wd = (int)random_below(12);
    TRACE_RESULT(inotify_rm_watch(watcher, wd), "inotify_rm_watch(%d)", wd);
  } else {
    TRACE_RESULT(inotify_add_watch(watcher, name, mask), "inotify_add_watch(\"%s\", %#x)", name, mask);
  }
}

static void (*const operations[])(void) = {
    do_open,  do_open,       do_open,  do_open, do_open,       do_rename, do_rename, do_link, do_make,
    do_make,  do_remove,     do_remove, do_attributes, do_attributes, do_look, do_look,   do_look, do_read,
    do_read,  do_write,      do_write, do_write, do_write,     do_seek,   do_seek,   do_size, do_size,
    do_descriptor, do_descriptor, do_copy, do_lock, do_lock, do_map, do_map, do_map, do_become, do_xattr, do_xattr,
};

static void run(unsigned long long seed, int calls) {
  state = (seed + 1) * 0x9E3779B97F4A7C15ULL, hash = HASH_START;
  are_pages_unclear = is_mtime_unclear = is_atime_unclear = 0;
  for (int i = 0; i < SLOTS; i++) slots[i] = -1;
  prepare();
  if (is_watching) watch();
  for (int i = 0; i < calls; i++) {
    void (*operation)(void) = PICK(operations);
    if (is_watching && CHANCE(20)) operation = do_watch;
    if (operation == do_xattr && !HAS(XATTRS)) continue;
    if (operation == do_map && is_below) continue;
    operation();
    if (is_watching) show_events();
  }
  seteuid(0), setegid(0);
  for (int i = 0; i < SLOTS; i++)
    if (slots[i] >= 0) {
      char text[300];
      struct stat status;
      fstat(slots[i], &status);
      describe(&status, text, sizeof text);
      trace("[%d] at %lld %s", i, S_ISDIR(status.st_mode) ? 0LL : (long long)lseek(slots[i], 0, SEEK_CUR), text);
      close(slots[i]);
    }
  for (int i = 0; i < 3; i++)
    if (mappings[i].start) munmap(mappings[i].start, mappings[i].length), mappings[i].start = 0;
  if (is_watching) show_events(), close(watcher);
  show_tree(".");
}

/// Mounts an overlay at o/merged of this directory; whatever is in its lower layer, sequences have made.
static int make_overlay(unsigned long long first, unsigned long long sequences, int calls) {
  static const char *const directories[] = {"o/lower", "o/upper", "o/work", "o/merged"};
  if (mkdir("o", 0777) || mount("none", "o", "tmpfs", 0, "size=64m,mode=777")) return 0;
  for (int i = 0; i < 4; i++)
    if (mkdir(directories[i], 0777)) return 0;
  is_below = 1;
  for (unsigned long long seed = first; seed < first + sequences; seed++) {
    char place[300];
    snprintf(place, sizeof place, "o/lower/%llu", seed);
    if (mkdir(place, 0777) || mkdir(strcat(place, "/t"), 01777) || chdir(place)) return 0;
    run(seed + (1ull << 40), calls);
    if (chdir("../../../..")) return 0;
  }
  is_below = 0;
  return mount("overlay", "o/merged", "overlay", 0, "lowerdir=o/lower,upperdir=o/upper,workdir=o/work") == 0;
}

int main(int count, char **arguments) {
  unsigned long long first = 0, sequences = 100;
  int calls = 60, option;
  const char *trees = 0;
  while ((option = getopt(count, arguments, "vios:n:l:p:x:")) != -1) switch (option) {
      case 'v': is_verbose = 1; break;
      case 'o': is_overlaid = 1; break;
      case 'i': is_watching = 1; break;
      case 's': first = strtoull(optarg, 0, 10); break;
      case 'n': sequences = strtoull(optarg, 0, 10); break;
      case 'l': calls = atoi(optarg); break;
      case 'p': trees = optarg; break;
      case 'x':
        for (char *name = strtok(optarg, ","); name; name = strtok(0, ",")) {
          size_t i = 0;
          while (i < sizeof features / sizeof *features && strcmp(features[i].name, name)) i++;
          if (i == sizeof features / sizeof *features) {
            say("no feature %s", name);
            return 2;
          }
          features[i].is_off = 1;
        }
        break;
      default: return 2;
    }
  if (optind != count - 1 || chdir(arguments[optind])) {
    say("file-model [-v] [-i] [-o] [-s FIRST] [-n SEQUENCES] [-l CALLS] [-p TREES] [-x FEATURE,...] DIRECTORY");
    return 2;
  }
  umask(0);
  signal(SIGPIPE, SIG_IGN), signal(SIGBUS, on_fault), signal(SIGSEGV, on_fault), signal(SIGXFSZ, SIG_IGN);
  pipe2(pipe_ends, O_NONBLOCK);
  fcntl(pipe_ends[0], F_SETPIPE_SZ, 1 << 20);
  if (is_overlaid) {
    if (!make_overlay(first, sequences, calls)) return say("no overlay: %s", check_errno_name(errno)), 1;
    trees = "o/merged";
  }
  for (unsigned long long seed = first; seed < first + sequences; seed++) {
    // One directory deeper than would do: links lead upwards from where they are moved to.
    char place[300] = "m/t";
    if (trees) snprintf(place, sizeof place, "%s/%llu/t", trees, seed);
    else if (mkdir("m", 0777) || mkdir(place, 01777)) return say("mkdir: %s", check_errno_name(errno)), 1;
    if (chdir(place)) return say("chdir: %s", check_errno_name(errno)), 1;
    run(seed, calls);
    if (chdir(arguments[optind])) return 1;
    place[strlen(place) - 2] = 0;
    remove_tree(place);
    say("%llu %016llx", seed, hash);
  }
  if (is_overlaid && (umount2("o/merged", 0) || umount2("o", 0))) say("umount: %s", check_errno_name(errno));
  return 0;
}
