// Takes as much as the kernel gives of one kind of thing after the other: memory, processes, threads, descriptors, what
// stands behind these. Each must end in an error of a system call or in the death of the process that wants it, never in
// that of the kernel, and all memory must come back.
//
//   exhaustion [KIND ...]
//
// Only in the guest, where it is the first process: elsewhere it says what it would say there.
#include "../check.h"
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>

#define PLACE "/tmp/exhaustion"
#define MEBI (1l << 20)

static char page[4096];

// --- memory ---

static void anonymous(void) {
  for (;;) {
    char *memory = mmap(NULL, MEBI, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return;
    memset(memory, 1, MEBI);
  }
}
static void shared(void) {
  for (;;) {
    char *memory = mmap(NULL, MEBI, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return;
    memset(memory, 1, MEBI);
  }
}
static void populated(void) {
  while (mmap(NULL, MEBI, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0) != MAP_FAILED) {}
}
static void locked(void) {
  for (;;) {
    char *memory = mmap(NULL, MEBI, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || mlock(memory, MEBI)) return;
  }
}
// A page in every two mebibytes: the page tables take as much as the pages.
static void sparse(void) {
  for (long size = 1l << 46; size >= 1l << 30; size /= 2) {
    char *memory = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) continue;
    for (long offset = 0; offset < size; offset += 2 * MEBI) memory[offset] = 1;
    return;
  }
}
// Reads only: the zero page everywhere, and the tables for it.
static void sparse_reads(void) {
  for (long size = 1l << 46; size >= 1l << 30; size /= 2) {
    char *memory = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) continue;
    long sum = 0;
    for (long offset = 0; offset < size; offset += 2 * MEBI) sum += ((volatile char *)memory)[offset];
    _exit(sum != 0);
  }
}
// Areas that do not merge.
static void areas(void) {
  for (long i = 0; i < 10 * MEBI; i++)
    if (mmap(NULL, 4096, i % 2 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED) return;
}
static void broken_up(void) {
  char *memory = mmap(NULL, 1l << 30, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  for (long offset = 0; offset < 1l << 30; offset += 8192)
    if (mprotect(memory + offset, 4096, PROT_NONE)) return;
}
static volatile int without_end = 1;
static __attribute__((noinline)) int deep(int level) {
  volatile char frame[4096];
  frame[0] = (char)level;
  return without_end ? deep(level + 1) + frame[0] : 0;
}
static void stack(void) {
  struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
  setrlimit(RLIMIT_STACK, &limit);
  deep(0);
}

// --- processes and threads ---

static void processes(void) {
  for (;;) {
    pid_t pid = fork();
    if (pid == 0) for (;;) pause();
    if (pid < 0) return;
  }
}
// Each child makes more.
static void bomb(void) {
  // The bomb goes off for as long as this process lives.
  pid_t first = getpid();
  alarm(2);
  while (getppid() != 1 || getpid() == first)
    if (fork() < 0) sched_yield();
}
static void big_processes(void) {
  char *memory = mmap(NULL, 8 * MEBI, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(memory, 1, 8 * MEBI);
  for (;;) {
    pid_t pid = fork();
    if (pid == 0) {
      memset(memory, 2, 8 * MEBI);
      for (;;) pause();
    }
    if (pid < 0) return;
  }
}
static void *waits(void *nothing) {
  for (;;) pause();
  return nothing;
}
static void threads(void) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 16384);
  pthread_t thread;
  while (pthread_create(&thread, &attributes, waits, NULL) == 0) {}
}
static void arguments(void) {
  static char *values[300];
  char *value = malloc(120000);
  memset(value, 'a', 119999);
  value[119999] = 0;
  for (int i = 0; i < 299; i++) values[i] = value;
  for (int i = 0; i < 20; i++) {
    pid_t pid = fork();
    if (pid == 0) {
      struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};
      setrlimit(RLIMIT_STACK, &limit);
      execv("/bin/no such program", values);
      execv("/proc/self/exe", values);
      _exit(1);
    }
    if (pid < 0) return;
  }
  while (wait(NULL) > 0) {}
}

// --- descriptors ---

