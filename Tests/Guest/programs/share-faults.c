// What a program meets on a share that is full, read-only, or changed by others: Tests/Faults/shares.py prepares the share,
// changes it when this says "now", and then sends a line.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static char piece[65536];

static const char *name(int error) {
  switch (error) {
    case ENOENT: return "ENOENT";
    case ENOSPC: return "ENOSPC";
    case EROFS: return "EROFS";
    default: return strerror(error);
  }
}

static void say(const char *what, long result) { printf("%s: %s\n", what, result < 0 ? name(errno) : "ok"); }

static void full(void) {
  memset(piece, 's', sizeof piece);
  int file = open("/data/safe", O_WRONLY | O_CREAT, 0644);
  for (int i = 0; i < 16; i++)
    if (write(file, piece, sizeof piece) != sizeof piece) perror("write");
  say("fsync of what fits", fsync(file));
  say("close of what fits", close(file));
  file = open("/data/large", O_WRONLY | O_CREAT, 0644);
  long result = 0;
  for (int i = 0; i < 128 && result >= 0; i++) result = write(file, piece, sizeof piece);
  // The error may come with a write or with the fsync, but it comes.
  if (result >= 0) result = fsync(file);
  say("fsync of too much", result);
  say("close after that", close(file));
  file = open("/data/last", O_WRONLY | O_CREAT, 0644);
  if (write(file, piece, sizeof piece) != sizeof piece) perror("write");
  say("close of too much", close(file));
  say("unlink", unlink("/data/large"));
  file = open("/data/last", O_WRONLY | O_TRUNC);
  if (write(file, "later", 5) != 5) perror("write");
  say("fsync with room again", fsync(file));
}

static void read_only(void) {
  struct stat status;
  say("stat", stat("/data/file", &status));
  int file = open("/data/file", O_RDONLY);
  say("read", read(file, piece, sizeof piece));
  say("open for writing", open("/data/file", O_RDWR));
  say("create", open("/data/new", O_WRONLY | O_CREAT, 0644));
  say("mkdir", mkdir("/data/directory", 0755));
  say("unlink", unlink("/data/file"));
  say("rename", rename("/data/file", "/data/other"));
  say("chmod", chmod("/data/file", 0600));
  say("truncate", truncate("/data/file", 0));
}

static void show(const char *path) {
  int file = open(path, O_RDONLY);
  if (file < 0) {
    say(path, file);
    return;
  }
  ssize_t count = read(file, piece, sizeof piece);
  printf("%s: %.*s\n", path, (int)(count < 0 ? 0 : count), piece);
  close(file);
}

static void changes(const char *options) {
  say("mount", mount("fs1", "/mnt", "9p", 0, options));
  show("/mnt/file");
  show("/mnt/gone");
  show("/mnt/made");
  int file = open("/mnt/file", O_RDONLY);
  if (read(file, piece, 1) != 1) perror("read");
  puts("now");
  if (fgets(piece, sizeof piece, stdin) == NULL) puts("no answer");
  memset(piece, 0, sizeof piece);
  say("pread", pread(file, piece, 100, 0));
  printf("open: %s\n", piece);
  show("/mnt/file");
  show("/mnt/gone");
  show("/mnt/made");
}

int main(int count, char **arguments) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  const char *what = count > 1 ? arguments[1] : "";
  if (strcmp(what, "full") == 0) full();
  if (strcmp(what, "read-only") == 0) read_only();
  if (strcmp(what, "changes") == 0) changes(arguments[2]);
  puts("done");
  return 0;
}
