// The libc symbols that Debian's libelf.a and libz.a want, and the state they expect of a CPU.
//
// The kernel calls libelf on memory only (elf_memory), so nothing here can have a file: what wants one fails with the
// errno of a bad descriptor, and never pretends success. memcpy, memmove, memset, memcmp and strlen are CShims', and
// free and posix_memalign are the kernel heap's.
#include "libport.h"

#include <stddef.h>

enum { EBADF = 9, ENOMEM = 12, EINVAL = 22, ERANGE = 34 };

void *memset(void *destination, int value, size_t count);
void free(void *block);
int posix_memalign(void **block, size_t alignment, size_t size);

// MARK: CPU state

enum { MSR_FS_BASE = 0xc0000100 };

// The thread control block of the x86-64 psABI: thread-local variables end where FS points, the word there points to
// itself, and the stack protector's canary stands at 0x28. All of it is zero at the start: libelf's only thread-local
// variable (its last error) is in .tbss. One block is enough, as nothing blocks between enter and leave.
static struct {
  _Alignas(64) uint8_t variables[256];
  void *self;
  uint64_t reserved[4];
  uint64_t canary;
} thread_block;

static uint64_t read_fs_base(void) {
  uint32_t low, high;
  __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(MSR_FS_BASE));
  return (uint64_t)high << 32 | low;
}

static void write_fs_base(uint64_t base) {
  __asm__ volatile("wrmsr" ::"c"(MSR_FS_BASE), "a"((uint32_t)base), "d"((uint32_t)(base >> 32)) : "memory");
}

void libport_enter(struct libport_state *state) {
  // Legacy SSE instructions leave the upper halves of the vector registers alone, so FXSAVE covers what they change.
  __asm__ volatile("fxsave64 %0" : "=m"(state->registers));
  uint32_t mxcsr = 0x1f80;
  __asm__ volatile("fninit; ldmxcsr %0" ::"m"(mxcsr));
  state->fs_base = read_fs_base();
  thread_block.self = &thread_block.self;
  write_fs_base((uint64_t)&thread_block.self);
}

void libport_leave(const struct libport_state *state) {
  write_fs_base(state->fs_base);
  __asm__ volatile("fxrstor64 %0" ::"m"(state->registers));
}

// MARK: Errors

int *__errno_location(void) {
  static int number;
  return &number;
}

static long fail(int number) {
  *__errno_location() = number;
  return -1;
}

// Broken invariants of the libraries. The trap's report names the function by its address.
__attribute__((noreturn)) void __assert_fail(const char *, const char *, unsigned, const char *);
void __assert_fail(const char *expression, const char *file, unsigned line, const char *function) {
  (void)expression, (void)file, (void)line, (void)function;
  __builtin_trap();
}

__attribute__((noreturn)) void __stack_chk_fail(void);
void __stack_chk_fail(void) { __builtin_trap(); }

// MARK: Memory

// Weak, so that a heap with a malloc of its own takes precedence.
__attribute__((weak)) void *malloc(size_t size) {
  void *block = NULL;
  if (posix_memalign(&block, 16, size ? size : 1)) {
    fail(ENOMEM);
    return NULL;
  }
  return block;
}

void *calloc(size_t count, size_t size) {
  size_t bytes;
  if (__builtin_mul_overflow(count, size, &bytes)) {
    fail(ENOMEM);
    return NULL;
  }
  void *block = malloc(bytes);
  return block ? memset(block, 0, bytes) : NULL;
}

void *memchr(const void *bytes, int value, size_t count) {
  for (const uint8_t *b = bytes; count; count--, b++)
    if (*b == (uint8_t)value) return (void *)b;
  return NULL;
}

void *memccpy(void *restrict destination, const void *restrict source, int value, size_t count) {
  uint8_t *d = destination;
  for (const uint8_t *s = source; count; count--)
    if ((*d++ = *s++) == (uint8_t)value) return d;
  return NULL;
}

// MARK: Text, as in the C locale

