#include "czlib.h"

// Without the declarations that need a C library's headers. The structures are the same.
#define Z_SOLO
#include <zlib.h>

#ifdef CZLIB_KERNEL
#include "libport.h"
#define ENTER struct libport_state state; libport_enter(&state)
#define LEAVE libport_leave(&state)
#else
#define LIBPORT_ENTRY
#define ENTER
#define LEAVE
#endif

int czlib_is_gzip(const void *input, size_t input_size) {
  const uint8_t *bytes = input;
  return input_size >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b;
}

uint32_t czlib_gzip_size_hint(const void *input, size_t input_size) {
  // RFC 1952: a header of ten bytes, at least two of data, a checksum and the size.
  if (input_size < 20) return 0;
  const uint8_t *size = (const uint8_t *)input + input_size - 4;
  return (uint32_t)size[0] | (uint32_t)size[1] << 8 | (uint32_t)size[2] << 16 | (uint32_t)size[3] << 24;
}

// zlib counts in 32 bits, so both sides are handed over in pieces.
enum { PIECE = 1 << 30 };

static unsigned piece(size_t count) { return count < PIECE ? (unsigned)count : PIECE; }

static int inflate_members(
    const uint8_t *input, size_t input_size, uint8_t *output, size_t output_capacity, size_t *output_size) {
  z_stream stream = {0};
  // 15 bits of window, and 16 for a gzip header.
  if (inflateInit2(&stream, 15 + 16) != Z_OK) return CZLIB_OUT_OF_MEMORY;
  int result = CZLIB_OK;
  size_t consumed = 0, produced = 0;
  uint8_t no_room;
  for (;;) {
    int is_full = produced == output_capacity;
    unsigned in = piece(input_size - consumed), out = is_full ? 1 : piece(output_capacity - produced);
    stream.next_in = (Bytef *)input + consumed;
    stream.avail_in = in;
    // A stream may end exactly where the room does: one byte aside tells whether more comes.
    stream.next_out = is_full ? &no_room : output + produced;
    stream.avail_out = out;
    int status = inflate(&stream, Z_NO_FLUSH);
    consumed += in - stream.avail_in;
    if (is_full) {
      if (stream.avail_out == 0) {
        result = CZLIB_OUTPUT_FULL;
        break;
      }
    } else {
      produced += out - stream.avail_out;
    }
    if (status == Z_STREAM_END) {
      while (consumed < input_size && input[consumed] == 0) consumed++;
      if (consumed == input_size) break;
      if (!czlib_is_gzip(input + consumed, input_size - consumed)) {
        result = CZLIB_CORRUPT;
        break;
      }
      inflateReset(&stream);
    } else if (status == Z_MEM_ERROR) {
      result = CZLIB_OUT_OF_MEMORY;
      break;
    } else if (status == Z_BUF_ERROR || (status == Z_OK && consumed == input_size && stream.avail_out > 0)) {
      result = CZLIB_TRUNCATED;
      break;
    } else if (status != Z_OK) {
      result = CZLIB_CORRUPT;
      break;
    }
  }
  inflateEnd(&stream);
  *output_size = produced;
  return result;
}

LIBPORT_ENTRY int czlib_inflate_gzip(
    const void *input, size_t input_size, void *output, size_t output_capacity, size_t *output_size) {
  *output_size = 0;
  if (input_size == 0) return CZLIB_TRUNCATED;
  if (!czlib_is_gzip(input, input_size)) return input_size == 1 ? CZLIB_TRUNCATED : CZLIB_NOT_GZIP;
  ENTER;
  int result = inflate_members(input, input_size, output, output_capacity, output_size);
  LEAVE;
  return result;
}
