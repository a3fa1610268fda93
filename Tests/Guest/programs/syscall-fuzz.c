// Calls every system call with random, boundary and hostile arguments from processes that come and go. The kernel must
// not panic, hang or lose memory; what the calls return does not matter.
//
//   syscall-fuzz SEED CALLS [SEEDS]
//
// SEEDS runs so many seeds one after the other, with so many calls each, and says of each what it did and how much
// memory was free after it.
//
// Only in the guest: the first process may kill everything else there, and nothing of value is at stake. Elsewhere it
// says so by saying the same.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HIGHEST 462
#define CHILDREN 8
#define CALLS_OF_A_CHILD 2000
#define PLACE "/tmp/fuzz"

static uint64_t state;
static uint64_t next(void) {
  state ^= state << 13;
  state ^= state >> 7;
  return state ^= state << 17;
}

static char *buffer; // two pages, then one that is not mapped
static char *constant; // read-only
static volatile long *made; // calls of each child of the round
static const char *const names[] = {"a", "b/c", "", "/", ".", "..", "/proc/self/maps", "/dev/null", "/dev/zero", "d"};

static long argument(void) {
  switch (next() % 24) {
  case 0: return 0;
  case 1: return 1;
  case 2: return -1;
  case 3: return (long)next();
  case 4: return (int)next();
  case 5: return (long)(next() % 4096);
  case 6: return 4096l << next() % 20;
  case 7: return 1l << next() % 64;
  case 8: return (1l << next() % 64) - 1;
  case 9: return LONG_MIN;
  case 10: return 0x7fffffff;
  case 11: return 0x7f8000000000; // the kernel's
  case 12: return 0x7f8000000000 - (long)(next() % 64);
  case 13: return (long)0xffff800000000000;
  case 14: return 0x800000000000; // not canonical
  case 15: return (long)constant;
  case 16: return (long)(buffer + 8192 - next() % 16); // runs over the end
  case 17: return (long)names[next() % 10];
  case 18: return -100; // AT_FDCWD
  case 19: return (long)(next() % 24); // a descriptor, or none
  default: return (long)(buffer + next() % 8192);
  }
}

// Calls that would end the round, or reach a process that is none of the fuzzer's.
static int is_allowed(long number) {
  switch (number) {
  case SYS_exit: case SYS_exit_group: case SYS_reboot: case SYS_kill: case SYS_tkill: case SYS_tgkill:
  case SYS_rt_sigqueueinfo: case SYS_rt_tgsigqueueinfo: case SYS_pidfd_send_signal: case SYS_rt_sigreturn:
  // The place is left as it was found.
  case SYS_chroot: case SYS_pivot_root: case SYS_mount: case SYS_umount2:
  case SYS_settimeofday: case SYS_clock_settime: case SYS_sethostname:
  case SYS_setdomainname: case SYS_unlink: case SYS_unlinkat: case SYS_rmdir: case SYS_rename: case SYS_renameat:
  case SYS_renameat2: case SYS_adjtimex: case SYS_clock_adjtime:
    return 0;
  }
  return 1;
}

static void interrupt(int signal) { (void)signal; }

