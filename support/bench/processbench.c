// Processes, signals, futexes and faults: one figure a line, in the form of microbench.c. The programs that it starts
// lie beside it in /bin; the shell loop and the build are left out where /bin/dash or /usr/bin/make is missing.
#define _GNU_SOURCE
#include "figures.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

// Waits for a child; false unless it exited with status 0.
static bool ended_well(pid_t child) {
  int status;
  if (child < 0 || waitpid(child, &status, 0) != child) return false;
  if (status != 0) errno = ECHILD;
  return status == 0;
}

// Prints what `count` calls of `once` take each, in `unit` of so many nanoseconds.
static void repeat(const char *name, int count, bool (*once)(void), const char *unit, double nanoseconds) {
  double start = now();
  for (int i = 0; i < count; i++) {
    if (!once()) {
      skipped(name);
      return;
    }
  }
  figure(name, (now() - start) / count / nanoseconds, unit);
}

static bool vfork_static(void) {
  char *arguments[] = {"nop-static", NULL};
  pid_t child = vfork();
  if (child == 0) {
    execve("/bin/nop-static", arguments, environ);
    _exit(127);
  }
  return ended_well(child);
}

static bool spawn_dynamic(void) {
  char *arguments[] = {"nop-dynamic", NULL};
  pid_t child;
  errno = posix_spawn(&child, "/bin/nop-dynamic", NULL, NULL, arguments, environ);
  return errno == 0 && ended_well(child);
}

static bool fork_and_exit(void) {
  pid_t child = fork();
  if (child == 0) _exit(0);
  return ended_well(child);
}

static void fork_large(const char *name) {
  size_t size = 500u << 20;
  char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    skipped(name);
    return;
  }
  for (size_t at = 0; at < size; at += 4096) memory[at] = 1;
  repeat(name, 10, fork_and_exit, "us/op", 1000);
  munmap(memory, size);
}

// Two processes hand a byte to and fro: each round is two switches.
static void process_switch(const char *name, int rounds) {
  int there[2], back[2];
  char byte = 0;
  if (pipe(there) != 0 || pipe(back) != 0) {
    skipped(name);
    return;
  }
  pid_t child = fork();
  if (child == 0) {
    for (int i = 0; i < rounds; i++)
      if (read(there[0], &byte, 1) != 1 || write(back[1], &byte, 1) != 1) _exit(1);
    _exit(0);
  }
  double start = now();
  bool works = child > 0;
  for (int i = 0; works && i < rounds; i++) works = write(there[1], &byte, 1) == 1 && read(back[0], &byte, 1) == 1;
  double end = now();
  if (works && ended_well(child))
    figure(name, (end - start) / rounds / 2, "ns/op");
  else
    skipped(name);
  for (int i = 0; i < 2; i++) {
    close(there[i]);
    close(back[i]);
  }
}

static volatile sig_atomic_t signals_seen;
static void count_signal(int number) {
  (void)number;
  signals_seen++;
}

static void signal_round(const char *name, int rounds) {
  struct sigaction action = {.sa_handler = count_signal};
  sigaction(SIGUSR1, &action, NULL);
  pid_t self = getpid();
  double start = now();
  for (int i = 0; i < rounds; i++) kill(self, SIGUSR1);
  double end = now();
  errno = EINTR;
  if (signals_seen == rounds)
    figure(name, (end - start) / rounds, "ns/op");
  else
    skipped(name);
}

static _Atomic uint32_t turn;
enum { FUTEX_ROUNDS = 20000 };

static void wait_for_turn(uint32_t mine) {
  for (uint32_t seen; (seen = atomic_load(&turn)) != mine;)
    syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}
static void give_turn(uint32_t to) {
  atomic_store(&turn, to);
  syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}
static void *take_turns(void *unused) {
  for (int i = 0; i < FUTEX_ROUNDS; i++) {
    wait_for_turn(1);
    give_turn(0);
  }
  return unused;
}

static void futex_turns(const char *name) {
  pthread_t other;
  if ((errno = pthread_create(&other, NULL, take_turns, NULL)) != 0) {
    skipped(name);
    return;
  }
  double start = now();
  for (int i = 0; i < FUTEX_ROUNDS; i++) {
    give_turn(1);
    wait_for_turn(0);
  }
  double end = now();
  pthread_join(other, NULL);
  figure(name, (end - start) / FUTEX_ROUNDS / 2, "ns/op");
}

enum { STORM_THREADS = 8, STORM_PAGES = 4096 };
static char *storm;

// Each thread touches every eighth page, so that they meet in all tables and areas.
static void *touch_pages(void *first) {
  for (size_t page = (size_t)first; page < STORM_PAGES; page += STORM_THREADS) storm[page * 4096] = 1;
  return NULL;
}