static void fill(int descriptor) {
  fcntl(descriptor, F_SETFL, O_NONBLOCK);
  while (write(descriptor, page, sizeof page) > 0) {}
}
static void pipes(void) {
  for (int ends[2]; pipe(ends) == 0;) {}
}
static void full_pipes(void) {
  for (int ends[2]; pipe(ends) == 0;) {
    fcntl(ends[1], F_SETPIPE_SZ, MEBI);
    fill(ends[1]);
  }
}
static void sockets(void) {
  for (int ends[2]; socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0;) fill(ends[0]);
}
static void datagrams(void) {
  for (int ends[2]; socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0;) {
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    while (write(ends[0], page, 1) > 0) {}
  }
}
// Sockets that are on their way in each other.
static void travelling(void) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends)) return;
  for (int i = 0; i < 1000; i++) { // each end of one costs the length of the chain
    int next[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, next)) return;
    union { struct cmsghdr header; char bytes[CMSG_SPACE(2 * sizeof(int))]; } control = {0};
    struct iovec bytes = {page, 1};
    struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(2 * sizeof(int));
    memcpy(CMSG_DATA(&control.header), ends, sizeof ends);
    if (sendmsg(next[0], &message, MSG_DONTWAIT) < 0) return;
    close(ends[0]);
    close(ends[1]);
    ends[0] = next[0];
    ends[1] = next[1];
  }
}
static void event_descriptors(void) {
  sigset_t signals;
  sigemptyset(&signals);
  while (eventfd(0, 0) >= 0 && timerfd_create(CLOCK_MONOTONIC, 0) >= 0 && epoll_create1(0) >= 0 &&
         signalfd(-1, &signals, 0) >= 0) {}
}
static void high_descriptor(void) {
  dup2(0, MEBI - 1);
  for (int i = 0; i < 40; i++)
    if (fork() == 0) for (;;) pause();
}
static void many_polled(void) {
  struct pollfd *all = calloc(MEBI, sizeof *all);
  for (int i = 0; i < MEBI; i++) all[i].fd = 0;
  poll(all, MEBI, 0);
}
static void polled(void) {
  int set = epoll_create1(0), event = eventfd(0, 0);
  struct epoll_event interest = {.events = EPOLLIN};
  for (int copy; (copy = dup(event)) >= 0;)
    if (epoll_ctl(set, EPOLL_CTL_ADD, copy, &interest)) return;
}
static void watches(void) {
  char name[64];
  for (int i = 0; i < 2000; i++) {
    snprintf(name, sizeof name, "w%d", i);
    close(open(name, O_CREAT | O_WRONLY, 0600));
  }
  for (int notifier; (notifier = inotify_init()) >= 0;)
    for (int i = 0; i < 2000; i++) {
      snprintf(name, sizeof name, "w%d", i);
      if (inotify_add_watch(notifier, name, IN_ALL_EVENTS) < 0) return;
    }
}
// Events that nobody reads.
static void notifications(void) {
  for (int notifier; (notifier = inotify_init()) >= 0;)
    if (inotify_add_watch(notifier, ".", IN_ALL_EVENTS) < 0) return;
  for (int i = 0; i < 6000; i++) close(open("named-so-that-it-is-long-enough-to-be-worth-it", O_CREAT | O_RDWR, 0600));
}
static void terminals(void) {
  while (open("/dev/ptmx", O_RDWR | O_NOCTTY) >= 0) {}
}
static void record_locks(void) {
  int file = open("locked", O_CREAT | O_RDWR, 0600);
  for (long i = 0; i < 4 * MEBI; i += 2) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = i, .l_len = 1};
    if (fcntl(file, F_SETLK, &lock)) return;
    if (i > 4000) return; // each costs the length of the list
  }
}

// --- signals and timers ---

static void queued_signals(void) {
  sigset_t signals;
  sigfillset(&signals);
  sigprocmask(SIG_SETMASK, &signals, NULL);
  while (sigqueue(getpid(), SIGRTMIN, (union sigval){0}) == 0) {}
}
static void timers(void) {
  timer_t timer;
  while (timer_create(CLOCK_MONOTONIC, NULL, &timer) == 0) {}
}

// --- files ---

