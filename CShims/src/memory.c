// The memory functions that compiled C and Swift call. Word-wise string instructions: under TCG `rep movsb` costs
// eight times as much as `rep movsq`, and hardware does either well. TCG goes through its loop for each word of those,
// so plain moves, eight a turn, are several times as fast there. All eight words are loaded before any is stored: TCG's
// table of pages has one place for all pages whose numbers end alike, and a copy between two such exchanges them at each
// step from one to the other, ten times as slow as a step without.
#include "cshims.h"

#define WORDS(operation) \
  operation(0) operation(8) operation(16) operation(24) operation(32) operation(40) operation(48) operation(56)
#define STORE(offset) "movq %[value], " #offset "(%[d])\n\t"
#define LOAD_WORD(offset) "movq " #offset "(%[s]), %[word" #offset "]\n\t"
#define STORE_WORD(offset) "movq %[word" #offset "], " #offset "(%[d])\n\t"

void *memcpy(void *restrict destination, const void *restrict source, size_t count) {
  void *d = destination;
  size_t words = count >> 3, bytes = count & 7;
  if (cshims_features.translated)
    for (; words >= 8; words -= 8, d = (char *)d + 64, source = (const char *)source + 64) {
      uint64_t word0, word8, word16, word24, word32, word40, word48, word56;
      __asm__ volatile(WORDS(LOAD_WORD) WORDS(STORE_WORD)
                       : [word0] "=&r"(word0), [word8] "=&r"(word8), [word16] "=&r"(word16), [word24] "=&r"(word24),
                         [word32] "=&r"(word32), [word40] "=&r"(word40), [word48] "=&r"(word48), [word56] "=&r"(word56)
                       : [d] "r"(d), [s] "r"(source)
                       : "memory");
    }
  __asm__ volatile("rep movsq; movq %3, %%rcx; rep movsb" : "+D"(d), "+S"(source), "+c"(words) : "r"(bytes) : "memory");
  return destination;
}

void *memmove(void *destination, const void *source, size_t count) {
  if ((uintptr_t)destination - (uintptr_t)source >= count) return memcpy(destination, source, count);
  uint8_t *d = (uint8_t *)destination + count;
  const uint8_t *s = (const uint8_t *)source + count;
  // Overlapping and upwards: the words from the end, then the bytes at the front.
  for (; count >= 8; count -= 8) {
    d -= 8;
    s -= 8;
    uint64_t word;
    __builtin_memcpy(&word, s, 8);
    __builtin_memcpy(d, &word, 8);
  }
  while (count--) *(volatile uint8_t *)--d = *--s;
  return destination;
}

void *memset(void *destination, int value, size_t count) {
  void *d = destination;
  size_t words = count >> 3, bytes = count & 7;
  uint64_t pattern = 0x0101010101010101ull * (uint8_t)value;
  if (cshims_features.translated)
    for (; words >= 8; words -= 8, d = (char *)d + 64)
      __asm__ volatile(WORDS(STORE) : : [value] "r"(pattern), [d] "r"(d) : "memory");
  __asm__ volatile("rep stosq; movq %3, %%rcx; rep stosb"
                   : "+D"(d), "+c"(words)
                   : "a"(pattern), "r"(bytes)
                   : "memory");
  return destination;
}

void cshims_zero(void *destination, size_t count) { memset(destination, 0, count); }
void cshims_copy(void *destination, const void *source, size_t count) { memcpy(destination, source, count); }

int memcmp(const void *left, const void *right, size_t count) {
  const uint8_t *l = left, *r = right;
  for (; count >= 8; count -= 8, l += 8, r += 8) {
    uint64_t a, b;
    __builtin_memcpy(&a, l, 8);
    __builtin_memcpy(&b, r, 8);
    if (a != b) break;
  }
  for (; count; count--, l++, r++)
    if (*l != *r) return *l - *r;
  return 0;
}

size_t strlen(const char *string) {
  const volatile char *s = string;
  while (*s) s++;
  return (size_t)(s - string);
}
