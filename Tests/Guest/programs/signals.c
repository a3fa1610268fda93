// Signals in one process: dispositions, masks, nesting, alternate stacks, siginfo, queues, waiting.
#include "../check.h"

#include <setjmp.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>

static volatile int calls, depth, deepest, last_signal, last_code, last_value, order[64], ordered;
static volatile pid_t last_pid;
static volatile uid_t last_uid;
static volatile sigset_t mask_inside;

static void count(int number) {
  calls++;
  last_signal = number;
}

static void detail(int number, siginfo_t *info, void *context) {
  ucontext_t *machine = context;
  calls++;
  last_signal = number;
  last_code = info->si_code;
  last_pid = info->si_pid;
  last_uid = info->si_uid;
  last_value = info->si_value.sival_int;
  sigset_t mask;
  sigprocmask(SIG_BLOCK, NULL, &mask);
  mask_inside = mask;
  (void)machine;
}

static void nested(int number) {
  depth++;
  if (depth > deepest) deepest = depth;
  if (ordered < 64) order[ordered++] = number;
  if (ordered < 4) raise(number);
  depth--;
}

static void record(int number, siginfo_t *info, void *context) {
  (void)context;
  if (ordered < 64) order[ordered++] = number * 1000 + info->si_value.sival_int;
}

static void set(int number, void (*handler)(int), int flags) {
  struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
  sigaction(number, &action, NULL);
}

static void set_detail(int number, void (*handler)(int, siginfo_t *, void *), int flags) {
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = flags | SA_SIGINFO};
  sigaction(number, &action, NULL);
}

static void block(int how, int number) {
  sigset_t mask;
  sigemptyset(&mask);
  sigaddset(&mask, number);
  sigprocmask(how, &mask, NULL);
}

static int pending(int number) {
  sigset_t mask;
  sigpending(&mask);
  return sigismember(&mask, number);
}

static void dispositions(void) {
  struct sigaction old;
  CHECK_OK(sigaction(SIGUSR1, NULL, &old));
  CHECK(old.sa_handler == SIG_DFL);
  set(SIGUSR1, count, SA_RESTART);
  CHECK_OK(sigaction(SIGUSR1, NULL, &old));
  CHECK(old.sa_handler == count);
  CHECK_EQ(old.sa_flags & (SA_RESTART | SA_NODEFER | SA_RESETHAND | SA_SIGINFO), SA_RESTART);
  CHECK_ERRNO(sigaction(SIGKILL, &old, NULL), EINVAL);
  CHECK_ERRNO(sigaction(SIGSTOP, &old, NULL), EINVAL);
  CHECK_RAW(EINVAL, SYS_rt_sigaction, 65, NULL, NULL, 8);
  CHECK_RAW(EINVAL, SYS_rt_sigaction, 0, NULL, NULL, 8);
  CHECK_RAW(EINVAL, SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4);
  CHECK_RAW(EINVAL, SYS_rt_sigprocmask, 7, &old, NULL, 8);
  CHECK_RAW(EINVAL, SYS_rt_sigprocmask, SIG_BLOCK, &old, NULL, 16);

  CHECK_OK(raise(SIGUSR1));
  CHECK_EQ(calls, 1);
  CHECK_OK(kill(getpid(), SIGUSR1));
  CHECK_EQ(calls, 2);
  CHECK_OK(syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1));
  CHECK_OK(syscall(SYS_tkill, syscall(SYS_gettid), SIGUSR1));
  CHECK_EQ(calls, 4);
  CHECK_OK(kill(getpid(), 0));
  CHECK_ERRNO(kill(getpid(), 65), EINVAL);
  CHECK_ERRNO(kill(getpid(), -1), EINVAL);
  CHECK_ERRNO(kill(0x3ffffff, 0), ESRCH);
  CHECK_RAW(EINVAL, SYS_tgkill, -1, getpid(), 0);
  CHECK_RAW(ESRCH, SYS_tgkill, getpid(), 0x3ffffff, 0);

  set(SIGUSR1, SIG_IGN, 0);
  CHECK_OK(raise(SIGUSR1));
  CHECK_EQ(calls, 4);
  int harmless[] = {SIGCHLD, SIGURG, SIGWINCH, SIGCONT};
  for (int i = 0; i < 4; i++) CHECK_OK(raise(harmless[i]));

  calls = 0;
  set(SIGUSR2, count, SA_RESETHAND);
  raise(SIGUSR2);
  CHECK_EQ(calls, 1);
  sigaction(SIGUSR2, NULL, &old);
  CHECK_THAT("SA_RESETHAND put the default back", old.sa_handler == SIG_DFL);
}

