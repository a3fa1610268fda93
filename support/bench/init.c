// The Linux guest's init: mounts /proc, /dev and /tmp, loads the modules that lie in /modules and mounts the 9P share
// with the options of the environment's SHARE if that is set, runs the program that its arguments name (Linux hands it
// what follows `--` on the kernel's command line), and powers off through QEMU's isa-debug-exit with the program's
// status.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { EXIT_PORT = 0x501 };

static void power_off(int status) {
  sync();
  if (ioperm(EXIT_PORT, 1, 1) == 0) outb(status & 0x7f, EXIT_PORT);
  reboot(RB_POWER_OFF);
  for (;;) pause();
}

static void mount_at(const char *type, const char *path) {
  mkdir(path, 0755);
  // EBUSY: the kernel has mounted /dev itself.
  if (mount(type, path, type, 0, NULL) == 0 || errno == EBUSY) return;
  printf("init: mount %s: %s\n", path, strerror(errno));
  power_off(125);
}

// Loads /modules/0, /modules/1 and so on, and mounts the share.
static void mount_share(const char *options) {
  char name[32];
  for (int i = 0;; i++) {
    snprintf(name, sizeof name, "/modules/%d", i);
    int module = open(name, O_RDONLY | O_CLOEXEC);
    if (module < 0) break;
    if (syscall(SYS_finit_module, module, "", 0) != 0) printf("init: %s: %s\n", name, strerror(errno));
    close(module);
  }
  mkdir("/share", 0755);
  if (mount("fs0", "/share", "9p", 0, options) == 0) return;
  printf("init: mount the share: %s\n", strerror(errno));
  power_off(125);
}

int main(int argc, char **argv) {
  mount_at("proc", "/proc");
  mount_at("devtmpfs", "/dev");
  mount_at("tmpfs", "/tmp");
  const char *share = getenv("SHARE");
  if (share != NULL) mount_share(share);
  if (argc < 2) {
    puts("init: no program on the command line");
    power_off(125);
  }
  pid_t child = fork();
  if (child == 0) {
    execv(argv[1], argv + 1);
    printf("init: %s: %s\n", argv[1], strerror(errno));
    _exit(127);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) < 0) {
    printf("init: %s\n", strerror(errno));
    power_off(125);
  }
  power_off(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}
