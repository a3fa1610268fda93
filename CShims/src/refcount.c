// Reference counting for one CPU: with -assume-single-threaded the compiler calls these instead of the runtime's atomic
// forms. The object's layout and the meaning of its count are Embedded Swift's (stdlib/public/core/EmbeddedRuntime.swift).
#include <stddef.h>
#include <stdint.h>

struct object {
  const struct metadata *metadata;
  int64_t count;
};
struct metadata {
  const void *superclass;
  __attribute__((swiftcall)) void (*destroy)(__attribute__((swift_context)) struct object *);
  __attribute__((swiftcall)) void (*destroy_members)(__attribute__((swift_context)) struct object *);
};

#define IMMORTAL 0x7fffffffffffffff
// A BridgeObject keeps flags in the bits that no object address has.
#define BRIDGE_MASK 0x00fffffffffffff8

// No object that is not immortal has 2^62 references: one bit tells, whatever the top bit means.
static int isCounted(struct object *object) {
  return (intptr_t)object > 0 && (int64_t)((uint64_t)object->count << 1) >= 0;
}

void *swift_nonatomic_retain_n(struct object *object, uint32_t n) {
  if (isCounted(object)) object->count += n;
  return object;
}
void *swift_nonatomic_retain(struct object *object) { return swift_nonatomic_retain_n(object, 1); }

// What the object's own deinit does with itself must not end it again.
__attribute__((noinline)) static void end(struct object *object) {
  object->count |= IMMORTAL;
  object->metadata->destroy(object);
}

void swift_nonatomic_release_n(struct object *object, uint32_t n) {
  if (!isCounted(object)) return;
  object->count -= n;
  if ((uint64_t)object->count << 1 == 0) end(object);
}
void swift_nonatomic_release(struct object *object) { swift_nonatomic_release_n(object, 1); }

void *swift_nonatomic_bridgeObjectRetain_n(void *object, uint32_t n) {
  swift_nonatomic_retain_n((struct object *)((uintptr_t)object & BRIDGE_MASK), n);
  return object;
}
void *swift_nonatomic_bridgeObjectRetain(void *object) { return swift_nonatomic_bridgeObjectRetain_n(object, 1); }
void swift_nonatomic_bridgeObjectRelease_n(void *object, uint32_t n) {
  swift_nonatomic_release_n((struct object *)((uintptr_t)object & BRIDGE_MASK), n);
}
void swift_nonatomic_bridgeObjectRelease(void *object) { swift_nonatomic_bridgeObjectRelease_n(object, 1); }

void swift_deallocClassInstance(struct object *object, size_t size, size_t alignment_mask);

// An object whose initialiser threw before all was set: what the classes below `metadata` have set is destroyed. Embedded
// Swift's own (6.3.1) keeps the memory for ever.
void swift_deallocPartialClassInstance(struct object *object, const struct metadata *metadata, size_t size,
                                       size_t alignment_mask) {
  for (const struct metadata *class = object->metadata; class && class != metadata; class = class->superclass)
    if (class->destroy_members) class->destroy_members(object);
  swift_deallocClassInstance(object, size, alignment_mask);
}
