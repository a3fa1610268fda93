// What the kernel puts on a new program's stack: the auxiliary vector, its agreement with the ELF headers, alignment.
#include "../check.h"

#include <elf.h>
#include <link.h>
#include <sys/auxv.h>

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

extern char **environ;
extern const char __ehdr_start[] __attribute__((weak, visibility("hidden")));

static const char *name_of(unsigned long type) {
  switch (type) {
    case AT_SYSINFO_EHDR: return "AT_SYSINFO_EHDR";
    case AT_HWCAP: return "AT_HWCAP";
    case AT_PAGESZ: return "AT_PAGESZ";
    case AT_CLKTCK: return "AT_CLKTCK";
    case AT_PHDR: return "AT_PHDR";
    case AT_PHENT: return "AT_PHENT";
    case AT_PHNUM: return "AT_PHNUM";
    case AT_BASE: return "AT_BASE";
    case AT_FLAGS: return "AT_FLAGS";
    case AT_ENTRY: return "AT_ENTRY";
    case AT_UID: return "AT_UID";
    case AT_EUID: return "AT_EUID";
    case AT_GID: return "AT_GID";
    case AT_EGID: return "AT_EGID";
    case AT_SECURE: return "AT_SECURE";
    case AT_RANDOM: return "AT_RANDOM";
    case AT_HWCAP2: return "AT_HWCAP2";
    case AT_EXECFN: return "AT_EXECFN";
    case AT_PLATFORM: return "AT_PLATFORM";
    case AT_MINSIGSTKSZ: return "AT_MINSIGSTKSZ";
  }
  return NULL;
}

/// True if every byte of the range is on the initial stack, above the vector.
static int above(const void *pointer, const void *vector) { return (uintptr_t)pointer > (uintptr_t)vector; }

