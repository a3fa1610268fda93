// Faults with siginfo: signal, code, address, and what the machine context says.
#include "../check.h"

#include <fenv.h>
#include <setjmp.h>
#include <ucontext.h>

#define PAGE 4096ul

static sigjmp_buf escape;
static volatile sig_atomic_t seen_signal, seen_code;
static void *volatile seen_address;
static volatile long seen_error, seen_trap, seen_cr2;

static void on_fault(int number, siginfo_t *info, void *context) {
  ucontext_t *machine = context;
  seen_signal = number;
  seen_code = info->si_code;
  seen_address = info->si_addr;
  seen_error = machine->uc_mcontext.gregs[REG_ERR];
  seen_trap = machine->uc_mcontext.gregs[REG_TRAPNO];
  seen_cr2 = machine->uc_mcontext.gregs[REG_CR2];
  siglongjmp(escape, 1);
}

/// Runs a statement that must fault, and says how.
#define FAULT(what, address, statement)                                                                             \
  do {                                                                                                              \
    seen_signal = 0;                                                                                                \
    if (sigsetjmp(escape, 1) == 0) {                                                                                \
      statement;                                                                                                    \
    }                                                                                                               \
    say("%s: signal %d code %d trap %ld error %s%s%s, %s", what, (int)seen_signal, (int)seen_code, seen_trap,       \
        seen_trap == 14 && seen_error & 4 ? "user " : "", seen_trap == 14 && seen_error & 2 ? "write " : "",        \
        seen_trap == 14 && seen_error & 16 ? "fetch " : "",                                                         \
        !seen_signal ? "no fault" : seen_address == (void *)(address) ? "right address" : "wrong address");         \
    check_report(seen_signal != 0 && seen_address == (void *)(address), __LINE__, what);                            \
  } while (0)

int main(void) {
  struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
  int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, NULL);
  int anonymous = MAP_PRIVATE | MAP_ANONYMOUS;
  char *area = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, anonymous, -1, 0);
  memset(area, 0x90, 4 * PAGE);
  munmap(area + 3 * PAGE, PAGE);
  mprotect(area + PAGE, PAGE, PROT_READ);
  mprotect(area + 2 * PAGE, PAGE, PROT_NONE);
  volatile char *bytes = area;

  FAULT("read of nothing", NULL, (void)*(volatile char *)NULL);
  FAULT("write of nothing", 24, *(volatile char *)24 = 1);
  FAULT("read of unmapped memory", area + 3 * PAGE + 7, (void)bytes[3 * PAGE + 7]);
  FAULT("write of unmapped memory", area + 3 * PAGE + 7, bytes[3 * PAGE + 7] = 1);
  FAULT("write of read-only memory", area + PAGE + 9, bytes[PAGE + 9] = 1);
  FAULT("read of PROT_NONE", area + 2 * PAGE, (void)bytes[2 * PAGE]);
  FAULT("write of PROT_NONE", area + 2 * PAGE + 1, bytes[2 * PAGE + 1] = 1);
  FAULT("execution of data", area, ((void (*)(void))area)());
  FAULT("execution of unmapped memory", area + 3 * PAGE, ((void (*)(void))(area + 3 * PAGE))());
  FAULT("jump to nothing", NULL, ((void (*volatile)(void))NULL)());
  FAULT("write of the program's text", (char *)main, *(volatile char *)main = 0);
  FAULT("read of a non-canonical address", NULL, (void)*(volatile char *)0x8000000000000000);
  FAULT("write of a non-canonical address", NULL, *(volatile char *)0x0000800000000000 = 1);
  FAULT("read of a kernel address", 0xffff800000000000, (void)*(volatile char *)0xffff800000000000);
  FAULT("read of the last byte", -1l, (void)*(volatile char *)-1l);
  FAULT("read across into unmapped memory", area + 3 * PAGE,
        (mprotect(area + 2 * PAGE, PAGE, PROT_READ), (void)*(volatile long *)(area + 3 * PAGE - 4)));

  int fd = open("/tmp/faults", O_RDWR | O_CREAT | O_TRUNC, 0644);
  write(fd, "short", 5);
  volatile char *file = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  CHECK_EQ(file[0], 's');
  CHECK_EQ(file[PAGE - 1], 0);
  FAULT("read beyond the end of a file", file + PAGE, (void)file[PAGE]);
  FAULT("write beyond the end of a file", file + 2 * PAGE + 3, file[2 * PAGE + 3] = 1);
  ftruncate(fd, 2 * PAGE);
  CHECK_EQ(file[PAGE], 0);
  ftruncate(fd, 0);
  FAULT("read of a page that was cut off", file, (void)file[0]);
  volatile char *private = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  FAULT("write beyond the end, private", private + 1, private[1] = 1);
  close(fd);
  unlink("/tmp/faults");

  volatile int zero = 0, least = -2147483647 - 1;
  volatile int result;
  seen_signal = 0;
  if (sigsetjmp(escape, 1) == 0) result = (zero + 1) / zero;
  say("division by zero: signal %d code %d trap %ld", (int)seen_signal, (int)seen_code, seen_trap);
  seen_signal = 0;
  if (sigsetjmp(escape, 1) == 0) result = least / (zero - 1);
  say("division overflow: signal %d code %d", (int)seen_signal, (int)seen_code);
  (void)result;

  volatile double nothing = 0, quotient;
  seen_signal = 0;
  if (sigsetjmp(escape, 1) == 0) {
    feclearexcept(FE_ALL_EXCEPT);
#ifdef __GLIBC__
    feenableexcept(FE_DIVBYZERO);
#else
    unsigned control;
    __asm__ volatile("stmxcsr %0" : "=m"(control));
    control &= ~0x200u;
    __asm__ volatile("ldmxcsr %0" : : "m"(control));
#endif
    quotient = 1 / nothing;
    (void)quotient;
  }
  say("division by zero, SSE: signal %d code %d trap %ld", (int)seen_signal, (int)seen_code, seen_trap);
  seen_signal = 0;
  if (sigsetjmp(escape, 1) == 0) {
    unsigned short control = 0x37f & ~4;
    __asm__ volatile("fninit; fldcw %0; fld1; fldz; fdivrp; fwait; fninit" : : "m"(control));
  }
  __asm__ volatile("fninit");
  say("division by zero, x87: signal %d code %d trap %ld", (int)seen_signal, (int)seen_code, seen_trap);

