// A signal's frame: every register, the flags and the vector registers are the same after a handler that destroys
// them all; the frame has the ABI's layout; a handler sees and may change what it interrupted.
#include "../check.h"

#include <cpuid.h>
#include <sys/time.h>
#include <ucontext.h>

static volatile int calls;
static volatile int aligned = 1, has_fpstate = 1, flags_ok = 1;

__attribute__((target("sse2"))) static void destroy_sse(void) {
  __asm__ volatile(
      "pcmpeqb %%xmm0, %%xmm0\n movdqa %%xmm0, %%xmm1\n movdqa %%xmm0, %%xmm2\n movdqa %%xmm0, %%xmm3\n"
      "movdqa %%xmm0, %%xmm4\n movdqa %%xmm0, %%xmm5\n movdqa %%xmm0, %%xmm6\n movdqa %%xmm0, %%xmm7\n"
      "movdqa %%xmm0, %%xmm8\n movdqa %%xmm0, %%xmm9\n movdqa %%xmm0, %%xmm10\n movdqa %%xmm0, %%xmm11\n"
      "movdqa %%xmm0, %%xmm12\n movdqa %%xmm0, %%xmm13\n movdqa %%xmm0, %%xmm14\n movdqa %%xmm0, %%xmm15\n"
      "fninit\n"
      : : : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
            "xmm13", "xmm14", "xmm15");
}

__attribute__((target("avx"))) static void destroy_avx(void) {
  __asm__ volatile("vcmptrueps %%ymm0, %%ymm0, %%ymm0\n vmovaps %%ymm0, %%ymm3\n vmovaps %%ymm0, %%ymm15\n"
                   : : : "xmm0", "xmm3", "xmm15");
}

static int have_avx;

static void handler(int number, siginfo_t *info, void *context) {
  (void)number, (void)info;
  ucontext_t *machine = context;
  calls++;
  destroy_sse();
  if (have_avx) destroy_avx();
  aligned &= ((uintptr_t)__builtin_frame_address(0) + 16) % 16 == 0;
  has_fpstate &= machine->uc_mcontext.fpregs != NULL && (uintptr_t)machine->uc_mcontext.fpregs % 64 == 0;
  unsigned long flags;
  __asm__ volatile("pushfq; pop %0" : "=r"(flags));
  flags_ok &= (flags & 0x400) == 0;  // the direction flag is clear in a handler
}

/// Spins with known values in all registers until a handler has run, then compares. Returns a bit per wrong register.
static unsigned long registers_survive(void) {
  static unsigned long saved[2];
  unsigned long wrong;
  __asm__ volatile(
      "mov %%rbp, %[save]\n sub $128, %%rsp\n"  // below the red zone, as this pushes
      "mov $0x0101010101010101, %%rax\n mov $0x0202020202020202, %%rbx\n mov $0x0303030303030303, %%rcx\n"
      "mov $0x0404040404040404, %%rdx\n mov $0x0505050505050505, %%rsi\n mov $0x0606060606060606, %%rdi\n"
      "mov $0x0707070707070707, %%rbp\n mov $0x0808080808080808, %%r8\n mov $0x0909090909090909, %%r9\n"
      "mov $0x1010101010101010, %%r10\n mov $0x1111111111111111, %%r11\n mov $0x1212121212121212, %%r12\n"
      "mov $0x1313131313131313, %%r13\n mov $0x1414141414141414, %%r14\n mov $0x1515151515151515, %%r15\n"
      "movq %%rax, %%xmm0\n movq %%rbx, %%xmm1\n movq %%r15, %%xmm15\n movq %%r9, %%xmm9\n"
      "std\n stc\n"
      "1: cmpl $0, %[calls]\n je 1b\n"
      "pushfq\n cld\n"
      // The compare left its own flags, but the direction flag must be as it was.
      "testl $0x400, (%%rsp)\n lea 8(%%rsp), %%rsp\n"
      "mov %%rax, %[rax]\n"
      "mov $0, %%eax\n jnz 2f\n or $1, %%eax\n 2:\n"
#define REGISTER(name, value, bit) \
  "push %%rax\n mov $" value ", %%rax\n cmp %%rax, %%" name "\n pop %%rax\n je 3f\n or $" bit ", %%eax\n 3:\n"
      REGISTER("rbx", "0x0202020202020202", "0x2")
      REGISTER("rcx", "0x0303030303030303", "0x4")
      REGISTER("rdx", "0x0404040404040404", "0x8")
      REGISTER("rsi", "0x0505050505050505", "0x10")
      REGISTER("rdi", "0x0606060606060606", "0x20")
      REGISTER("rbp", "0x0707070707070707", "0x40")
      REGISTER("r8", "0x0808080808080808", "0x80")
      REGISTER("r9", "0x0909090909090909", "0x100")
      REGISTER("r10", "0x1010101010101010", "0x200")
      REGISTER("r11", "0x1111111111111111", "0x400")
      REGISTER("r12", "0x1212121212121212", "0x800")
      REGISTER("r13", "0x1313131313131313", "0x1000")
      REGISTER("r14", "0x1414141414141414", "0x2000")
      REGISTER("r15", "0x1515151515151515", "0x4000")
      "movq %%xmm0, %%rbx\n"
      REGISTER("rbx", "0x0101010101010101", "0x10000")
      "movq %%xmm1, %%rbx\n"
      REGISTER("rbx", "0x0202020202020202", "0x20000")
      "movq %%xmm15, %%rbx\n"
      REGISTER("rbx", "0x1515151515151515", "0x40000")
      "movq %%xmm9, %%rbx\n"
      REGISTER("rbx", "0x0909090909090909", "0x80000")
      "add $128, %%rsp\n mov %[save], %%rbp\n"
      : "=&a"(wrong), [save] "=m"(saved[0]), [rax] "=m"(saved[1])
      : [calls] "m"(calls)
      : "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "xmm0", "xmm1", "xmm9",
        "xmm15", "memory", "cc");
  if (saved[1] != 0x0101010101010101) wrong |= 0x100000;
  return wrong;
}

