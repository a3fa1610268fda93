// Division of 128-bit numbers, which compiled C and Swift call. Not by the compiler's runtime library: Debian and Swift
// ship it for Linux programs only, with code that may use SSE.
#include <stdint.h>

typedef unsigned __int128 uint128;

uint128 __udivti3(uint128 dividend, uint128 divisor);
uint128 __umodti3(uint128 dividend, uint128 divisor);

static uint128 divide(uint128 dividend, uint128 divisor, uint128 *remainder) {
  uint64_t high = (uint64_t)(dividend >> 64), low = (uint64_t)dividend;
  if (divisor >> 64 == 0) {
    // Schoolbook with two digits of 64 bits; the CPU divides a pair whose upper half is below the divisor.
    uint64_t d = (uint64_t)divisor, quotient_high = high / d, rest = high % d, quotient_low;
    __asm__("divq %2" : "=a"(quotient_low), "+d"(rest) : "r"(d), "0"(low) : "cc");
    *remainder = rest;
    return (uint128)quotient_high << 64 | quotient_low;
  }
  // The quotient has fewer than 64 bits: bit by bit.
  uint128 quotient = 0;
  for (int bit = 63; bit >= 0; bit--) {
    if (divisor << bit >> bit == divisor && divisor << bit <= dividend) {
      dividend -= divisor << bit;
      quotient |= (uint128)1 << bit;
    }
  }
  *remainder = dividend;
  return quotient;
}

uint128 __udivti3(uint128 dividend, uint128 divisor) {
  uint128 remainder;
  return divide(dividend, divisor, &remainder);
}

uint128 __umodti3(uint128 dividend, uint128 divisor) {
  uint128 remainder;
  divide(dividend, divisor, &remainder);
  return remainder;
}
