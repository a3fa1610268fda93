// Dies in the way its argument names; the runner compares the exit status, 128 + the signal's number.
#include "../check.h"

#include <sys/resource.h>

__attribute__((noinline)) static int recurse(int depth) {
  volatile char frame[4096];
  frame[0] = (char)depth;
  return depth < 1 << 30 ? recurse(depth + 1) + frame[0] : 0;
}

int main(int argc, char **argv) {
  const char *how = argc > 1 ? argv[1] : "";
  say("dying by %s", how);
  if (strcmp(how, "exit") == 0) _exit(argc > 2 ? atoi(argv[2]) : 0);
  if (strcmp(how, "thread-exit") == 0) syscall(SYS_exit, 23);
  if (strcmp(how, "null") == 0) *(volatile int *)NULL = 1;
  if (strcmp(how, "jump") == 0) ((void (*volatile)(void))NULL)();
  if (strcmp(how, "text") == 0) *(volatile char *)main = 1;
  if (strcmp(how, "ud2") == 0) __asm__ volatile("ud2");
  if (strcmp(how, "divide") == 0)
    __asm__ volatile("xor %%ecx, %%ecx; xor %%edx, %%edx; divl %%ecx" : : : "ecx", "edx", "eax");
  if (strcmp(how, "int3") == 0) __asm__ volatile("int3");
  if (strcmp(how, "hlt") == 0) __asm__ volatile("hlt");
  if (strcmp(how, "overflow") == 0) return recurse(0);
  if (strcmp(how, "abort") == 0) abort();
  if (strcmp(how, "bad-stack") == 0) __asm__ volatile("mov $0x1000, %rsp; push %rax");
  if (strcmp(how, "bad-return") == 0) __asm__ volatile("mov $0, %rsp; mov $15, %eax; syscall");
  if (strcmp(how, "blocked") == 0) {
    // A fault whose signal is blocked kills, handler or not.
    sigset_t mask;
    sigfillset(&mask);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    *(volatile int *)8 = 1;
  }
  if (strcmp(how, "ignored") == 0) {
    signal(SIGSEGV, SIG_IGN);
    *(volatile int *)8 = 1;
  }
  if (strcmp(how, "signal") == 0) {
    kill(getpid(), atoi(argv[2]));
    say("still here");
    return 5;
  }
  if (strcmp(how, "alarm") == 0) {
    alarm(1);
    for (;;) pause();
  }
  if (strcmp(how, "alarm-running") == 0) {
    alarm(1);
    for (;;) __asm__ volatile("");
  }
  say("unknown");
  return 99;
}