static void files(void) {
  char name[64];
  for (long i = 0;; i++) {
    snprintf(name, sizeof name, "file-%ld", i);
    int file = open(name, O_CREAT | O_WRONLY, 0600);
    if (file < 0) return;
    close(file);
  }
}
static void long_names(void) {
  char name[256];
  memset(name, 'n', 255);
  name[255] = 0;
  for (long i = 0;; i++) {
    sprintf(name, "%08ld", i);
    name[8] = 'n';
    if (symlink(name, name)) return;
  }
}
static void directories(void) {
  while (mkdir("down", 0700) == 0)
    if (chdir("down")) return;
}
static void attributes(void) {
  char name[64];
  for (long i = 0;; i++) {
    snprintf(name, sizeof name, "with-%ld", i);
    int file = open(name, O_CREAT | O_WRONLY, 0600);
    if (file < 0) return;
    for (int j = 0; j < 16; j++) {
      snprintf(name, sizeof name, "user.%d", j);
      if (fsetxattr(file, name, page, sizeof page, 0)) return;
    }
    close(file);
  }
}
static void content(void) {
  int file = open("content", O_CREAT | O_WRONLY, 0600);
  while (write(file, page, sizeof page) > 0) {}
}
static void memory_files(void) {
  for (;;) {
    int file = memfd_create("memory", 0);
    if (file < 0) return;
    for (int i = 0; i < 256; i++)
      if (write(file, page, sizeof page) <= 0) return;
  }
}
static void mapped_file(void) {
  int file = open("mapped", O_CREAT | O_RDWR, 0600);
  if (ftruncate(file, 1l << 30)) return;
  char *memory = mmap(NULL, 1l << 30, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  for (long offset = 0; offset < 1l << 30; offset += 4096) memory[offset] = 1;
}
static void without_names(void) {
  for (;;) {
    int file = open(".", O_TMPFILE | O_RDWR, 0600);
    if (file < 0 || write(file, page, sizeof page) <= 0) return;
  }
}
static void mounts(void) {
  mkdir("tree", 0700);
  if (mount("none", "tree", "tmpfs", 0, NULL) || mkdir("tree/below", 0700)) return;
  // Each copies all that there is.
  while (mount("tree", "tree/below", NULL, MS_BIND | MS_REC, NULL) == 0) {}
  while (mount("tree", "tree/below", NULL, MS_BIND, NULL) == 0) {}
}
static void heard_mounts(void) {
  mkdir("tree", 0700);
  if (mount("none", "tree", "tmpfs", 0, NULL) || mount(NULL, "tree", NULL, MS_SHARED, NULL)) return;
  if (mkdir("tree/a", 0700) || mkdir("tree/b", 0700)) return;
  while (mount("tree", "tree/a", NULL, MS_BIND, NULL) == 0) {}
}

#define KIND(name) {#name, name}
static const struct { const char *name; void (*take)(void); } kinds[] = {
  KIND(anonymous), KIND(shared), KIND(populated), KIND(locked), KIND(sparse), KIND(sparse_reads), KIND(areas),
  KIND(broken_up), KIND(stack), KIND(processes), KIND(bomb), KIND(big_processes), KIND(threads), KIND(arguments),
  KIND(pipes), KIND(full_pipes), KIND(sockets), KIND(datagrams), KIND(travelling), KIND(event_descriptors), KIND(polled), KIND(high_descriptor),
  KIND(many_polled),
  KIND(watches), KIND(notifications), KIND(terminals), KIND(record_locks), KIND(queued_signals), KIND(timers), KIND(files),
  KIND(long_names), KIND(directories), KIND(attributes), KIND(content), KIND(memory_files), KIND(mapped_file),
  KIND(without_names), KIND(mounts), KIND(heard_mounts),
};

static long free_pages(void) {
  struct sysinfo info;
  sysinfo(&info);
  return (long)(info.freeram / 4096);
}

// Removes what is below the working directory, without a recursion that its depth could break.
static void clear(void) {
  umount2(PLACE "/tree", MNT_DETACH);
  if (fork() == 0) {
    execl("/bin/rm", "rm", "-rf", PLACE, NULL);
    _exit(127);
  }
  wait(NULL);
}

int main(int count, char **values) {
  for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    int wanted = count == 1;
    for (int j = 1; j < count; j++) wanted |= !strcmp(values[j], kinds[i].name);
    if (!wanted) continue;
    long before = free_pages(), after = before;
    // The first time fills caches.
    for (int time = 0; getpid() == 1 && time < 2; time++) {
      before = after;
      mkdir(PLACE, 0755);
      if (fork() == 0) {
        chdir(PLACE);
        struct rlimit all = {MEBI, MEBI};
        setrlimit(RLIMIT_NOFILE, &all);
        setsid();
        kinds[i].take();
        _exit(0);
      }
      int status;
      wait(&status);
      kill(-1, SIGKILL);
      while (wait(NULL) > 0) {}
      clear();
      after = free_pages();
    }
    if (before - after > 256) say("FAILED: %s: %ld pages lost", kinds[i].name, before - after);
    else say("ok %s", kinds[i].name);
  }
  return 0;
}
