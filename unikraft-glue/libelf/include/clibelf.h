// CLibELF: what the ELF loader asks of libelf, in plain integers, so that Swift imports nothing of libelf's.
#ifndef CLIBELF_H
#define CLIBELF_H

#include <stddef.h>
#include <stdint.h>

struct clibelf_header {
  uint8_t elf_class; // ELFCLASS32 or ELFCLASS64
  uint8_t encoding;  // ELFDATA2LSB or ELFDATA2MSB
  uint16_t type;
  uint16_t machine;
  uint16_t program_header_size;
  uint16_t program_header_count;
  uint64_t entry;
  uint64_t program_header_offset;
};

struct clibelf_program_header {
  uint32_t type;
  uint32_t flags;
  uint64_t offset;
  uint64_t virtual_address;
  uint64_t file_size;
  uint64_t memory_size;
  uint64_t alignment;
};

// Reads the ELF header at the start of `bytes`, of either class and byte order. False when libelf takes the bytes for
// no ELF file: too few, a wrong magic number, an unknown class, byte order or version.
int clibelf_read_header(void *bytes, size_t count, struct clibelf_header *out);

// Reads program headers of the ELF file that begins at `bytes` and whose table lies within `count` bytes, and returns how
// many: no more than `capacity`, and fewer where the table reaches beyond the bytes.
size_t clibelf_read_program_headers(void *bytes, size_t count, struct clibelf_program_header *out, size_t capacity);

#endif
