// /proc/self and the system-wide files that programs read.
#include "../check.h"

#include <ctype.h>
#include <dirent.h>
#include <elf.h>
#include <sys/auxv.h>

static char buffer[1 << 17];

static ssize_t slurp(const char *name) {
  int fd = open(name, O_RDONLY);
  if (fd < 0) return -1;
  ssize_t length = 0;
  for (ssize_t n; (n = read(fd, buffer + length, 100)) > 0;) length += n;  // small reads: the offset must hold
  buffer[length] = 0;
  close(fd);
  return length;
}

/// True if a line of `buffer` begins with the field's name and goes on with a number.
static int has_field(const char *name) {
  for (char *line = buffer; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL)
    if (strncmp(line, name, strlen(name)) == 0) {
      char *rest = line + strlen(name);
      if (*rest++ != ':') continue;
      rest += strspn(rest, " \t");
      return isalnum((unsigned char)*rest) || *rest == '(';
    }
  return 0;
}

static int in_maps(uintptr_t address, const char *access, const char *name) {
  for (char *line = buffer; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
    unsigned long from, to, offset, inode;
    char mode[5], path[256] = "", device[16];
    int fields = sscanf(line, "%lx-%lx %4s %lx %15s %lu %255[^\n]", &from, &to, mode, &offset, device, &inode, path);
    if (fields < 6 || address < from || address >= to) continue;
    return strcmp(mode, access) == 0 && strstr(path, name) != NULL && (path[0] == '/') == (inode != 0);
  }
  return 0;
}

static int writable_data = 1;

