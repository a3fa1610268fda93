#pragma once
#include <stdint.h>
static inline void cshims_putc(uint8_t c) { __asm__ volatile("outb %0, %1" ::"a"(c), "Nd"((uint16_t)0x3f8)); }