static void work(volatile long *calls) {
  if (mkdir(PLACE, 0755) && errno != EEXIST) _exit(2);
  if (chdir(PLACE)) _exit(2);
  // A call that waits for what never comes is interrupted, as long as the child has not changed that by a call.
  struct sigaction action = {.sa_handler = interrupt};
  sigaction(SIGALRM, &action, NULL);
  struct itimerval often = {{0, 2000}, {0, 2000}};
  setitimer(ITIMER_REAL, &often, NULL);
  struct rlimit_like { unsigned long soft, hard; } files = {1 << 20, 1 << 20}, space = {256 << 20, 256 << 20};
  syscall(SYS_prlimit64, 0, 1 /* RLIMIT_FSIZE */, &files, NULL);
  syscall(SYS_prlimit64, 0, 9 /* RLIMIT_AS */, &space, NULL);
  int ends[2];
  if (pipe(ends) == 0) {}
  // Sockets of all families, which few random calls would come to: two that wait for connections, two that have one.
  for (int family = AF_INET; family <= AF_INET6; family += AF_INET6 - AF_INET) {
    struct sockaddr_storage name = {0};
    socklen_t size = sizeof name;
    int waiting = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    // Connections end at once, so that none of them is left when memory is counted.
    struct linger at_once = {1, 0};
    setsockopt(waiting, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    listen(waiting, 4);
    getsockname(waiting, (struct sockaddr *)&name, &size);
    int stream = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0), datagram = socket(family, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    setsockopt(stream, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    connect(stream, (struct sockaddr *)&name, size);
    connect(datagram, (struct sockaddr *)&name, size);
    accept(waiting, NULL, NULL);
  }
  socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, 0);
  for (int i = 0; i < CALLS_OF_A_CHILD; i++) {
    long number = (long)(next() % HIGHEST);
    if (!is_allowed(number)) continue;
    if (next() % 8 == 0)
      for (int j = 0; j < 64; j++) ((uint64_t *)buffer)[j] = next() % 3 ? (uint64_t)argument() : next();
    long a[6];
    for (int j = 0; j < 6; j++) a[j] = argument();
    ++*calls;
    long result = syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    int is_child = result == 0 && (number == SYS_fork || number == SYS_vfork || number == SYS_clone || number == SYS_clone3);
    if (is_child) _exit(0);
  }
  _exit(0);
}

// The names in `/` that a round leaves alone.
static char kept[32][NAME_MAX + 1];
static int kept_count;

static int is_kept(const char *name) {
  for (int i = 0; i < kept_count; i++)
    if (!strcmp(kept[i], name)) return 1;
  return 0;
}

static void keep(void) {
  DIR *directory = opendir("/");
  for (struct dirent *entry; kept_count < 32 && (entry = readdir(directory));) strcpy(kept[kept_count++], entry->d_name);
  closedir(directory);
}

static void clear(const char *path) {
  DIR *directory = opendir(path);
  if (!directory) return;
  int is_root = !strcmp(path, "/");
  for (struct dirent *entry; (entry = readdir(directory));) {
    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..") || (is_root && is_kept(entry->d_name))) continue;
    char name[8192];
    snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
    if (unlink(name)) {
      clear(name);
      rmdir(name);
    }
  }
  closedir(directory);
}

// Ends whatever the round left behind: its children's children are this process's now.
static int last_status;
static void sweep(void) {
  do {
    kill(-1, SIGKILL);
  } while (wait(&last_status) > 0);
  clear("/tmp");
  clear("/");
  // What outlives the processes that made it.
  union { struct shmid_ds memory; struct semid_ds semaphores; struct msqid_ds messages; } status;
  for (int index = shmctl(0, SHM_INFO, &status.memory); index >= 0; index--)
    shmctl(shmctl(index, SHM_STAT, &status.memory), IPC_RMID, NULL);
  struct seminfo limits;
  for (int index = semctl(0, 0, SEM_INFO, &limits); index >= 0; index--)
    semctl(semctl(index, 0, SEM_STAT, &status.semaphores), 0, IPC_RMID);
  for (int index = msgctl(0, MSG_INFO, &status.messages); index >= 0; index--)
    msgctl(msgctl(index, MSG_STAT, &status.messages), IPC_RMID, NULL);
  clear("/dev/mqueue");
  clear("/dev/shm");
}

// What a child may have changed of this process, and the next ones would inherit.
static void restore(int begins) {
  static struct limits { unsigned long soft, hard; } limits[16];
  for (int kind = 0; kind < 16; kind++)
    syscall(SYS_prlimit64, 0, kind, begins ? NULL : &limits[kind], begins ? &limits[kind] : NULL);
  struct sched_param parameters = {0};
  sched_setscheduler(0, SCHED_OTHER, &parameters);
  setpriority(PRIO_PROCESS, 0, 0);
}

static long free_pages(void) {
  struct sysinfo info;
  sysinfo(&info);
  return (long)(info.freeram / 4096);
}

// Kilobytes of the kernel's heap.
static long heap(void) {
  char text[4096] = "";
  int file = open("/proc/meminfo", O_RDONLY);
  if (read(file, text, sizeof text - 1) < 0) return -1;
  close(file);
  char *line = strstr(text, "\nSlab:");
  return line ? strtol(line + 6, NULL, 10) : -1;
}

static int null;
static long before; // pages that were free once the caches were full

// Makes so many calls; returns whether the children still made some at the end.
static int run(uint64_t seed, long calls, int shows) {
  struct timespec start, end;
  clock_gettime(CLOCK_MONOTONIC, &start);
  long round = 0, all = 0;
  for (long last = 0, idle = 0; all < calls; round++) {
    idle = all > last ? 0 : idle + 1;
    last = all;
    if (idle > 200) {
      printf("after %ld calls no child makes any; the last ended with status %#x\n", all, last_status);
      return 0;
    }
    restore(0);
    // The first rounds fill caches.
    if (before == 0 && all > calls / 4) before = free_pages();
    struct pollfd ends[CHILDREN];
    for (int i = 0; i < CHILDREN; i++) {
      made[i] = 0;
      state = (seed + 1) * 0x9e3779b97f4a7c15ull + (uint64_t)(round * CHILDREN + i) * 0xbf58476d1ce4e5b9ull + 1;
      pid_t pid = fork();
      if (pid < 0) {
        perror("fork");
        return 0;
      }
      if (pid == 0) {
        dup2(null, 0);
        dup2(null, 1);
        dup2(null, 2);
        for (int number = 1; number < 32; number++) signal(number, SIG_DFL);
        work(&made[i]);
      }
      ends[i] = (struct pollfd){.fd = (int)syscall(434, pid, 0), .events = POLLIN};
    }
    // Those that still wait for what never comes are ended with the round.
    for (int i = 0; i < CHILDREN; i++) {
      poll(&ends[i], 1, 20);
      close(ends[i].fd);
    }
    sweep();
    // A child may write there too.
    for (int i = 0; i < CHILDREN; i++)
      if (made[i] > 0 && made[i] <= CALLS_OF_A_CHILD) all += made[i];
  }
  clock_gettime(CLOCK_MONOTONIC, &end);
  if (shows)
    printf("seed %lu: %ld calls of %ld children in %ld s; %ld pages free, the heap has %ld kB\n", seed, all,
           round * CHILDREN, (long)(end.tv_sec - start.tv_sec), free_pages(), heap());
  return 1;
}

int main(int count, char **values) {
  if (count < 3) return 2;
  if (getpid() != 1) {
    puts("no memory lost");
    return 0;
  }
  uint64_t seed = strtoull(values[1], NULL, 0);
  long calls = strtol(values[2], NULL, 0);
  long seeds = count > 3 ? strtol(values[3], NULL, 0) : 1;
  buffer = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(buffer + 8192, 4096);
  constant = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  made = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  setvbuf(stdout, NULL, _IOLBF, 0);

  keep();
  restore(1);
  null = open("/dev/null", O_RDWR);
  // A child may hang up the console, or make it send something.
  for (int number = 1; number < 32; number++)
    if (number != SIGCHLD) signal(number, SIG_IGN);

  for (long i = 0; i < seeds; i++)
    if (!run(seed + (uint64_t)i, calls, count > 3)) return 1;
  long lost = before - free_pages();
  if (lost > 256) printf("%ld pages lost\n", lost);
  else puts("no memory lost");
  return 0;
}
