// Large things: a directory with as many entries as the argument says, removed while it is read; positions in it; files
// beyond 4 GiB; names of 255 bytes.
#include "../check.h"

#include <dirent.h>

static void directory(int count) {
  char name[64];
  CHECK_OK(mkdir("many", 0755));
  int directory = open("many", O_RDONLY | O_DIRECTORY);
  int made = 0;
  for (int i = 0; i < count; i++) {
    snprintf(name, sizeof name, "entry-%06d", i);
    int fd = openat(directory, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (fd >= 0) made++;
    close(fd);
  }
  CHECK_EQ(made, count);

  // Each is listed once, and a position leads back to where it was told.
  unsigned char *seen = calloc((size_t)count, 1);
  DIR *stream = opendir("many");
  int listed = 0, twice = 0, unknown = 0;
  long places[8];
  char names[8][64];
  int told = 0;
  for (;;) {
    long place = telldir(stream);
    struct dirent *entry = readdir(stream);
    if (!entry) break;
    if (entry->d_name[0] == '.') continue;
    int number = atoi(entry->d_name + 6);
    if (number < 0 || number >= count) {
      unknown++;
      continue;
    }
    if (seen[number]++) twice++;
    if (listed % (count / 8 + 1) == 0 && told < 8) {
      places[told] = place;
      snprintf(names[told++], sizeof names[0], "%.60s", entry->d_name);
    }
    listed++;
  }
  CHECK_EQ(listed, count);
  CHECK_EQ(twice, 0);
  CHECK_EQ(unknown, 0);
  int found = 0;
  for (int i = told - 1; i >= 0; i--) {
    seekdir(stream, places[i]);
    struct dirent *entry = readdir(stream);
    if (entry && strcmp(entry->d_name, names[i]) == 0) found++;
  }
  CHECK_EQ(found, told);

  // Every entry is removed when it is seen. A server's file system may need more than one pass.
  int removed = 0, passes = 0;
  for (int before = -1; removed != before && passes < 20; passes++) {
    before = removed;
    rewinddir(stream);
    for (struct dirent *entry; (entry = readdir(stream));)
      if (entry->d_name[0] != '.' && unlinkat(directory, entry->d_name, 0) == 0) removed++;
  }
  CHECK_EQ(removed, count);
  closedir(stream);
  close(directory);
  free(seen);
  CHECK_OK(rmdir("many"));
}

static void file(void) {
  static const off_t far[] = {0x7fffffff, 0xffffffff, 0x100000000, 0x1fffffffe, 0x2345678901};
  int fd = open("far", O_RDWR | O_CREAT, 0600);
  for (size_t i = 0; i < sizeof far / sizeof *far; i++) CHECK_EQ(pwrite(fd, "0123456789", 10, far[i]), 10);
  CHECK_OK(fsync(fd));
  char text[16];
  for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
    memset(text, 0, sizeof text);
    CHECK_EQ(pread(fd, text, 10, far[i]), 10);
    CHECK(memcmp(text, i == 1 ? "0" : "0123456789", i == 1 ? 1 : 10) == 0);
  }
  CHECK_EQ(pread(fd, text, 10, 0x180000000), 10);
  CHECK(text[0] == 0 && text[9] == 0);
  struct stat s;
  CHECK_OK(fstat(fd, &s));
  CHECK_EQ(s.st_size, 0x2345678901 + 10);
  CHECK_EQ(lseek(fd, -5, SEEK_END), 0x2345678901 + 5);
  CHECK_EQ(read(fd, text, 10), 5);
  char *map = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0x100000000);
  CHECK(map != MAP_FAILED && map[0] == '0');
  map[4096] = 'm';
  CHECK_OK(msync(map, 8192, MS_SYNC));
  munmap(map, 8192);
  CHECK_EQ(pread(fd, text, 1, 0x100001000), 1);
  CHECK_EQ(text[0], 'm');
  CHECK_OK(ftruncate(fd, 0x100000002));
  CHECK_EQ(lseek(fd, 0, SEEK_END), 0x100000002);
  CHECK_EQ(pread(fd, text, 10, 0xffffffff), 3);
  close(fd);
  CHECK_OK(unlink("far"));
}

static void names(void) {
  char name[258];
  memset(name, 'n', sizeof name);
  name[255] = 0;
  CHECK_OK(mkdir(name, 0755));
  CHECK_OK(chdir(name));
  int fd = open(name, O_WRONLY | O_CREAT, 0600);
  CHECK(fd >= 0);
  close(fd);
  name[0] = 'm';
  CHECK_OK(symlink("target", name));
  name[0] = 'n';
  DIR *stream = opendir(".");
  int found = 0;
  for (struct dirent *entry; (entry = readdir(stream));) found += strlen(entry->d_name) == 255;
  closedir(stream);
  CHECK_EQ(found, 2);
  CHECK_OK(unlink(name));
  name[0] = 'm';
  CHECK_OK(unlink(name));
  name[0] = 'n';
  name[255] = 'n';
  name[256] = 0;
  CHECK_ERRNO(open(name, O_WRONLY | O_CREAT, 0600), ENAMETOOLONG);
  CHECK_ERRNO(mkdir(name, 0755), ENAMETOOLONG);
  name[255] = 0;
  CHECK_OK(chdir(".."));
  CHECK_OK(rmdir(name));
}

int main(int count, char **arguments) {
  directory(count > 1 ? atoi(arguments[1]) : 100000);
  file();
  names();
  CHECK_END();
}
