// A handler that repairs the cause of a fault and returns to the instruction, and one that changes the context.
#include "../check.h"

#include <ucontext.h>

#define PAGE 4096ul

static char *area;
static volatile int faults;

static void unprotect(int number, siginfo_t *info, void *context) {
  (void)number, (void)context;
  faults++;
  mprotect((void *)((uintptr_t)info->si_addr & -PAGE), PAGE, PROT_READ | PROT_WRITE);
}

static void map_in(int number, siginfo_t *info, void *context) {
  (void)number, (void)context;
  faults++;
  char *page = (char *)((uintptr_t)info->si_addr & -PAGE);
  mmap(page, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  memset(page, 0x5a, PAGE);
}

static void skip(int number, siginfo_t *info, void *context) {
  (void)number, (void)info;
  ucontext_t *machine = context;
  faults++;
  machine->uc_mcontext.gregs[REG_RIP] += 2;  // ud2 has two bytes
  machine->uc_mcontext.gregs[REG_RAX] = 0x1234567890;
}

static void handle(int number, void (*handler)(int, siginfo_t *, void *)) {
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  sigaction(number, &action, NULL);
}

int main(void) {
  area = mmap(NULL, 64 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  handle(SIGSEGV, unprotect);
  for (int i = 0; i < 64; i++) area[(size_t)i * PAGE + (size_t)i] = (char)i;
  CHECK_EQ(faults, 64);
  int sum = 0;
  for (int i = 0; i < 64; i++) sum += area[(size_t)i * PAGE + (size_t)i];
  CHECK_EQ(sum, 2016);

  handle(SIGSEGV, map_in);
  faults = 0;
  munmap(area, 64 * PAGE);
  sum = 0;
  for (int i = 0; i < 64; i++) sum += area[(size_t)i * PAGE] == 0x5a;
  CHECK_EQ(sum, 64);
  CHECK_EQ(faults, 64);

  handle(SIGILL, skip);
  faults = 0;
  long result = 1;
  __asm__ volatile("ud2" : "+a"(result));
  CHECK_EQ(result, 0x1234567890);
  CHECK_EQ(faults, 1);
  CHECK_END();
}