int main(int argc, char **argv, char **envp) {
  say("argc %d", argc);
  for (int i = 0; i < argc; i++) say("argv[%d] = %s", i, argv[i]);
  CHECK(argv[argc] == NULL);
  CHECK(envp == argv + argc + 1);
  CHECK(environ == envp);
  int count = 0;
  for (; envp[count]; count++) say("envp[%d] = %s", count, envp[count]);

  ElfW(auxv_t) *vector = (ElfW(auxv_t) *)(envp + count + 1), *entry;
  int seen[64] = {0};
  unsigned long hwcap = 0;  // glibc's getauxval gives something of its own for this one
  for (entry = vector; entry->a_type != AT_NULL; entry++) {
    if (entry->a_type < 64) seen[entry->a_type]++;
    if (entry->a_type == AT_HWCAP) hwcap = entry->a_un.a_val;
  }
  // Every one that Linux 6.1 gives; what later kernels add may come or not.
  for (unsigned long type = 1; type < 64; type++)
    if (name_of(type)) {
      char what[64];
      snprintf(what, sizeof what, "%s is there once", name_of(type));
      CHECK_THAT(what, seen[type] == 1);
    }

  CHECK_EQ((uintptr_t)argv % 8, 0);
  CHECK_THAT("argc lies at a 16-byte boundary", (uintptr_t)(argv - 1) % 16 == 0);
  CHECK_THAT("argc lies below argv", *((long *)argv - 1) == argc);
  CHECK_THAT("the strings lie above the vector", above(argv[0], entry) && (count == 0 || above(envp[0], entry)));
  int contiguous = 1;
  for (int i = 0; i + 1 < argc; i++) contiguous &= argv[i] + strlen(argv[i]) + 1 == argv[i + 1];
  for (int i = 0; i + 1 < count; i++) contiguous &= envp[i] + strlen(envp[i]) + 1 == envp[i + 1];
  if (argc && count) contiguous &= argv[argc - 1] + strlen(argv[argc - 1]) + 1 == envp[0];
  CHECK_THAT("argument and environment strings follow one another", contiguous);

  CHECK_EQ(getauxval(AT_PAGESZ), 4096);
  CHECK_EQ(getauxval(AT_CLKTCK), 100);
  CHECK_EQ(getauxval(AT_PHENT), sizeof(ElfW(Phdr)));
  CHECK_EQ(getauxval(AT_FLAGS), 0);
  CHECK_EQ(getauxval(AT_UID), getuid());
  CHECK_EQ(getauxval(AT_EUID), geteuid());
  CHECK_EQ(getauxval(AT_GID), getgid());
  CHECK_EQ(getauxval(AT_EGID), getegid());
  CHECK_EQ(getauxval(AT_SECURE), 0);
  say("AT_EXECFN %s", (const char *)getauxval(AT_EXECFN));
  say("AT_PLATFORM %s", (const char *)getauxval(AT_PLATFORM));
  const char *end = (const char *)getauxval(AT_EXECFN);
  end += strlen(end) + 1;
  CHECK_THAT("AT_EXECFN's string is the last thing but eight zero bytes", (uintptr_t)end % 4096 == 4096 - 8);

  const unsigned char *random = (const unsigned char *)getauxval(AT_RANDOM);
  int different = 0;
  for (int i = 1; i < 16; i++) different |= random[i] != random[0];
  CHECK_THAT("AT_RANDOM points at sixteen random bytes", random && different);

  const ElfW(Phdr) *headers = (const ElfW(Phdr) *)getauxval(AT_PHDR);
  uintptr_t bias = 0;
  int loads = 0, interpreted = 0, entry_inside = 0;
  for (unsigned long i = 0; i < getauxval(AT_PHNUM); i++) {
    if (headers[i].p_type == PT_PHDR) bias = (uintptr_t)headers - headers[i].p_vaddr;
    if (headers[i].p_type == PT_LOAD && headers[i].p_offset == 0)  // the headers follow the ELF header at once
      bias = ((uintptr_t)headers & -4096ul) - headers[i].p_vaddr;
  }
  for (unsigned long i = 0; i < getauxval(AT_PHNUM); i++) {
    if (headers[i].p_type == PT_INTERP) interpreted = 1;
    if (headers[i].p_type != PT_LOAD) continue;
    loads++;
    uintptr_t start = bias + headers[i].p_vaddr;
    if (getauxval(AT_ENTRY) >= start && getauxval(AT_ENTRY) < start + headers[i].p_memsz)
      entry_inside = (headers[i].p_flags & PF_X) != 0;
  }
  CHECK(loads >= 2);
  CHECK_THAT("AT_ENTRY lies in an executable segment", entry_inside);
  CHECK_THAT("AT_PHDR lies where the ELF header says",
             !__ehdr_start || (const char *)headers == __ehdr_start + ((const ElfW(Ehdr) *)__ehdr_start)->e_phoff);
  CHECK_THAT("AT_PHNUM is the ELF header's",
             !__ehdr_start || getauxval(AT_PHNUM) == ((const ElfW(Ehdr) *)__ehdr_start)->e_phnum);
  const unsigned char *base = (const unsigned char *)getauxval(AT_BASE);
  if (interpreted)
    CHECK_THAT("AT_BASE is the interpreter's ELF header", base && memcmp(base, ELFMAG, SELFMAG) == 0);
  else
    CHECK_THAT("AT_BASE is zero without an interpreter", base == NULL);

  const ElfW(Ehdr) *vdso = (const ElfW(Ehdr) *)getauxval(AT_SYSINFO_EHDR);
  CHECK_THAT("AT_SYSINFO_EHDR is an ELF image of x86-64",
             vdso && memcmp(vdso->e_ident, ELFMAG, SELFMAG) == 0 && vdso->e_machine == EM_X86_64 &&
                 vdso->e_type == ET_DYN && (uintptr_t)vdso % 4096 == 0);

  // AT_HWCAP is CPUID leaf 1's EDX: at least the x86-64 baseline. AT_HWCAP2's bit 1 says whether FSGSBASE works.
  unsigned baseline = 1u << 0 | 1u << 4 | 1u << 8 | 1u << 15 | 1u << 23 | 1u << 24 | 1u << 25 | 1u << 26;
  CHECK((hwcap & baseline) == baseline);
  if (getauxval(AT_HWCAP2) & 2) {
    unsigned long fs, expected;
    __asm__ volatile("rdfsbase %0" : "=r"(fs));
    __asm__ volatile("mov %%fs:0, %0" : "=r"(expected));
    CHECK_THAT("rdfsbase works when AT_HWCAP2 says so", fs == expected);
  } else {
    say("ok rdfsbase works when AT_HWCAP2 says so");
    check_count++;
  }
  CHECK(getauxval(AT_MINSIGSTKSZ) >= 1024 && getauxval(AT_MINSIGSTKSZ) < 65536);
  CHECK_END();
}
