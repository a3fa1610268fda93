// mmap, munmap, mprotect, madvise, mincore: results, errors, contents, and the shape of the map afterwards.
#include "../check.h"

#include <sys/uio.h>

#define PAGE 4096ul

/// Prints what /proc/self/maps has between two addresses, relative to the first.
static void show_map(const char *title, char *start, size_t pages) {
  static char text[65536];
  int fd = open("/proc/self/maps", O_RDONLY);
  size_t length = 0;
  for (ssize_t n; (n = read(fd, text + length, sizeof text - 1 - length)) > 0;) length += (size_t)n;
  close(fd);
  text[length] = 0;
  say("%s:", title);
  for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
    unsigned long from, to;
    char access[5];
    if (sscanf(line, "%lx-%lx %4s", &from, &to, access) != 3) continue;
    if (to <= (uintptr_t)start || from >= (uintptr_t)start + pages * PAGE) continue;
    long first = ((long)from - (long)start) / (long)PAGE, last = ((long)to - (long)start) / (long)PAGE;
    say("  %ld-%ld %s", first < 0 ? 0 : first, last > (long)pages ? (long)pages : last, access);
  }
}

/// Reserves address space with a hole on each side, so that nothing merges with it.
static char *reserve(size_t pages) {
  char *all = mmap(NULL, (pages + 2) * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  munmap(all, PAGE);
  munmap(all + (pages + 1) * PAGE, PAGE);
  return all + PAGE;
}

static void anonymous(void) {
  char *area = mmap(NULL, 10 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(area != MAP_FAILED);
  CHECK_EQ((uintptr_t)area % PAGE, 0);
  int sum = 0;
  for (size_t i = 0; i < 10 * PAGE; i++) sum |= area[i];
  CHECK_EQ(sum, 0);
  memset(area, 7, 10 * PAGE);
  CHECK_EQ(munmap(area + PAGE, PAGE), 0);
  CHECK_EQ(area[0], 7);
  CHECK_EQ(area[2 * PAGE], 7);
  show_map("a hole at 1", area, 5);
  CHECK_EQ(munmap(area, 10 * PAGE), 0);
  CHECK_EQ(munmap(area, 10 * PAGE), 0);
  CHECK_ERRNO(munmap(area, 0), EINVAL);
  CHECK_ERRNO(munmap(area + 1, PAGE), EINVAL);
  CHECK_ERRNO(munmap((void *)(1ul << 63), PAGE), EINVAL);
  CHECK_ERRNO(munmap(area, (size_t)-PAGE), EINVAL);
}

static void errors(void) {
  int fd = open("/tmp/errors", O_RDWR | O_CREAT | O_TRUNC, 0644), reader = open("/tmp/errors", O_RDONLY);
  int writer = open("/tmp/errors", O_WRONLY), directory = open("/tmp", O_RDONLY | O_DIRECTORY);
  int private = MAP_PRIVATE | MAP_ANONYMOUS;
  CHECK_ERRNO((long)mmap(NULL, 0, PROT_READ, private, -1, 0), EINVAL);
  CHECK_ERRNO((long)mmap(NULL, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0), EINVAL);
  CHECK_ERRNO((long)mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, -1, 0), EBADF);
  CHECK_ERRNO((long)mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, 99, 0), EBADF);
  CHECK_ERRNO((long)mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 1), EINVAL);
  CHECK_ERRNO((long)mmap((void *)1, PAGE, PROT_READ, private | MAP_FIXED, -1, 0), EINVAL);
  CHECK_ERRNO((long)mmap(NULL, 1ul << 62, PROT_READ, private, -1, 0), ENOMEM);
  CHECK_ERRNO((long)mmap(NULL, (size_t)-1, PROT_READ, private, -1, 0), ENOMEM);
  CHECK_ERRNO((long)mmap((void *)(1ul << 47), PAGE, PROT_READ, private | MAP_FIXED, -1, 0), ENOMEM);
  CHECK_ERRNO((long)mmap((void *)(-PAGE), PAGE, PROT_READ, private | MAP_FIXED, -1, 0), ENOMEM);
  CHECK_ERRNO((long)mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, reader, 0), EACCES);
  CHECK_ERRNO((long)mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, writer, 0), EACCES);
  CHECK_ERRNO((long)mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, directory, 0), ENODEV);
  CHECK_ERRNO((long)mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, fd, (off_t)(-PAGE)), EOVERFLOW);
  char *area = reserve(2);
  CHECK_ERRNO((long)mmap(area, PAGE, PROT_READ, private | MAP_FIXED_NOREPLACE, -1, 0), EEXIST);
  CHECK_RAW(EINVAL, SYS_mprotect, area + 1, PAGE, PROT_READ);
  CHECK_ERRNO(mprotect(area, 3 * PAGE, PROT_READ), ENOMEM);
  CHECK_ERRNO(mprotect(area, PAGE, 0x100), EINVAL);
  CHECK_OK(mprotect(area, 0, PROT_READ));
  CHECK_ERRNO(madvise(area, PAGE, 12345), EINVAL);
  CHECK_ERRNO(madvise(area + 1, PAGE, MADV_DONTNEED), EINVAL);
  CHECK_ERRNO(madvise(area, 3 * PAGE, MADV_DONTNEED), ENOMEM);
  CHECK_OK(madvise(area, 0, MADV_DONTNEED));
  CHECK_ERRNO(msync(area, PAGE, 0x80), EINVAL);
  CHECK_ERRNO(msync(area, PAGE, MS_SYNC | MS_ASYNC), EINVAL);
  CHECK_ERRNO(msync(area, 3 * PAGE, MS_SYNC), ENOMEM);
  char *shared = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, reader, 0);
  CHECK_ERRNO(mprotect(shared, PAGE, PROT_READ | PROT_WRITE), EACCES);
  unsigned char present[4];
  munmap(area + PAGE, PAGE);
  CHECK_ERRNO(mincore(area + 1, PAGE, present), EINVAL);
  CHECK_ERRNO(mincore(area, 2 * PAGE, present), ENOMEM);
  close(fd), close(reader), close(writer), close(directory);
  unlink("/tmp/errors");
}

