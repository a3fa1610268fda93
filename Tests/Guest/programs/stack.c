// The stack: it grows on touch, as far as its limit; what lies below is a fault that an alternate stack can handle.
#include "../check.h"

#include <setjmp.h>
#include <sys/resource.h>

#define PAGE 4096ul

static sigjmp_buf escape;
static char alternate[65536];
static volatile int on_alternate, code;
static volatile uintptr_t deepest;
static volatile int frames;

static void on_overflow(int number, siginfo_t *info, void *context) {
  (void)number, (void)context;
  char here;
  on_alternate = &here >= alternate && &here < alternate + sizeof alternate;
  code = info->si_code;
  siglongjmp(escape, 1);
}

__attribute__((noinline)) static int recurse(int depth) {
  volatile char frame[1000];
  frame[0] = (char)depth;
  deepest = (uintptr_t)frame;
  frames = depth;
  if (depth < 1 << 30) return recurse(depth + 1) + frame[0];
  return 0;
}

__attribute__((noinline)) static long far_below(size_t distance) {
  volatile char *area = __builtin_alloca(distance);
  area[0] = 1;
  return area[0];
}

int main(void) {
  struct rlimit limit;
  CHECK_OK(getrlimit(RLIMIT_STACK, &limit));
  CHECK_EQ(limit.rlim_cur, 8 << 20);
  char *top = __builtin_frame_address(0);

  // Growth by one touch far below, then everything between.
  CHECK_EQ(far_below(1 << 20), 1);
  CHECK_EQ(far_below(7 << 20), 1);
  CHECK_EQ(far_below(64), 1);

  stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
  CHECK_OK(sigaltstack(&stack, NULL));
  struct sigaction action = {.sa_sigaction = on_overflow, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  CHECK_OK(sigaction(SIGSEGV, &action, NULL));
  if (sigsetjmp(escape, 1) == 0) recurse(0);
  CHECK_THAT("the overflow was handled on the alternate stack", on_alternate);
  CHECK(code == SEGV_MAPERR || code == SEGV_ACCERR);
  size_t used = (uintptr_t)top - deepest;
  CHECK(used > (7ul << 20) && used <= (8ul << 20));
  CHECK(frames > 6000);
  on_alternate = 0;
  if (sigsetjmp(escape, 1) == 0) recurse(0);
  CHECK_THAT("a second time too", on_alternate);

  // A mapping that grows down.
  char *area = mmap(NULL, 64 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  munmap(area, 64 * PAGE);
  char *growing = mmap(area + 60 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1, 0);
  CHECK(growing == area + 60 * PAGE);
  growing[-1] = 1;
  growing[-(long)(5 * PAGE)] = 2;
  CHECK_EQ(growing[-1] + growing[-(long)(5 * PAGE)] + growing[-(long)(3 * PAGE)], 3);
  CHECK_END();
}
