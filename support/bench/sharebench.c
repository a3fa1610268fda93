// Files of a 9P share, mounted at /share: one figure a line, in the form of microbench.c. The host has made what is
// read: a tree of many files, a large file for each of the parallel reads, a root with python3, git and others in it, a
// repository of 20,000 files and a tree of 500 MB.
//
//   sharebench [files] [find] [python3] [random] [git] [tar] [grep] [sqlite]
#define _GNU_SOURCE
#include "figures.h"

#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { PIECE = 65536, PIECES = 256, PAGE = 4096 };
#define FILE_NAME "/share/scratch"
static char buffer[PIECE];
static int file;
static struct stat status;

static bool once_stat(int i) {
  (void)i;
  return stat(FILE_NAME, &status) == 0;
}
static bool once_fstat(int i) {
  (void)i;
  return fstat(file, &status) == 0;
}
static bool once_open(int i) {
  (void)i;
  int opened = open(FILE_NAME, O_RDONLY);
  return opened >= 0 && close(opened) == 0;
}
static bool once_create(int i) {
  char name[64];
  snprintf(name, sizeof name, FILE_NAME ".%d", i);
  int made = open(name, O_CREAT | O_WRONLY, 0644);
  return made >= 0 && close(made) == 0 && unlink(name) == 0;
}
static bool once_pread(int i) { return pread(file, buffer, PAGE, (off_t)(i % 4096) * PAGE) == PAGE; }

static void repeat(const char *name, int count, bool (*once)(int)) {
  double start = now();
  for (int i = 0; i < count; i++) {
    if (!once(i)) {
      skipped(name);
      return;
    }
  }
  figure(name, (now() - start) / count / 1000, "us/op");
}

static void transfer(const char *name, ssize_t (*operation)(void)) {
  lseek(file, 0, SEEK_SET);
  double start = now();
  for (int i = 0; i < PIECES; i++) {
    if (operation() != PIECE) {
      skipped(name);
      return;
    }
  }
  figure(name, (double)PIECE * PIECES / ((now() - start) / 1e9) / 1e6, "MB/s");
}
static ssize_t write_piece(void) { return write(file, buffer, PIECE); }
static ssize_t read_piece(void) { return read(file, buffer, PIECE); }

static void map_fault(const char *name) {
  size_t size = 1 << 20;
  volatile char *memory = mmap(NULL, size, PROT_READ, MAP_PRIVATE, file, 0);
  if (memory == MAP_FAILED) {
    skipped(name);
    return;
  }
  double start = now();
  for (size_t at = 0; at < size; at += PAGE) (void)memory[at];
  figure(name, (now() - start) / (double)(size / PAGE) / 1000, "us/page");
  munmap((void *)memory, size);
}

// Runs a program to its end, in another root if one is given.
static void command(const char *name, const char *root, char *const arguments[]) {
  double start = now();
  pid_t child = fork();
  if (child == 0) {
    int null = open("/dev/null", O_WRONLY);
    dup2(null, 1);
    if (root != NULL && (chroot(root) != 0 || chdir("/") != 0)) _exit(126);
    execv(arguments[0], arguments);
    _exit(127);
  }
  int result;
  if (child > 0 && waitpid(child, &result, 0) == child && result == 0) {
    figure(name, (now() - start) / 1e6, "ms");
  } else {
    errno = ECHILD;
    skipped(name);
  }
}

enum { DEPTH = 16, READS = 1024, RANDOM_PAGES = 4096 };
struct reader {
  int descriptor, first, count;
  bool works;
};

// Reads pages that lie far from each other, no page twice.
static void *read_pages(void *argument) {
  struct reader *reader = argument;
  char page[PAGE];
  reader->works = true;
  for (int i = 0; i < reader->count && reader->works; i++) {
    off_t at = (off_t)((unsigned)(reader->first + i) * 1597u % RANDOM_PAGES) * PAGE;
    reader->works = pread(reader->descriptor, page, PAGE, at) == PAGE;
  }
  return NULL;
}