static void placement(void) {
  char *area = reserve(8);
  munmap(area, 8 * PAGE);
  int private = MAP_PRIVATE | MAP_ANONYMOUS;
  CHECK_THAT("a free hint is taken", mmap(area, PAGE, PROT_READ, private, -1, 0) == area);
  CHECK_THAT("a hint is rounded down to its page",
             mmap(area + 2 * PAGE + 5, PAGE, PROT_READ, private, -1, 0) == area + 2 * PAGE);
  CHECK_THAT("a hint that is taken is not used", mmap(area, PAGE, PROT_READ, private, -1, 0) != area);
  CHECK_THAT("NOREPLACE takes free space",
             mmap(area + 4 * PAGE, PAGE, PROT_READ, private | MAP_FIXED_NOREPLACE, -1, 0) == area + 4 * PAGE);
  char *fixed = mmap(area, 8 * PAGE, PROT_READ | PROT_WRITE, private | MAP_FIXED, -1, 0);
  CHECK(fixed == area);
  area[0] = 1, area[3 * PAGE] = 1;
  CHECK_THAT("FIXED replaces what was there",
             mmap(area + 3 * PAGE, PAGE, PROT_READ, private | MAP_FIXED, -1, 0) == area + 3 * PAGE);
  CHECK_EQ(area[3 * PAGE], 0);
  CHECK_EQ(area[0], 1);
  char *first = mmap(NULL, PAGE, PROT_READ, private, -1, 0), *second = mmap(NULL, PAGE, PROT_READ, private, -1, 0);
  CHECK_THAT("mappings are laid top down, next to each other", second + PAGE == first || second != first);
  CHECK_THAT("MAP_32BIT lies in the low two gigabytes",
             (uintptr_t)mmap(NULL, PAGE, PROT_READ, private | MAP_32BIT, -1, 0) < 1ul << 31);
  CHECK_THAT("MAP_STACK, NORESERVE, POPULATE are taken",
             mmap(NULL, PAGE, PROT_READ, private | MAP_STACK | MAP_NORESERVE | MAP_POPULATE, -1, 0) != MAP_FAILED);
  char *huge = mmap(NULL, 1ul << 36, PROT_READ | PROT_WRITE, private | MAP_NORESERVE, -1, 0);
  CHECK_THAT("64 GiB of address space without reserve", huge != MAP_FAILED);
  huge[(1ul << 36) - 1] = 5;
  CHECK_EQ(huge[(1ul << 36) - 1] + huge[1ul << 35], 5);
  CHECK_EQ(munmap(huge, 1ul << 36), 0);
}

