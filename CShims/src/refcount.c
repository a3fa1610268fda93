// Reference counting for one CPU: with -assume-single-threaded the compiler calls these instead of the runtime's atomic
// forms. The object's layout and the meaning of its count are Embedded Swift's (stdlib/public/core/EmbeddedRuntime.swift).
#include <stdint.h>

struct object {
  const struct metadata *metadata;
  int64_t count;
};
struct metadata {
  const void *superclass;
  __attribute__((swiftcall)) void (*destroy)(__attribute__((swift_context)) struct object *);
};

#define COUNT_MASK 0x7fffffffffffffff
#define IMMORTAL COUNT_MASK
// A BridgeObject keeps flags in the bits that no object address has.
#define BRIDGE_MASK 0x00fffffffffffff8

void *swift_nonatomic_retain_n(struct object *object, uint32_t n) {
  if ((intptr_t)object > 0 && (object->count & COUNT_MASK) != IMMORTAL) object->count += n;
  return object;
}
void *swift_nonatomic_retain(struct object *object) {
  if ((intptr_t)object > 0) {
    // Without the mask an immortal count, all ones below the top bit, becomes zero: fewer instructions than a comparison.
    int64_t count = object->count + 1;
    if ((uint64_t)count << 1 != 0) object->count = count;
  }
  return object;
}

void swift_nonatomic_release_n(struct object *object, uint32_t n) {
  if ((intptr_t)object <= 0 || (object->count & COUNT_MASK) == IMMORTAL) return;
  object->count -= n;
  if ((object->count & COUNT_MASK) != 0) return;
  // What the object's own deinit does with itself must not end it again.
  object->count |= IMMORTAL;
  object->metadata->destroy(object);
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
