// Changes every page of a file of so many MiB through a shared mapping, more than the machine's memory holds, and reads
// the file back; then writes as much to a file that has no name any more.
#include "../check.h"

static void without_name(size_t size) {
  int file = open("nameless", O_RDWR | O_CREAT | O_TRUNC, 0600);
  CHECK_OK(unlink("nameless"));
  static size_t block[8192];
  size_t wrong = 0;
  for (size_t offset = 0; offset < size; offset += sizeof block) {
    for (size_t i = 0; i < 8192; i++) block[i] = offset + i;
    if (write(file, block, sizeof block) != sizeof block) wrong++;
  }
  for (size_t offset = 0; offset < size; offset += sizeof block) {
    if (pread(file, block, sizeof block, (off_t)offset) != sizeof block) wrong++;
    for (size_t i = 0; i < 8192; i++) wrong += block[i] != offset + i;
  }
  CHECK_EQ(wrong, 0);
  CHECK_OK(close(file));
}

int main(int count, char **arguments) {
  size_t size = (size_t)(count > 1 ? atoi(arguments[1]) : 200) << 20;
  int file = open("mapped", O_RDWR | O_CREAT | O_TRUNC, 0600);
  CHECK_OK(ftruncate(file, (off_t)size));
  char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  CHECK(memory != MAP_FAILED);
  for (size_t offset = 0; offset < size; offset += 4096) *(size_t *)(memory + offset + 8) = offset ^ 0x5a5a;
  // Again, where pages have been written and are clean.
  for (size_t offset = 0; offset < size; offset += 8 * 4096) *(size_t *)(memory + offset) = offset;
  CHECK_OK(msync(memory, size, MS_SYNC));
  size_t wrong = 0, words[2];
  for (size_t offset = 0; offset < size; offset += 4096) {
    if (pread(file, words, sizeof words, (off_t)offset) != sizeof words) wrong++;
    size_t first = offset % (8 * 4096) ? 0 : offset;
    if (words[0] != first || words[1] != (offset ^ 0x5a5a)) wrong++;
  }
  CHECK_EQ(wrong, 0);
  CHECK_OK(munmap(memory, size));
  CHECK_OK(close(file));
  CHECK_OK(unlink("mapped"));
  without_name(size);
  CHECK_END();
}