int main(int argc, char **argv) {
  char link[256];
  ssize_t length = readlink("/proc/self/exe", link, sizeof link - 1);
  link[length < 0 ? 0 : length] = 0;
  say("exe %s", link);
  int fd = open("/proc/self/exe", O_RDONLY);
  CHECK_EQ(read(fd, buffer, 4), 4);
  CHECK(memcmp(buffer, ELFMAG, 4) == 0);
  close(fd);
  length = readlink("/proc/self/cwd", link, sizeof link - 1);
  link[length < 0 ? 0 : length] = 0;
  say("cwd %s", link);
  length = readlink("/proc/self/root", link, sizeof link - 1);
  CHECK(length == 1 && link[0] == '/');
  length = readlink("/proc/self", link, sizeof link - 1);
  link[length < 0 ? 0 : length] = 0;
  CHECK_EQ(atoi(link), getpid());

  length = slurp("/proc/self/cmdline");
  ssize_t expected = 0;
  for (int i = 0; i < argc; i++) expected += (ssize_t)strlen(argv[i]) + 1;
  CHECK_EQ(length, expected);
  for (int i = 0, at = 0; i < argc; i++) {
    say("argument %s", buffer + at);
    at += (int)strlen(buffer + at) + 1;
  }
  length = slurp("/proc/self/environ");
  for (ssize_t at = 0; at < length; at += (ssize_t)strlen(buffer + at) + 1) say("variable %s", buffer + at);
  length = slurp("/proc/self/auxv");
  CHECK_EQ(length % 16, 0);
  int same = 0;
  for (ssize_t at = 0; at < length; at += 16)
    if (*(unsigned long *)(buffer + at) == AT_RANDOM)
      same = *(unsigned long *)(buffer + at + 8) == getauxval(AT_RANDOM);
  CHECK_THAT("auxv holds what the program was given", same);

  char *area = mmap(NULL, 8192, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  fd = open("/etc/passwd", O_RDONLY);
  char *file = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
  CHECK(slurp("/proc/self/maps") > 0);
  CHECK(in_maps((uintptr_t)main, "r-xp", "/proc"));
  CHECK(in_maps((uintptr_t)&writable_data, "rw-p", "/proc"));
  CHECK(in_maps((uintptr_t)&argc, "rw-p", "[stack]"));
  CHECK(in_maps(getauxval(AT_SYSINFO_EHDR), "r-xp", "[vdso]"));
  CHECK(in_maps((uintptr_t)area, "r-xp", ""));
  CHECK(in_maps((uintptr_t)file, "r--s", "/etc/passwd"));
  CHECK_EQ(syscall(SYS_brk, syscall(SYS_brk, 0) + 65536) != 0, 1);
  slurp("/proc/self/maps");
  CHECK(in_maps((uintptr_t)syscall(SYS_brk, 0) - 1, "rw-p", "[heap]"));
  unsigned long last = 0;
  int sorted = 1;
  for (char *line = buffer; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
    unsigned long from = strtoul(line, NULL, 16);
    sorted &= from >= last;
    last = from;
  }
  CHECK(sorted);

  DIR *directory = opendir("/proc/self/fd");
  int names = 0, found = 0;
  for (struct dirent *entry; directory && (entry = readdir(directory));) {
    names++;
    if (atoi(entry->d_name) == fd && isdigit(entry->d_name[0])) found = 1;
  }
  CHECK_EQ(names, 7);  // two dots, three standard ones, the file, the directory itself
  CHECK(found);
  if (directory) closedir(directory);
  snprintf(buffer, sizeof buffer, "/proc/self/fd/%d", fd);
  length = readlink(buffer, link, sizeof link - 1);
  link[length < 0 ? 0 : length] = 0;
  say("descriptor %s", link);
  CHECK_ERRNO(readlink("/proc/self/fd/77", link, sizeof link), ENOENT);
  int other = open("removed", O_RDWR | O_CREAT, 0600);
  unlink("removed");
  snprintf(buffer, sizeof buffer, "/proc/self/fd/%d", other);
  length = readlink(buffer, link, sizeof link - 1);
  link[length < 0 ? 0 : length] = 0;
  say("descriptor %s", link);
  write(other, "kept", 4);
  int reopened = open(buffer, O_RDONLY);
  CHECK_EQ(read(reopened, link, 10), 4);

  CHECK(slurp("/proc/self/stat") > 0);
  char *after = strrchr(buffer, ')');
  int pid = atoi(buffer), ppid = -1, fields = 2;
  char state = 0;
  if (after) {
    sscanf(after + 2, "%c %d", &state, &ppid);
    for (char *word = strtok(after + 1, " \n"); word; word = strtok(NULL, " \n")) fields++;
  }
  CHECK_EQ(pid, getpid());
  CHECK_EQ(state, 'R');
  CHECK_EQ(ppid, getppid());
  CHECK_EQ(fields, 52);
  CHECK(slurp("/proc/self/status") > 0);
  const char *status[] = {"Name", "Umask", "State", "Tgid", "Pid", "PPid", "TracerPid", "Uid", "Gid", "FDSize",
                          "VmPeak", "VmSize", "VmRSS", "VmData", "VmStk", "VmExe", "Threads", "SigQ", "SigPnd",
                          "SigBlk", "SigIgn", "SigCgt", "Cpus_allowed", "voluntary_ctxt_switches"};
  for (size_t i = 0; i < sizeof status / sizeof *status; i++) check_report(has_field(status[i]), __LINE__, status[i]);
  CHECK(slurp("/proc/self/statm") > 0);
  unsigned long pages[7];
  CHECK_EQ(sscanf(buffer, "%lu %lu %lu %lu %lu %lu %lu", &pages[0], &pages[1], &pages[2], &pages[3], &pages[4],
                  &pages[5], &pages[6]), 7);
  CHECK(pages[0] >= pages[1] && pages[1] > 0);
  CHECK(slurp("/proc/self/comm") > 0);
  say("comm %s", strtok(buffer, "\n"));
  CHECK(slurp("/proc/self/limits") > 0);
  CHECK(slurp("/proc/self/mounts") > 0);
  CHECK(slurp("/proc/self/mountinfo") > 0);
  CHECK(slurp("/proc/self/task") <= 0);

  CHECK(slurp("/proc/meminfo") > 0);
  const char *memory[] = {"MemTotal", "MemFree", "MemAvailable", "Buffers", "Cached", "SwapTotal"};
  for (size_t i = 0; i < sizeof memory / sizeof *memory; i++) check_report(has_field(memory[i]), __LINE__, memory[i]);
  CHECK(slurp("/proc/cpuinfo") > 0);
  CHECK(strstr(buffer, "processor\t: 0\n") && strstr(buffer, "flags\t\t: ") && strstr(buffer, "vendor_id\t: "));
  CHECK(slurp("/proc/uptime") > 0);
  double up, idle;
  CHECK(sscanf(buffer, "%lf %lf\n", &up, &idle) == 2 && up > 0);
  CHECK(slurp("/proc/version") > 0);
  CHECK(strncmp(buffer, "Linux version ", 14) == 0);
  CHECK(slurp("/proc/loadavg") > 0);
  CHECK(slurp("/proc/filesystems") > 0);
  CHECK(slurp("/proc/stat") > 0);
  CHECK(strncmp(buffer, "cpu ", 4) == 0 && strstr(buffer, "\nbtime "));
  CHECK(slurp("/proc/mounts") > 0);
  CHECK(strstr(buffer, " /proc proc ") != NULL);
  CHECK(slurp("/proc/sys/kernel/osrelease") > 0);
  CHECK(slurp("/proc/sys/kernel/pid_max") > 0);
  CHECK(slurp("/proc/sys/kernel/hostname") > 0);
  CHECK(slurp("/proc/sys/vm/overcommit_memory") == 2);
  CHECK(slurp("/proc/sys/fs/nr_open") > 0);
  CHECK_ERRNO(open("/proc/no-such-file", O_RDONLY), ENOENT);
  CHECK_ERRNO(open("/proc/new", O_RDWR | O_CREAT, 0644), ENOENT);
  CHECK_ERRNO(mkdir("/proc/new", 0755), ENOENT);
  CHECK_ERRNO(unlink("/proc/version"), EPERM);
  CHECK_ERRNO(open("/proc/4194304", O_RDONLY), ENOENT);
  snprintf(buffer, sizeof buffer, "/proc/%d/comm", getpid());
  CHECK(access(buffer, R_OK) == 0);
  CHECK_END();
}