static void masks(void) {
  calls = 0;
  set(SIGUSR1, count, 0);
  block(SIG_BLOCK, SIGUSR1);
  CHECK(!pending(SIGUSR1));
  raise(SIGUSR1);
  raise(SIGUSR1);
  raise(SIGUSR1);
  CHECK_EQ(calls, 0);
  CHECK(pending(SIGUSR1));
  block(SIG_UNBLOCK, SIGUSR1);
  CHECK_THAT("one of three pending standard signals arrived", calls == 1);
  CHECK(!pending(SIGUSR1));

  block(SIG_BLOCK, SIGUSR1);
  raise(SIGUSR1);
  set(SIGUSR1, SIG_IGN, 0);
  CHECK_THAT("ignoring drops what is pending", !pending(SIGUSR1));
  set(SIGUSR1, count, 0);
  block(SIG_UNBLOCK, SIGUSR1);
  CHECK_EQ(calls, 1);

  sigset_t everything, now;
  sigfillset(&everything);
  CHECK_OK(sigprocmask(SIG_SETMASK, &everything, NULL));
  sigprocmask(SIG_SETMASK, NULL, &now);
  CHECK_THAT("KILL and STOP cannot be blocked", !sigismember(&now, SIGKILL) && !sigismember(&now, SIGSTOP));
  CHECK(sigismember(&now, SIGTERM) == 1);
  sigemptyset(&everything);
  CHECK_OK(sigprocmask(SIG_SETMASK, &everything, NULL));

  set_detail(SIGUSR1, detail, 0);
  struct sigaction action;
  sigaction(SIGUSR1, NULL, &action);
  sigaddset(&action.sa_mask, SIGTERM);
  sigaction(SIGUSR1, &action, NULL);
  raise(SIGUSR1);
  sigset_t inside = mask_inside;
  CHECK_THAT("the signal is blocked in its handler", sigismember(&inside, SIGUSR1));
  CHECK_THAT("and sa_mask too", sigismember(&inside, SIGTERM) && !sigismember(&inside, SIGUSR2));
  sigprocmask(SIG_SETMASK, NULL, &now);
  CHECK_THAT("the mask is restored", !sigismember(&now, SIGUSR1) && !sigismember(&now, SIGTERM));
  set_detail(SIGUSR1, detail, SA_NODEFER);
  raise(SIGUSR1);
  inside = mask_inside;
  CHECK_THAT("SA_NODEFER leaves it open", !sigismember(&inside, SIGUSR1));
  CHECK_EQ(last_code, SI_TKILL);
  CHECK_EQ(last_pid, getpid());
  CHECK_EQ(last_uid, getuid());
  kill(getpid(), SIGUSR1);
  CHECK_EQ(last_code, SI_USER);
  CHECK_EQ(last_pid, getpid());

  set(SIGUSR2, nested, SA_NODEFER);
  raise(SIGUSR2);
  CHECK_EQ(deepest, 4);
  deepest = depth = ordered = 0;
  set(SIGUSR2, nested, 0);
  raise(SIGUSR2);
  CHECK_THAT("without NODEFER the next waits for the return", deepest == 1);
  CHECK(!pending(SIGUSR2));
  ordered = 0;
}