static void fault_storm(const char *name, int rounds) {
  double total = 0;
  size_t size = (size_t)STORM_PAGES * 4096;
  for (int round = 0; round < rounds; round++) {
    pthread_t threads[STORM_THREADS];
    storm = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (storm == MAP_FAILED) {
      skipped(name);
      return;
    }
    // Small pages: what is measured is the fault, not the zeroing of large ones.
    madvise(storm, size, MADV_NOHUGEPAGE);
    double start = now();
    for (size_t i = 0; i < STORM_THREADS; i++) {
      if ((errno = pthread_create(&threads[i], NULL, touch_pages, (void *)i)) != 0) {
        skipped(name);
        return;
      }
    }
    for (int i = 0; i < STORM_THREADS; i++) pthread_join(threads[i], NULL);
    total += now() - start;
    munmap(storm, size);
  }
  figure(name, total / rounds / STORM_PAGES, "ns/page");
}

static bool command_works(const char *program, char *const arguments[]) {
  pid_t child;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
  errno = posix_spawn(&child, program, &actions, NULL, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  return errno == 0 && ended_well(child);
}

static bool shell_loop(void) {
  char *arguments[] = {"sh", "-c", "i=0; while [ $i -lt 500 ]; do /bin/true || exit 1; i=$((i + 1)); done", NULL};
  return command_works("/bin/dash", arguments);
}

static bool make_project(void) {
  char *arguments[] = {"make", "-s", "-j2", "-C", "/tmp/project", NULL};
  return command_works("/usr/bin/make", arguments);
}

enum { STREAM_PIECE = 65536, STREAM_TOTAL = 64 << 20 };

// The other end of connections: sends each byte back, or takes all there is.
static void serve(int waiting) {
  static char buffer[STREAM_PIECE];
  for (;;) {
    int end = accept(waiting, NULL, NULL);
    for (ssize_t got; (got = read(end, buffer, sizeof buffer)) > 0;)
      if (got == 1 && write(end, buffer, 1) != 1) _exit(1);
    close(end);
  }
}

// Connections of TCP by way of the loopback interface, which Linux leaves down until somebody wants it.
static void streams(void) {
  struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof name;
  int waiting = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  struct ifreq interface = {.ifr_name = "lo"};
  if (ioctl(waiting, SIOCGIFFLAGS, &interface) == 0 && !(interface.ifr_flags & IFF_UP)) {
    interface.ifr_flags |= IFF_UP;
    ioctl(waiting, SIOCSIFFLAGS, &interface);
  }
  if (bind(waiting, (struct sockaddr *)&name, size) != 0 || listen(waiting, 16) != 0 ||
      getsockname(waiting, (struct sockaddr *)&name, &size) != 0) {
    skipped("tcp connect+close");
    return;
  }
  pid_t child = fork();
  if (child == 0) serve(waiting);
  double start = now();
  for (int i = 0; i < 500; i++) {
    int end = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(end, (struct sockaddr *)&name, size) != 0) skipped("tcp connect+close");
    close(end);
  }
  figure("tcp connect+close", (now() - start) / 500 / 1000, "us/op");
  int end = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(end, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect(end, (struct sockaddr *)&name, size) != 0) skipped("tcp round trip");
  char byte = 0;
  start = now();
  for (int i = 0; i < 5000; i++)
    if (write(end, &byte, 1) != 1 || read(end, &byte, 1) != 1) skipped("tcp round trip");
  figure("tcp round trip", (now() - start) / 5000, "ns/op");
  static char piece[STREAM_PIECE];
  start = now();
  for (long sent = 0; sent < STREAM_TOTAL;) {
    ssize_t written = write(end, piece, sizeof piece);
    if (written <= 0) break;
    sent += written;
  }
  shutdown(end, SHUT_WR);
  while (read(end, &byte, 1) > 0) {}
  figure("tcp stream", STREAM_TOTAL / ((now() - start) / 1e9) / 1e6, "MB/s");
  close(end);
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  close(waiting);
}

int main(void) {
  setenv("PATH", "/bin:/usr/bin", 1);
  repeat("vfork+exec static", 200, vfork_static, "us/op", 1000);
  repeat("posix_spawn dynamic", 100, spawn_dynamic, "us/op", 1000);
  fork_large("fork, 500 MB resident");
  process_switch("process switch", 10000);
  signal_round("signal and return", 50000);
  futex_turns("futex wake to wake");
  fault_storm("fault storm, 8 threads", 8);
  streams();
  if (access("/bin/dash", X_OK) == 0) repeat("shell loop of 500 true", 1, shell_loop, "ms", 1e6);
  if (access("/usr/bin/make", X_OK) == 0) {
    char *copy[] = {"cp", "-r", "/project", "/tmp/project", NULL};
    if (command_works("/bin/cp", copy))
      repeat("make -j2 of a project", 1, make_project, "ms", 1e6);
    else
      skipped("make -j2 of a project");
  }
  puts("processbench: done");
  return 0;
}
