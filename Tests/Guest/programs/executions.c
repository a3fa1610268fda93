// Many processes at once that execute what is a program, a script without an interpreter, garbage, a file that is being
// written, or nothing: by path, by descriptor and relative to one, from the first thread or from another one beside a
// third. What fails must fail with its own error, leave the process as it was, and change no errno but the caller's.
//
//   executions COUNT
#define _GNU_SOURCE
#include "../check.h"

#include <pthread.h>
#include <sys/wait.h>

#define AT_ONCE 24

enum { PROGRAM, GARBAGE, SCRIPT, DIRECTORY, MISSING, BUSY, SHARED, KINDS };
static const char *const names[] = {"program", "garbage", "script", "directory", "missing", "busy", "shared"};
enum { PATH, RELATIVE, EMPTY, DESCRIPTOR, WAYS };

struct attempt {
  int way, fd, error;
  const char *path;
};

static char *const arguments[] = {"executions", "once", NULL};
static char *const no_environment[] = {NULL};

static void try(struct attempt *attempt) {
  switch (attempt->way) {
    case PATH: execve(attempt->path, arguments, no_environment); break;
    // Standard input is no directory.
    case RELATIVE:
      syscall(SYS_execveat, 0, attempt->path, arguments, no_environment, 0);
      break;
    case EMPTY: syscall(SYS_execveat, attempt->fd, "", arguments, no_environment, AT_EMPTY_PATH); break;
    case DESCRIPTOR: fexecve(attempt->fd, arguments, no_environment); break;
  }
  attempt->error = errno;
}

static void *try_here(void *argument) {
  try(argument);
  return NULL;
}

static void *wait_for_the_end(void *argument) {
  for (;;) pause();
  return argument;
}

static void write_garbage(int fd, int is_script) {
  char bytes[1024];
  for (size_t i = 0; i < sizeof bytes; i++) bytes[i] = (char)(i * 37 + 11);
  if (is_script) memcpy(bytes, "#!/no/such/interpreter\n", 23);
  if (write(fd, bytes, sizeof bytes) != sizeof bytes) _exit(100);
}

/// Returns the error that is right, or 0 for a program that runs. `SHARED` has several: any of them is as good.
static int expected(int kind, int way, int error) {
  if (way == RELATIVE && kind != PROGRAM && kind != DIRECTORY) return ENOTDIR;
  switch (kind) {
    case PROGRAM: return 0;
    case GARBAGE: return ENOEXEC;
    case SCRIPT: return ENOENT;
    case DIRECTORY: return EACCES;
    case MISSING: return way == EMPTY || way == DESCRIPTOR ? EBADF : ENOENT;
    case BUSY: return ETXTBSY;
    default: return error == ENOEXEC || error == ETXTBSY || error == ENOENT ? error : ENOEXEC;
  }
}

/// The status of a child: 0 when all was right, else what went wrong.
static int child(int kind, int way, int threads, int number) {
  char name[64];
  snprintf(name, sizeof name, kind == SHARED ? "shared" : "file-%d", number);
  struct attempt attempt = {.way = way, .fd = 77, .path = name};
  int writer = -1;
  if (kind == PROGRAM) attempt.path = "/proc/self/exe";
  if (kind == DIRECTORY) attempt.path = "/";
  if (kind == MISSING) attempt.path = "none";
  if (kind == GARBAGE || kind == SCRIPT || kind == BUSY || kind == SHARED) {
    writer = open(name, O_CREAT | O_RDWR | O_TRUNC | O_CLOEXEC, 0700);
    // Somebody may be executing the shared one just now.
    if (writer < 0 && (kind != SHARED || errno != ETXTBSY)) return 101;
    if (writer >= 0) {
      write_garbage(writer, kind == SCRIPT);
      if (kind != BUSY) close(writer);
    }
  }
  if (kind != MISSING) attempt.fd = open(attempt.path, O_PATH);
  if (attempt.fd < 0 && kind == SHARED) return 0;
  errno = 0;
  if (threads) {
    pthread_t sleeper, executor;
    if (pthread_create(&sleeper, NULL, wait_for_the_end, NULL)) return 102;
    if (pthread_create(&executor, NULL, try_here, &attempt)) return 103;
    pthread_join(executor, NULL);
    if (errno) return 104;
  } else {
    try(&attempt);
  }
  if (kind != DIRECTORY && kind != MISSING && kind != PROGRAM) unlink(name);
  return attempt.error == expected(kind, way, attempt.error) ? 0 : attempt.error;
}

static int running, wrong, lost;

/// Takes the news of one child, of which there is one at least.
static void reap(int options) {
  int status = -1;
  pid_t pid = waitpid(-1, &status, options);
  if (pid == 0) return;
  running--;
  if (pid < 0) lost++;
  else wrong += status != 0;
}

int main(int count, char **values) {
  if (count == 2 && !strcmp(values[1], "once")) return 0;
  int children = count == 2 ? atoi(values[1]) : 500;
  mkdir("place", 0700);
  if (chdir("place")) return 2;
  int null = open("/dev/zero", O_RDONLY);
  dup2(null, 0);
  close(null);
  for (int i = 0; i < children; i++) {
    int kind = i % KINDS, way = i / KINDS % WAYS, threads = i / KINDS / WAYS % 3 == 0;
    pid_t pid = fork();
    if (pid == 0) {
      int status = child(kind, way, threads, i);
      if (status) say("%s, way %d%s: %s", names[kind], way, threads ? ", threads" : "", check_errno_name(status));
      _exit(status != 0);
    }
    if (pid < 0) {
      say("fork: %s", check_errno_name(errno));
      return 1;
    }
    running++;
    reap(running < AT_ONCE ? WNOHANG : 0);
  }
  while (running > 0) reap(0);
  CHECK_EQ(wrong, 0);
  CHECK_EQ(lost, 0);
  CHECK_ERRNO(waitpid(-1, NULL, 0), ECHILD);
  CHECK_END();
}