static void shapes(void) {
  char *area = reserve(12);
  show_map("reserved", area, 12);
  mprotect(area + 2 * PAGE, 4 * PAGE, PROT_READ | PROT_WRITE);
  show_map("2 to 6 writable", area, 12);
  mprotect(area + 3 * PAGE, PAGE, PROT_READ);
  show_map("3 read-only", area, 12);
  mprotect(area + 3 * PAGE, PAGE, PROT_READ | PROT_WRITE);
  show_map("3 writable again: merged", area, 12);
  munmap(area + 4 * PAGE, PAGE);
  show_map("4 gone", area, 12);
  // With the same flags as its neighbours, accounting included, or Linux does not merge them.
  mmap(area + 4 * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  show_map("4 back", area, 12);
  mprotect(area + 8 * PAGE, 4 * PAGE, PROT_READ | PROT_EXEC);
  mprotect(area, 12 * PAGE, PROT_READ);
  show_map("all read-only", area, 12);
  mmap(area + 5 * PAGE, 2 * PAGE, PROT_READ, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  show_map("5 and 6 shared", area, 12);
  munmap(area + PAGE, 10 * PAGE);
  show_map("the middle gone", area, 12);
  munmap(area, 12 * PAGE);
  show_map("all gone", area, 12);
}

static void files(void) {
  char text[3 * PAGE];
  for (size_t i = 0; i < sizeof text; i++) text[i] = (char)('a' + i / PAGE);
  int fd = open("/tmp/mapped", O_RDWR | O_CREAT | O_TRUNC, 0644);
  write(fd, text, 2 * PAGE + 100);

  char *copy = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  CHECK_EQ(copy[0], 'a');
  CHECK_EQ(copy[2 * PAGE + 99], 'c');
  CHECK_EQ(copy[2 * PAGE + 100], 0);
  CHECK_EQ(copy[3 * PAGE - 1], 0);
  copy[10] = 'X';
  char byte;
  pread(fd, &byte, 1, 10);
  CHECK_THAT("a write to a private mapping stays out of the file", byte == 'a');
  pwrite(fd, "Y", 1, 11);
  CHECK_EQ(copy[10], 'X');
  CHECK_THAT("a copied page no longer follows the file", copy[11] == 'a');
  CHECK_THAT("an uncopied page does", (pwrite(fd, "Z", 1, PAGE), copy[PAGE]) == 'Z');
  CHECK_OK(madvise(copy, PAGE, MADV_DONTNEED));
  CHECK_THAT("DONTNEED on a private file page gives the file's again", copy[10] == 'a' && copy[11] == 'Y');

  char *shared = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  char *again = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, PAGE);
  shared[20] = 'S', shared[PAGE + 1] = 'T';
  pread(fd, &byte, 1, 20);
  CHECK_THAT("read sees a write through a shared mapping", byte == 'S');
  CHECK_THAT("another mapping sees it", again[1] == 'T');
  CHECK_THAT("a shared mapping sees write", (pwrite(fd, "U", 1, 30), shared[30]) == 'U');
  CHECK_OK(msync(shared, 2 * PAGE, MS_SYNC));
  close(fd);
  CHECK_THAT("a mapping outlives its descriptor", shared[20] == 'S');
  unlink("/tmp/mapped");
  CHECK_THAT("and its file's name", shared[20] == 'S');
  shared[21] = 'V';
  CHECK_EQ(shared[21], 'V');

  // The offset selects the page; read directly into and out of mappings.
  fd = open("/tmp/other", O_RDWR | O_CREAT | O_TRUNC, 0644);
  write(fd, text, sizeof text);
  char *tail = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 2 * PAGE);
  CHECK_EQ(tail[0], 'c');
  shared = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  CHECK_EQ(pread(fd, shared, 100, PAGE), 100);
  CHECK_THAT("read into a mapping of the same file", shared[0] == 'b' && shared[100] == 'a');
  CHECK_EQ(pwrite(fd, shared + 2 * PAGE, 50, 0), 50);
  CHECK_THAT("write from a mapping of the same file", shared[0] == 'c' && shared[50] == 'b');
  CHECK_EQ(ftruncate(fd, PAGE), 0);
  CHECK_EQ(ftruncate(fd, 3 * PAGE), 0);
  CHECK_THAT("a page cut off and grown again is zero", shared[PAGE] == 0 && shared[2 * PAGE] == 0);
  close(fd);
  unlink("/tmp/other");
}

static void advice(void) {
  char *area = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(area, 9, 4 * PAGE);
  CHECK_OK(madvise(area + PAGE, 2 * PAGE, MADV_DONTNEED));
  CHECK_EQ(area[0] + area[PAGE] + area[2 * PAGE] + area[3 * PAGE], 18);
  CHECK_OK(madvise(area, 4 * PAGE, MADV_WILLNEED));
  CHECK_OK(madvise(area, 4 * PAGE, MADV_SEQUENTIAL));
  CHECK_OK(madvise(area, 4 * PAGE, MADV_RANDOM));
  CHECK_OK(madvise(area, 4 * PAGE, MADV_NORMAL));
  CHECK_OK(madvise(area, 4 * PAGE, MADV_DONTDUMP));
  CHECK_OK(madvise(area, 4 * PAGE, MADV_FREE));
  CHECK_OK(madvise(area, 4 * PAGE, MADV_DONTFORK));
  CHECK_OK(mlock(area, 2 * PAGE));
  unsigned char present[4] = {0};
  area[0] = area[PAGE] = 1;
  CHECK_OK(mincore(area, 2 * PAGE, present));
  CHECK_EQ(present[0] & present[1] & 1, 1);
  CHECK_OK(munlock(area, 2 * PAGE));
  char *untouched = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK_OK(mincore(untouched, 2 * PAGE, present));
  CHECK_EQ((present[0] | present[1]) & 1, 0);
  int zero = open("/dev/zero", O_RDWR);
  char *device = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, zero, 0);
  CHECK(device != MAP_FAILED);
  if (device != MAP_FAILED) CHECK_EQ(device[5], 0), device[5] = 1, CHECK_EQ(device[5], 1);
  close(zero);
  char *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  shared[1] = 3;
  CHECK_OK(madvise(shared, PAGE, MADV_DONTNEED));
  CHECK_THAT("DONTNEED keeps what a shared mapping holds", shared[1] == 3);
}

int main(void) {
  anonymous();
  errors();
  placement();
  shapes();
  files();
  advice();
  CHECK_END();
}
