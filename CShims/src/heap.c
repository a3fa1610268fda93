// The C names of the kernel heap. Swift's runtime calls posix_memalign and free; libelf and zlib malloc; calloc is the ports'.
#include <stddef.h>

void *kernel_allocate(size_t count);
void *kernel_allocate_aligned(size_t alignment, size_t count);
void kernel_free(void *pointer);

void *malloc(size_t count) { return kernel_allocate(count); }
void free(void *pointer) { kernel_free(pointer); }
int posix_memalign(void **result, size_t alignment, size_t count) {
  *result = kernel_allocate_aligned(alignment, count);
  return *result ? 0 : 12; // ENOMEM
}