#define INSTRUCTION(what, text)                                                                         \
  do {                                                                                                  \
    extern char label_##what[] __asm__("label_" #what);                                                 \
    seen_signal = 0;                                                                                    \
    if (sigsetjmp(escape, 1) == 0) __asm__ volatile("label_" #what ": " text : : : "rax", "memory");    \
    say(#what ": signal %d code %d trap %ld, address %s", (int)seen_signal, (int)seen_code, seen_trap,  \
        seen_address == label_##what ? "of the instruction" : seen_address == NULL ? "0" : "other");    \
  } while (0)
  INSTRUCTION(ud2, "ud2");
  INSTRUCTION(int3, "int3");
  INSTRUCTION(hlt, "hlt");
  INSTRUCTION(cli, "cli");
  INSTRUCTION(in, "inb $0x60, %%al");
  INSTRUCTION(mov_cr, "mov %%cr0, %%rax");
  INSTRUCTION(wrmsr, "wrmsr");
  INSTRUCTION(int_unused, "int $0x33");
  INSTRUCTION(bad_segment, "mov $0x1234, %%eax; mov %%eax, %%ds");
  INSTRUCTION(iretq, "pushq $0; pushq $0; pushq $0; pushq $8; pushq $0; iretq");

  // Nothing that the kernel keeps for itself can be read, wherever it is: these addresses are free under Linux.
  static const uintptr_t hidden[] = {0x7f8000000000, 0x7f8000100000, 0x7f8000200000, 0x7f8040000000, 0x7fc000000000};
  for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++) {
    seen_signal = 0;
    if (sigsetjmp(escape, 1) == 0) (void)*(volatile char *)hidden[i];
    CHECK_THAT("an address of the kernel's cannot be read", seen_signal == SIGSEGV);
    seen_signal = 0;
    if (sigsetjmp(escape, 1) == 0) *(volatile char *)hidden[i] = 1;
    CHECK_THAT("nor written", seen_signal == SIGSEGV);
  }
  CHECK_END();
}
