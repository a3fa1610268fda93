// Segments: alignment above a page, a large .bss, data that ends within a page, constants, relocated pointers.
#include "../check.h"

static char aligned[100] __attribute__((aligned(65536))) = "aligned";
static char aligned_zero[100] __attribute__((aligned(16384)));
static char bss[8 << 20];
static char last_data[4099] = {1, [4098] = 2};
static const char *const pointers[] = {"one", "two", "three"};
static int (*function)(const char *, ...) = printf;
static volatile const char constants[9000] = {[8999] = 'c'};

int main(void) {
  CHECK_EQ((uintptr_t)aligned % 65536, 0);
  CHECK(strcmp(aligned, "aligned") == 0);
  CHECK_EQ((uintptr_t)aligned_zero % 16384, 0);
  int sum = 0;
  for (size_t i = 0; i < sizeof bss; i++) sum |= bss[i];
  for (size_t i = 0; i < sizeof aligned_zero; i++) sum |= aligned_zero[i];
  CHECK_THAT("the .bss is zero", sum == 0);
  bss[0] = bss[sizeof bss - 1] = 1;
  CHECK_EQ(bss[0] + bss[sizeof bss - 1], 2);
  CHECK_EQ(last_data[0] + last_data[4098] + last_data[2000], 3);
  CHECK_EQ(constants[8999], 'c');
  CHECK(strcmp(pointers[2], "three") == 0);
  CHECK(function == printf);
  CHECK_END();
}
