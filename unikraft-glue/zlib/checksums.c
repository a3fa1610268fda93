// zlib's checksums, for the kernel. Debian's own come with 20 KB of code and tables for speed; an initrd is summed once.
#ifdef CZLIB_KERNEL
#include <stdint.h>

unsigned long crc32(unsigned long crc, const unsigned char *bytes, unsigned count);
unsigned long adler32(unsigned long adler, const unsigned char *bytes, unsigned count);

// RFC 1952, 8. One table, made at the first call.
unsigned long crc32(unsigned long crc, const unsigned char *bytes, unsigned count) {
  static uint32_t table[256];
  if (!bytes) return 0;
  if (!table[1]) {
    for (uint32_t i = 0; i < 256; i++) {
      uint32_t value = i;
      for (int bit = 0; bit < 8; bit++) value = value >> 1 ^ (value & 1 ? 0xedb88320 : 0);
      table[i] = value;
    }
  }
  uint32_t sum = ~(uint32_t)crc;
  while (count--) sum = table[(sum ^ *bytes++) & 0xff] ^ sum >> 8;
  return (uint32_t)~sum;
}

// RFC 1950, 9. Streams in gzip's format never ask for it.
unsigned long adler32(unsigned long adler, const unsigned char *bytes, unsigned count) {
  if (!bytes) return 1;
  uint32_t low = adler & 0xffff, high = adler >> 16 & 0xffff;
  while (count--) {
    low = (low + *bytes++) % 65521;
    high = (high + low) % 65521;
  }
  return (unsigned long)high << 16 | low;
}
#endif
