// The last way to reset a PC: a fault that cannot be delivered. Intel SDM volume 3, 6.15 (interrupt 8).
#include "cshims.h"

void cshims_triple_fault(void) {
  struct __attribute__((packed)) {
    uint16_t limit;
    uint64_t base;
  } nothing = {0, 0};
  __asm__ volatile("lidt %0; ud2" ::"m"(nothing));
  cshims_halt();
}