__attribute__((target("avx"))) static int ymm_survives(void) {
  static const unsigned long pattern[4] __attribute__((aligned(32))) = {1, 2, 3, 0x1234567890};
  static unsigned long result[8] __attribute__((aligned(32)));
  calls = 0;
  struct itimerval timer = {.it_value = {0, 10000}};
  setitimer(ITIMER_REAL, &timer, NULL);
  __asm__ volatile(
      "vmovaps %[pattern], %%ymm3\n vmovaps %%ymm3, %%ymm15\n"
      "1: cmpl $0, %[calls]\n je 1b\n"
      "vmovaps %%ymm3, %[one]\n vmovaps %%ymm15, %[two]\n vzeroupper\n"
      : [one] "=m"(*(unsigned long(*)[4])result), [two] "=m"(*(unsigned long(*)[4])(result + 4))
      : [pattern] "m"(*(const unsigned long(*)[4])pattern), [calls] "m"(calls)
      : "xmm3", "xmm15", "memory");
  return memcmp(result, pattern, 32) == 0 && memcmp(result + 4, pattern, 32) == 0;
}

static void change_xmm(int number, siginfo_t *info, void *context) {
  (void)number, (void)info;
  ucontext_t *machine = context;
  machine->uc_mcontext.fpregs->_xmm[5].element[0] = 0xabcd;
  machine->uc_mcontext.gregs[REG_R12] = 0x4321;
}

int main(void) {
  unsigned a, b, c, d;
  __cpuid(1, a, b, c, d);
  if (c & 1u << 27 && c & 1u << 28) {  // OSXSAVE and AVX: ask what the system enabled
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    have_avx = (low & 6) == 6;
  }
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
  sigaction(SIGALRM, &action, NULL);
  sigaction(SIGUSR1, &action, NULL);
  struct itimerval timer = {.it_value = {0, 20000}};
  setitimer(ITIMER_REAL, &timer, NULL);
  CHECK_EQ(registers_survive(), 0);
  CHECK_EQ(calls, 1);
  CHECK_THAT("the upper halves of the ymm registers survive", !have_avx || ymm_survives());
  raise(SIGUSR1);
  CHECK_THAT("the stack is aligned in a handler", aligned);
  CHECK_THAT("the frame holds the floating point state", has_fpstate);
  CHECK_THAT("the direction flag is clear in a handler", flags_ok);

  // The x87 and SSE control words come back too.
  unsigned control = 0x1f80 | 0x6000, now = 0;
  unsigned short x87 = 0x27f, x87_now = 0;
  __asm__ volatile("ldmxcsr %0; fldcw %1" : : "m"(control), "m"(x87));
  raise(SIGUSR1);
  __asm__ volatile("stmxcsr %0; fnstcw %1" : "=m"(now), "=m"(x87_now));
  CHECK_EQ(now & ~0x3fu, control);
  CHECK_EQ(x87_now, x87);

  action.sa_sigaction = change_xmm;
  sigaction(SIGUSR2, &action, NULL);
  unsigned long xmm, r12, pid = (unsigned long)getpid();
  __asm__ volatile(
      "pxor %%xmm5, %%xmm5\n xor %%r12, %%r12\n mov $12, %%esi\n mov $62, %%eax\n syscall\n"
      "movq %%xmm5, %0\n mov %%r12, %1\n"
      : "=&r"(xmm), "=&r"(r12) : "D"(pid) : "rax", "rcx", "r11", "rsi", "r12", "xmm5", "memory");
  CHECK_EQ(xmm, 0xabcd);
  CHECK_EQ(r12, 0x4321);

  // Many in a row: nothing leaks.
  action.sa_sigaction = handler;
  sigaction(SIGUSR1, &action, NULL);
  calls = 0;
  for (int i = 0; i < 10000; i++) raise(SIGUSR1);
  CHECK_EQ(calls, 10000);
  CHECK_END();
}
