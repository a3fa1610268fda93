// The C names of the kernel heap. Swift's runtime calls posix_memalign and free; libelf and zlib the rest.
#include <stddef.h>

void *kernel_allocate(size_t count);
void *kernel_allocate_zeroed(size_t count, size_t size);
void *kernel_allocate_aligned(size_t alignment, size_t count);
void *kernel_reallocate(void *pointer, size_t count);
void kernel_free(void *pointer);

void *malloc(size_t count) { return kernel_allocate(count); }
void *calloc(size_t count, size_t size) { return kernel_allocate_zeroed(count, size); }
void *realloc(void *pointer, size_t count) { return kernel_reallocate(pointer, count); }
void free(void *pointer) { kernel_free(pointer); }
int posix_memalign(void **result, size_t alignment, size_t count) {
  *result = kernel_allocate_aligned(alignment, count);
  return *result ? 0 : 12; // ENOMEM
}