static void queues(void) {
  set_detail(SIGRTMIN + 1, record, 0);
  set_detail(SIGRTMIN + 3, record, 0);
  set_detail(SIGUSR1, record, 0);
  sigset_t mask, old;
  sigemptyset(&mask);
  sigaddset(&mask, SIGRTMIN + 1);
  sigaddset(&mask, SIGRTMIN + 3);
  sigaddset(&mask, SIGUSR1);
  sigprocmask(SIG_BLOCK, &mask, &old);
  for (int i = 0; i < 4; i++) {
    CHECK_OK(sigqueue(getpid(), SIGRTMIN + 3, (union sigval){.sival_int = i}));
    CHECK_OK(sigqueue(getpid(), SIGRTMIN + 1, (union sigval){.sival_int = 10 + i}));
  }
  CHECK_OK(sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 7}));
  CHECK_OK(sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 8}));
  sigprocmask(SIG_SETMASK, &old, NULL);
  // The lowest number gets its frame first, the next one's frame goes on top of it, so the handlers run highest first.
  // A handler blocks its own signal, so that each number's queue is worked off in order.
  CHECK_EQ(ordered, 9);
  for (int number = SIGRTMIN + 1; number <= SIGRTMIN + 3; number += 2) {
    int previous = -1, sorted = 1;
    for (int i = 0; i < ordered; i++)
      if (order[i] / 1000 == number) sorted &= order[i] % 1000 > previous, previous = order[i] % 1000;
    CHECK_THAT("real-time signals keep their order", sorted);
  }
  for (int i = 0; i < ordered; i++)
    say("delivered %s%d value %d", order[i] / 1000 >= SIGRTMIN ? "SIGRTMIN+" : "",
        order[i] / 1000 >= SIGRTMIN ? order[i] / 1000 - SIGRTMIN : order[i] / 1000, order[i] % 1000);

  set_detail(SIGUSR1, detail, 0);
  sigqueue(getpid(), SIGUSR1, (union sigval){.sival_int = 321});
  CHECK_EQ(last_code, SI_QUEUE);
  CHECK_EQ(last_value, 321);
}

static void waiting(void) {
  sigset_t mask, empty;
  sigemptyset(&empty);
  sigemptyset(&mask);
  sigaddset(&mask, SIGUSR1);
  sigaddset(&mask, SIGUSR2);
  sigprocmask(SIG_BLOCK, &mask, NULL);
  siginfo_t info;
  struct timespec none = {0, 0}, little = {0, 20000000};
  CHECK_ERRNO(sigtimedwait(&mask, &info, &none), EAGAIN);
  CHECK_ERRNO(sigtimedwait(&mask, &info, &little), EAGAIN);
  struct timespec bad = {0, 1000000000};
  CHECK_ERRNO(sigtimedwait(&mask, &info, &bad), EINVAL);
  sigqueue(getpid(), SIGUSR2, (union sigval){.sival_int = 55});
  raise(SIGUSR1);
  CHECK_EQ(sigwaitinfo(&mask, &info), SIGUSR1);
  CHECK(info.si_code == SI_TKILL || info.si_code == SI_USER);  // glibc turns the first into the second
  CHECK_EQ(sigwaitinfo(&mask, &info), SIGUSR2);
  CHECK_EQ(info.si_value.sival_int, 55);
  CHECK_EQ(info.si_signo, SIGUSR2);
  int number = 0;
  raise(SIGUSR2);
  CHECK_EQ(sigwait(&mask, &number), 0);
  CHECK_EQ(number, SIGUSR2);

  // sigsuspend opens the mask, runs the handler and puts the mask back.
  calls = 0;
  set(SIGUSR1, count, 0);
  raise(SIGUSR1);
  CHECK_EQ(calls, 0);
  CHECK_ERRNO(sigsuspend(&empty), EINTR);
  CHECK_EQ(calls, 1);
  raise(SIGUSR1);
  CHECK_EQ(calls, 1);
  CHECK(pending(SIGUSR1));
  sigprocmask(SIG_UNBLOCK, &mask, NULL);
  CHECK_EQ(calls, 2);
}

