// mremap and brk.
#include "../check.h"

#define PAGE 4096ul

static char *map(size_t pages) {
  return mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void fill(char *area, size_t pages) {
  for (size_t i = 0; i < pages; i++) memset(area + i * PAGE, (int)i + 1, PAGE);
}

static int filled(const char *area, size_t pages) {
  for (size_t i = 0; i < pages; i++)
    for (size_t j = 0; j < PAGE; j++)
      if (area[i * PAGE + j] != (char)(i + 1)) return 0;
  return 1;
}

int main(void) {
  char *area = map(8);
  fill(area, 8);
  CHECK_THAT("shrinking stays in place", mremap(area, 8 * PAGE, 4 * PAGE, 0) == area);
  CHECK(filled(area, 4));
  unsigned char present[1];
  CHECK_ERRNO(mincore(area + 4 * PAGE, PAGE, present), ENOMEM);
  CHECK_THAT("growing into free space stays in place", mremap(area, 4 * PAGE, 8 * PAGE, 0) == area);
  CHECK(filled(area, 4));
  CHECK_EQ(area[4 * PAGE] | area[8 * PAGE - 1], 0);
  CHECK_THAT("the same size changes nothing", mremap(area, 8 * PAGE, 8 * PAGE, 0) == area);

  // Something in the way: it fails unless it may move.
  mmap(area + 8 * PAGE, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  CHECK_ERRNO((long)mremap(area, 8 * PAGE, 9 * PAGE, 0), ENOMEM);
  CHECK(filled(area, 4));
  char *moved = mremap(area, 8 * PAGE, 100 * PAGE, MREMAP_MAYMOVE);
  CHECK(moved != MAP_FAILED && moved != area);
  CHECK(filled(moved, 4));
  CHECK_EQ(moved[99 * PAGE], 0);
  CHECK_ERRNO(mincore(area, PAGE, present), ENOMEM);

  char *target = map(8);
  fill(target, 8);
  CHECK_THAT("FIXED moves onto the target",
             mremap(moved, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target + 2 * PAGE) == target + 2 * PAGE);
  CHECK(filled(target + 2 * PAGE, 4));
  CHECK_EQ(target[PAGE], 2);
  CHECK_EQ(target[6 * PAGE], 7);
  CHECK_ERRNO(mincore(moved, PAGE, present), ENOMEM);
  CHECK_THAT("what was beyond stays", moved[4 * PAGE] == 0);

  CHECK_ERRNO((long)mremap(target + 1, PAGE, PAGE, 0), EINVAL);
  CHECK_ERRNO((long)mremap(target, PAGE, 0, 0), EINVAL);
  CHECK_ERRNO((long)mremap(target, PAGE, PAGE, 0x40), EINVAL);
  CHECK_ERRNO((long)mremap(target, PAGE, PAGE, MREMAP_FIXED, target + 4 * PAGE), EINVAL);
  CHECK_ERRNO((long)mremap(target, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target + PAGE), EINVAL);
  CHECK_ERRNO((long)mremap(target, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, target + 1), EINVAL);
  char *gone = map(2);
  munmap(gone, 2 * PAGE);
  CHECK_ERRNO((long)mremap(gone, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EFAULT);

  // A shared file mapping keeps its file, offset and coherence when it moves and grows.
  int fd = open("/tmp/remapped", O_RDWR | O_CREAT | O_TRUNC, 0644);
  ftruncate(fd, 4 * PAGE);
  pwrite(fd, "second page", 11, PAGE);
  pwrite(fd, "fourth page", 11, 3 * PAGE);
  char *file = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, PAGE);
  mmap(file + PAGE, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  file = mremap(file, PAGE, 3 * PAGE, MREMAP_MAYMOVE);
  CHECK(file != MAP_FAILED);
  CHECK(memcmp(file, "second page", 11) == 0);
  CHECK(memcmp(file + 2 * PAGE, "fourth page", 11) == 0);
  file[0] = 'S';
  char byte = 0;
  pread(fd, &byte, 1, PAGE);
  CHECK_EQ(byte, 'S');
  char *twin = mremap(file, 0, 3 * PAGE, MREMAP_MAYMOVE);
  CHECK_THAT("old size 0 makes a second mapping of a shared one", twin != MAP_FAILED && twin != file);
  if (twin != MAP_FAILED) CHECK_EQ((twin[5] = 'W', file[5]), 'W');
  close(fd);
  unlink("/tmp/remapped");

  // brk through the system call, which returns the break whether or not it moved.
  char *start = (char *)syscall(SYS_brk, 0);
  CHECK(start != NULL);
  CHECK_THAT("brk grows", (char *)syscall(SYS_brk, start + 10 * PAGE + 5) == start + 10 * PAGE + 5);
  CHECK_EQ(start[0] | start[10 * PAGE], 0);
  memset(start, 3, 10 * PAGE);
  CHECK_THAT("brk shrinks", (char *)syscall(SYS_brk, start + PAGE) == start + PAGE);
  CHECK_THAT("brk grows again", (char *)syscall(SYS_brk, start + 3 * PAGE) == start + 3 * PAGE);
  CHECK_EQ(start[10], 3);
  CHECK_THAT("memory given back comes back as zeroes", start[2 * PAGE] == 0);
  CHECK_THAT("a break below the start changes nothing",
             (char *)syscall(SYS_brk, 4096) == start + 3 * PAGE);
  CHECK_THAT("a break too far changes nothing", (char *)syscall(SYS_brk, 1ul << 62) == start + 3 * PAGE);
  CHECK_THAT("brk to where it began", (char *)syscall(SYS_brk, start) == start);
  CHECK_END();
}