static void random_reads(const char *name, const char *path, int depth) {
  int descriptor = open(path, O_RDONLY);
  if (descriptor < 0) {
    skipped(name);
    return;
  }
  posix_fadvise(descriptor, 0, 0, POSIX_FADV_RANDOM);
  pthread_t threads[DEPTH];
  struct reader readers[DEPTH];
  double start = now();
  for (int i = 0; i < depth; i++) {
    readers[i] = (struct reader){descriptor, i * (READS / depth), READS / depth, false};
    if (pthread_create(&threads[i], NULL, read_pages, &readers[i]) != 0) exit(1);
  }
  bool works = true;
  for (int i = 0; i < depth; i++) {
    pthread_join(threads[i], NULL);
    works = works && readers[i].works;
  }
  if (works)
    figure(name, (now() - start) / READS / 1000, "us/op");
  else
    skipped(name);
  close(descriptor);
}

static bool wants(char **arguments, const char *group) {
  while (*++arguments != NULL)
    if (strcmp(*arguments, group) == 0) return true;
  return false;
}

// Calls of single files.
static void files(void) {
  memset(buffer, 7, sizeof buffer);
  file = open(FILE_NAME, O_RDWR | O_CREAT | O_TRUNC, 0644);
  if (file < 0) {
    skipped("9p write 64K");
  } else {
    transfer("9p write 64K", write_piece);
    transfer("9p read 64K", read_piece);
    repeat("9p pread 4K", 4096, once_pread);
    repeat("9p stat", 2000, once_stat);
    repeat("9p fstat", 2000, once_fstat);
    repeat("9p open+close", 500, once_open);
    repeat("9p create+unlink", 300, once_create);
    map_fault("9p mmap fault");
    close(file);
    unlink(FILE_NAME);
  }
}

// The programs of git, tar, grep and sqlite work in the root /share/root, on /repository and /large.
#define SHELL(text) (char *[]){"/bin/dash", "-c", text, NULL}
#define ROOT "/share/root"

int main(int count, char **arguments) {
  // git wants a /dev/null; the share has a directory for it only.
  if (mount("/dev", ROOT "/dev", NULL, MS_BIND, NULL) != 0) puts("sharebench: no " ROOT "/dev");
  // Groups of lines by name; all without one.
  bool is_all = count == 1;
#define WANTS(group) (is_all || wants(arguments, group))
  if (WANTS("files")) files();
  if (WANTS("find")) {
    char *find[] = {"/bin/find", "/share/tree", "-type", "f", NULL};
    command("9p find, cold", NULL, find);
    command("9p find, warm", NULL, find);
  }
  if (WANTS("python3")) {
    char *python[] = {"/usr/bin/python3", "-S", "-c", "import json", NULL};
    command("9p python3, cold", ROOT, python);
    command("9p python3, warm", ROOT, python);
  }
  if (WANTS("random")) {
    random_reads("9p random 4K, depth 1", "/share/random1", 1);
    random_reads("9p random 4K, depth 16", "/share/random16", DEPTH);
  }
  if (WANTS("git")) {
    char *status[] = {"/usr/bin/git", "-C", "/repository", "status", NULL};
    command("9p git status, cold", ROOT, status);
    command("9p git status, warm", ROOT, status);
  }
  // tar reads nothing when it sees that the archive is /dev/null.
  if (WANTS("tar")) command("9p tar of 500 MB", ROOT, SHELL("tar -cf - large | cat"));
  if (WANTS("grep")) command("9p grep -r over 500 MB", ROOT, SHELL("grep -r needle large"));
  if (WANTS("sqlite")) {
    command("9p sqlite insert", ROOT, SHELL("exec python3 -S /sqlite.py insert"));
    command("9p sqlite query", ROOT, SHELL("exec python3 -S /sqlite.py query"));
  }
  puts("sharebench: done");
  return 0;
}