static void timers(void) {
  calls = 0;
  set(SIGALRM, count, 0);
  CHECK_EQ(alarm(100), 0);
  CHECK(alarm(0) >= 99);
  struct itimerval timer = {.it_value = {0, 20000}}, left;
  CHECK_OK(setitimer(ITIMER_REAL, &timer, NULL));
  CHECK_ERRNO(pause(), EINTR);
  CHECK_EQ(calls, 1);
  CHECK_EQ(last_signal, SIGALRM);
  timer = (struct itimerval){{0, 10000}, {0, 10000}};
  CHECK_OK(setitimer(ITIMER_REAL, &timer, NULL));
  while (calls < 5) pause();
  CHECK_OK(getitimer(ITIMER_REAL, &left));
  CHECK_EQ(left.it_interval.tv_usec, 10000);
  CHECK(left.it_value.tv_sec == 0 && left.it_value.tv_usec <= 10000);
  timer = (struct itimerval){0};
  CHECK_OK(setitimer(ITIMER_REAL, &timer, &left));
  timer.it_value.tv_usec = 1000000;
  CHECK_ERRNO(setitimer(ITIMER_REAL, &timer, NULL), EINVAL);
  CHECK_ERRNO(setitimer(9, &timer, NULL), EINVAL);

  // A sleep is cut short by a handler and says what was left; ignored signals do not cut it.
  timer = (struct itimerval){{0, 0}, {0, 20000}};
  setitimer(ITIMER_REAL, &timer, NULL);
  struct timespec wanted = {5, 0}, rest = {0, 0};
  CHECK_ERRNO(nanosleep(&wanted, &rest), EINTR);
  CHECK(rest.tv_sec == 4 && rest.tv_nsec > 0);
  set(SIGALRM, SIG_IGN, 0);
  setitimer(ITIMER_REAL, &timer, NULL);
  wanted = (struct timespec){0, 60000000};
  CHECK_OK(nanosleep(&wanted, NULL));

  // The processor-time timer counts while the program runs.
  calls = 0;
  set(SIGVTALRM, count, 0);
  timer = (struct itimerval){{0, 0}, {0, 20000}};
  CHECK_OK(setitimer(ITIMER_VIRTUAL, &timer, NULL));
  for (time_t end = time(NULL) + 10; !calls && time(NULL) < end;) continue;
  CHECK_EQ(calls, 1);
}

static char alternate[65536];
static volatile int was_on_alternate, flags_inside, changed;

static void on_alternate(int number) {
  char here;
  stack_t now, other = {.ss_sp = alternate, .ss_size = sizeof alternate};
  (void)number;
  was_on_alternate = &here > alternate && &here < alternate + sizeof alternate;
  sigaltstack(NULL, &now);
  flags_inside = now.ss_flags;
  changed = sigaltstack(&other, NULL) == 0 ? 0 : errno;
}

static void alternates(void) {
  stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate}, old;
  CHECK_OK(sigaltstack(NULL, &old));
  CHECK_EQ(old.ss_flags, SS_DISABLE);
  stack.ss_size = 100;
  CHECK_ERRNO(sigaltstack(&stack, NULL), ENOMEM);
  stack.ss_size = sizeof alternate;
  stack.ss_flags = 0x40;
  CHECK_ERRNO(sigaltstack(&stack, NULL), EINVAL);
  stack.ss_flags = 0;
  CHECK_OK(sigaltstack(&stack, NULL));
  CHECK_OK(sigaltstack(NULL, &old));
  CHECK(old.ss_sp == alternate && old.ss_size == sizeof alternate && old.ss_flags == 0);
  set(SIGUSR1, on_alternate, SA_ONSTACK);
  raise(SIGUSR1);
  CHECK(was_on_alternate);
  CHECK_EQ(flags_inside, SS_ONSTACK);
  CHECK_EQ(changed, EPERM);
  set(SIGUSR1, on_alternate, 0);
  raise(SIGUSR1);
  CHECK(!was_on_alternate);
  CHECK_EQ(flags_inside, 0);
  CHECK_EQ(changed, 0);
  stack.ss_flags = (int)(1u << 31);  // SS_AUTODISARM
  CHECK_OK(sigaltstack(&stack, NULL));
  set(SIGUSR1, on_alternate, SA_ONSTACK);
  raise(SIGUSR1);
  CHECK(was_on_alternate);
  CHECK_EQ(flags_inside, SS_DISABLE);
  stack.ss_flags = SS_DISABLE;
  CHECK_OK(sigaltstack(&stack, NULL));
  raise(SIGUSR1);
  CHECK(!was_on_alternate);
}

static sigjmp_buf escape;
static void leave(int number) { siglongjmp(escape, number); }

static void jumps(void) {
  set(SIGUSR1, leave, 0);
  int result = sigsetjmp(escape, 1);
  if (result == 0) raise(SIGUSR1);
  CHECK_EQ(result, SIGUSR1);
  result = sigsetjmp(escape, 1);
  if (result == 0) raise(SIGUSR1);
  CHECK_EQ(result, SIGUSR1);
  sigset_t mask;
  sigprocmask(SIG_SETMASK, NULL, &mask);
  CHECK(!sigismember(&mask, SIGUSR1));
}

int main(void) {
  dispositions();
  masks();
  queues();
  waiting();
  timers();
  alternates();
  jumps();
  CHECK_END();
}