// glibc's bits of <ctype.h> on a little-endian machine.
enum {
  UPPER = 1 << 8,
  LOWER = 1 << 9,
  ALPHA = 1 << 10,
  DIGIT = 1 << 11,
  HEX = 1 << 12,
  SPACE = 1 << 13,
  PRINT = 1 << 14,
  GRAPH = 1 << 15,
  BLANK = 1 << 0,
  CONTROL = 1 << 1,
  PUNCTUATION = 1 << 2,
  ALPHANUMERIC = 1 << 3,
};

static unsigned short class_of(int c) {
  if (c < 0 || c > 127) return 0;
  if (c < 32 || c == 127) return CONTROL | (c >= 9 && c <= 13 ? SPACE : 0) | (c == '\t' ? BLANK : 0);
  if (c == ' ') return SPACE | BLANK | PRINT;
  if (c >= '0' && c <= '9') return DIGIT | HEX | ALPHANUMERIC | PRINT | GRAPH;
  int letter = c | 0x20;
  if (letter >= 'a' && letter <= 'z')
    return (c == letter ? LOWER : UPPER) | ALPHA | ALPHANUMERIC | PRINT | GRAPH | (letter <= 'f' ? HEX : 0);
  return PUNCTUATION | PRINT | GRAPH;
}

// Indexed from -128 (EOF and signed characters) to 255.
const unsigned short **__ctype_b_loc(void);
const unsigned short **__ctype_b_loc(void) {
  static unsigned short classes[384];
  static const unsigned short *table;
  if (!table) {
    for (int c = -128; c < 256; c++) classes[c + 128] = class_of(c);
    table = classes + 128;
  }
  return &table;
}

long strtol(const char *restrict text, char **restrict end, int base) {
  const char *s = text;
  while (class_of(*s) & SPACE) s++;
  int negative = *s == '-';
  if (*s == '-' || *s == '+') s++;
  if ((base == 0 || base == 16) && s[0] == '0' && (s[1] | 0x20) == 'x' && class_of(s[2]) & HEX) {
    s += 2;
    base = 16;
  } else if (base == 0) {
    base = *s == '0' ? 8 : 10;
  }
  unsigned long limit = (unsigned long)__LONG_MAX__ + (unsigned long)negative, value = 0;
  int any = 0, overflow = 0;
  for (;; s++) {
    int digit = class_of(*s) & DIGIT ? *s - '0' : class_of(*s) & ALPHA ? (*s | 0x20) - 'a' + 10 : 99;
    if (digit >= base) break;
    any = 1;
    if (overflow || value > (limit - (unsigned long)digit) / (unsigned long)base) overflow = 1;
    else value = value * (unsigned long)base + (unsigned long)digit;
  }
  if (end) *end = (char *)(any ? s : text);
  if (overflow) {
    fail(ERANGE);
    value = limit;
  }
  return negative ? (long)(0 - value) : (long)value;
}

// There are no translations.
char *dcgettext(const char *domain, const char *message, int category);
char *dcgettext(const char *domain, const char *message, int category) {
  (void)domain, (void)category;
  return (char *)message;
}

// MARK: Files, of which there are none

long pread(int file, void *bytes, size_t count, long offset);
long pread(int file, void *bytes, size_t count, long offset) {
  (void)file, (void)bytes, (void)count, (void)offset;
  return fail(EBADF);
}

int fstat(int file, void *status);
int fstat(int file, void *status) {
  (void)file, (void)status;
  return (int)fail(EBADF);
}

int fcntl(int file, int command, ...);
int fcntl(int file, int command, ...) {
  (void)file, (void)command;
  return (int)fail(EBADF);
}

void *mmap(void *address, size_t length, int protection, int flags, int file, long offset);
void *mmap(void *address, size_t length, int protection, int flags, int file, long offset) {
  (void)address, (void)length, (void)protection, (void)flags, (void)file, (void)offset;
  return (void *)fail(EBADF);
}

int munmap(void *address, size_t length);
int munmap(void *address, size_t length) {
  (void)address, (void)length;
  return (int)fail(EINVAL);
}
