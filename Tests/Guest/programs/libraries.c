// Thread-local storage in three libraries, indirect functions, constructors in order, RELRO, dlopen and dlsym.
#include "../check.h"

#include <dlfcn.h>
#include <link.h>
#include <setjmp.h>

#include "../libraries/tls.h"

int program_callback(int value);
int program_callback(int value) { return value * 2; }

static _Thread_local int own = 77;
static int relro_segments;
static int (*const relocated)(int) = program_callback;

static int visit(struct dl_phdr_info *info, size_t size, void *data) {
  (void)size, (void)data;
  for (int i = 0; i < info->dlpi_phnum; i++)
    if (info->dlpi_phdr[i].p_type == PT_GNU_RELRO) relro_segments++;
  return 0;
}

static sigjmp_buf escape;
static void on_fault(int number) {
  (void)number;
  siglongjmp(escape, 1);
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  CHECK_EQ(own, 77);
  CHECK_EQ(first_value, 1005);
  CHECK_EQ(first_next(), 1011);
  CHECK_EQ(first_value, 1011);
  CHECK(strcmp(second_text(), "second") == 0);
  CHECK(second_text() == second_buffer);
  CHECK_EQ((uintptr_t)second_buffer % 64, 0);
  CHECK_EQ(third_sum(), 3);
  CHECK_EQ(third_sum(), 6);
  CHECK_EQ(chosen_implementation(), 2);
  dl_iterate_phdr(visit, NULL);
  CHECK(relro_segments >= 4);

  signal(SIGSEGV, on_fault);
  volatile int faulted = 0;
  if (sigsetjmp(escape, 1) == 0)
    *(void *volatile *)(uintptr_t)&relocated = NULL;
  else
    faulted = 1;
  CHECK_THAT("a write to relocated read-only data faults", faulted);
  signal(SIGSEGV, SIG_DFL);

  void *missing = dlopen("libmissing.so", RTLD_NOW);
  CHECK(missing == NULL);
  say("%s", dlerror());
  void *plugin = dlopen("libplugin.so", RTLD_NOW | RTLD_LOCAL);
  if (!CHECK(plugin != NULL)) say("%s", dlerror());
  int (*run)(int) = plugin ? (int (*)(int))dlsym(plugin, "plugin_run") : NULL;
  if (CHECK(run != NULL)) {
    CHECK_EQ(run(5), 21);
    CHECK_EQ(run(5), 22);
  }
  CHECK(dlsym(plugin, "no_such_symbol") == NULL);
  CHECK_EQ(dlclose(plugin), 0);
  CHECK_END();
}
