// CZlib: what the kernel asks of zlib, in plain integers, so that Swift imports nothing of zlib's.
#ifndef CZLIB_H
#define CZLIB_H

#include <stddef.h>
#include <stdint.h>

enum czlib_result {
  CZLIB_OK = 0,
  CZLIB_NOT_GZIP = 1,     // the magic number is wrong
  CZLIB_TRUNCATED = 2,    // the input ends before the stream does
  CZLIB_CORRUPT = 3,      // a code, a length or a checksum is wrong, or what follows a member is no member
  CZLIB_OUTPUT_FULL = 4,  // the data is larger than the room for it
  CZLIB_OUT_OF_MEMORY = 5 // zlib's own 40 KB could not be allocated
};

// Whether the bytes begin like a gzip file (RFC 1952).
int czlib_is_gzip(const void *input, size_t input_size);

// The size that the last member's trailer tells, modulo 2^32: right for a file of one member below 4 GiB, and otherwise
// only a first guess.
uint32_t czlib_gzip_size_hint(const void *input, size_t input_size);

// Decompresses a gzip file of one or more members, which zeroes may follow. `*output_size` is set in every case.
int czlib_inflate_gzip(
    const void *input, size_t input_size, void *output, size_t output_capacity, size_t *output_size);

#endif
