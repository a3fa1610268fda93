#include "clibelf.h"

#include <gelf.h>
#include <libelf.h>

#ifdef CLIBELF_KERNEL
#include "libport.h"
#define ENTER struct libport_state state; libport_enter(&state)
#define LEAVE libport_leave(&state)
#else
#define LIBPORT_ENTRY
#define ENTER
#define LEAVE
#endif

// elf_memory wants writable memory, though it writes there only when asked to update the file.
static Elf *open_image(void *bytes, size_t count) {
  if (elf_version(EV_CURRENT) == EV_NONE) return NULL;
  Elf *elf = elf_memory(bytes, count);
  if (elf && elf_kind(elf) != ELF_K_ELF) {
    elf_end(elf);
    return NULL;
  }
  return elf;
}

LIBPORT_ENTRY int clibelf_read_header(void *bytes, size_t count, struct clibelf_header *out) {
  int found = 0;
  ENTER;
  Elf *elf = open_image(bytes, count);
  if (elf) {
    GElf_Ehdr header;
    if (gelf_getehdr(elf, &header)) {
      out->elf_class = header.e_ident[EI_CLASS];
      out->encoding = header.e_ident[EI_DATA];
      out->type = header.e_type;
      out->machine = header.e_machine;
      out->program_header_size = header.e_phentsize;
      out->program_header_count = header.e_phnum;
      out->entry = header.e_entry;
      out->program_header_offset = header.e_phoff;
      found = 1;
    }
    elf_end(elf);
  }
  LEAVE;
  return found;
}

LIBPORT_ENTRY size_t clibelf_read_program_headers(
    void *bytes, size_t count, struct clibelf_program_header *out, size_t capacity) {
  size_t read = 0;
  ENTER;
  Elf *elf = open_image(bytes, count);
  if (elf) {
    // libelf clips the count to the headers that fit into the memory.
    size_t available;
    GElf_Phdr header;
    if (elf_getphdrnum(elf, &available) == 0) {
      while (read < available && read < capacity && gelf_getphdr(elf, (int)read, &header)) {
        *out++ = (struct clibelf_program_header){
            .type = header.p_type,
            .flags = header.p_flags,
            .offset = header.p_offset,
            .virtual_address = header.p_vaddr,
            .file_size = header.p_filesz,
            .memory_size = header.p_memsz,
            .alignment = header.p_align,
        };
        read++;
      }
    }
    elf_end(elf);
  }
  LEAVE;
  return read;
}
