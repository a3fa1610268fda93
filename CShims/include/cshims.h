// CShims: what only assembly or C can say to an x86_64 machine. No policy lives here; `Platform` is the only importer.
#ifndef CSHIMS_H
#define CSHIMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Swift compiles these with other target features than C's, and LLVM inlines across that only when told to.
#define CSHIMS_INLINE static inline __attribute__((always_inline))

#include "cshims_config.h"
#include "layout.h"

// MARK: Registers

// The program's registers as every entry to the kernel saves them, in Linux's pt_regs order with the vector between.
struct cshims_frame {
  uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
  uint64_t vector;
  uint64_t error; // the CPU's error code, or the system call number
  uint64_t rip, cs, rflags, rsp, ss;
};

// What one CPU keeps, reached through GS in the kernel. Offsets stand in layout.h.
struct cshims_cpu {
  struct cshims_cpu *self;
  void *thread;
  uint64_t kernel_stack;
  uint64_t user_stack;
  void *dispatch;
  uint64_t work; // not zero: the way back to the program has something to do
};

// MARK: Processor

struct cshims_features {
  uint32_t xsave_size; // bytes of the XSAVE area, or 512 for FXSAVE
  uint64_t xsave_mask; // XCR0, 0 without XSAVE
  bool xsave;
  // The processor is QEMU's translator, and has x87, SSE and AVX and nothing else to save: what it makes calls of can be
  // had faster by plain instructions.
  bool translated;
  bool fsgsbase, smep, smap, umip, pcid, pages_1g, tsc_deadline, hypervisor, rdrand, x2apic, rep_movsb;
};

extern struct cshims_cpu cshims_boot_cpu;
extern struct cshims_features cshims_features;
CSHIMS_INLINE struct cshims_features cshims_get_features(void) { return cshims_features; }

// Loads GDT, IDT and TSS, sets the control registers and the system call MSRs of this CPU.
void cshims_cpu_initialize(void *double_fault_stack_top);
// Sets the stack that an entry from ring 3 starts on.
void cshims_set_kernel_stack(uint64_t top);
void cshims_set_dispatch(bool traced);

CSHIMS_INLINE void *cshims_thread(void) {
  void *thread;
  __asm__ volatile("movq %%gs:%c1, %0" : "=r"(thread) : "i"(CSHIMS_CPU_THREAD));
  return thread;
}
CSHIMS_INLINE void cshims_set_thread(void *thread) { cshims_boot_cpu.thread = thread; }
CSHIMS_INLINE void cshims_set_work(uint64_t work) { cshims_boot_cpu.work = work; }
CSHIMS_INLINE uint64_t cshims_work(void) { return cshims_boot_cpu.work; }

CSHIMS_INLINE void cshims_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4]) {
  __asm__ volatile("cpuid" : "=a"(out[0]), "=b"(out[1]), "=c"(out[2]), "=d"(out[3]) : "a"(leaf), "c"(subleaf));
}
CSHIMS_INLINE uint64_t cshims_read_msr(uint32_t msr) {
  uint32_t low, high;
  __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
  return (uint64_t)high << 32 | low;
}
CSHIMS_INLINE void cshims_write_msr(uint32_t msr, uint64_t value) {
  __asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}
CSHIMS_INLINE uint64_t cshims_read_tsc(void) {
  uint32_t low, high;
  __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
  return (uint64_t)high << 32 | low;
}
CSHIMS_INLINE uint64_t cshims_read_cr2(void) {
  uint64_t value;
  __asm__ volatile("movq %%cr2, %0" : "=r"(value));
  return value;
}
CSHIMS_INLINE uint64_t cshims_read_cr3(void) {
  uint64_t value;
  __asm__ volatile("movq %%cr3, %0" : "=r"(value));
  return value;
}
CSHIMS_INLINE void cshims_write_cr3(uint64_t value) { __asm__ volatile("movq %0, %%cr3" ::"r"(value) : "memory"); }
CSHIMS_INLINE void cshims_invlpg(uint64_t address) {
  __asm__ volatile("invlpg (%0)" ::"r"(address) : "memory");
}
// Waits for an interrupt with interrupts on, then turns them off again. `sti` takes effect after the next
// instruction, so no wake-up is lost between the two.
CSHIMS_INLINE void cshims_idle(void) { __asm__ volatile("sti; hlt; cli" ::: "memory"); }
// Lets pending interrupts in: a preemption point.
CSHIMS_INLINE void cshims_interrupt_window(void) { __asm__ volatile("sti; nop; cli" ::: "memory"); }
CSHIMS_INLINE void cshims_halt(void) {
  for (;;) __asm__ volatile("cli; hlt");
}
CSHIMS_INLINE void cshims_pause(void) { __asm__ volatile("pause"); }
CSHIMS_INLINE bool cshims_random(uint64_t *out) {
  uint8_t ok;
  __asm__ volatile("rdrand %0; setc %1" : "=r"(*out), "=qm"(ok));
  return ok;
}

uint64_t cshims_fs_base(void);
void cshims_set_fs_base(uint64_t base);
// The program's GS base, which waits in the swap register while the kernel runs.
uint64_t cshims_user_gs_base(void);
void cshims_set_user_gs_base(uint64_t base);

// MARK: Ports and device memory

CSHIMS_INLINE void cshims_out8(uint16_t port, uint8_t value) { __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port)); }
CSHIMS_INLINE void cshims_out16(uint16_t port, uint16_t value) { __asm__ volatile("outw %0, %1" ::"a"(value), "Nd"(port)); }
CSHIMS_INLINE void cshims_out32(uint16_t port, uint32_t value) { __asm__ volatile("outl %0, %1" ::"a"(value), "Nd"(port)); }
CSHIMS_INLINE uint8_t cshims_in8(uint16_t port) {
  uint8_t value;
  __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}
CSHIMS_INLINE uint16_t cshims_in16(uint16_t port) {
  uint16_t value;
  __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}
CSHIMS_INLINE uint32_t cshims_in32(uint16_t port) {
  uint32_t value;
  __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}
CSHIMS_INLINE void cshims_out8_string(uint16_t port, const void *bytes, size_t count) {
  __asm__ volatile("rep outsb" : "+S"(bytes), "+c"(count) : "d"(port) : "memory");
}
CSHIMS_INLINE uint8_t cshims_mmio_read8(uint64_t address) { return *(volatile uint8_t *)address; }
CSHIMS_INLINE uint16_t cshims_mmio_read16(uint64_t address) { return *(volatile uint16_t *)address; }
CSHIMS_INLINE uint32_t cshims_mmio_read32(uint64_t address) { return *(volatile uint32_t *)address; }
CSHIMS_INLINE uint64_t cshims_mmio_read64(uint64_t address) { return *(volatile uint64_t *)address; }
CSHIMS_INLINE void cshims_mmio_write8(uint64_t address, uint8_t value) { *(volatile uint8_t *)address = value; }
CSHIMS_INLINE void cshims_mmio_write16(uint64_t address, uint16_t value) { *(volatile uint16_t *)address = value; }
CSHIMS_INLINE void cshims_mmio_write32(uint64_t address, uint32_t value) { *(volatile uint32_t *)address = value; }
CSHIMS_INLINE void cshims_mmio_write64(uint64_t address, uint64_t value) { *(volatile uint64_t *)address = value; }
CSHIMS_INLINE void cshims_memory_barrier(void) { __asm__ volatile("mfence" ::: "memory"); }

// MARK: User memory. Each returns how many bytes were NOT copied; a fault ends the copy at the exact byte.

size_t cshims_copy_user(void *destination, const void *source, size_t count);
size_t cshims_zero_user(void *destination, size_t count);
// Copies a string of at most `limit` bytes without its NUL; returns its length, `limit` when there is no NUL
// among them, or -1 for a fault.
int64_t cshims_copy_user_string(void *destination, const void *source, size_t limit);
bool cshims_load_user32(uint64_t address, uint32_t *value);
bool cshims_load_user64(uint64_t address, uint64_t *value);
bool cshims_store_user32(uint64_t address, uint32_t value);
bool cshims_touch_user32(uint64_t address);
bool cshims_store_user64(uint64_t address, uint64_t value);
// Where a fault at `rip` in one of these resumes, or 0.
uint64_t cshims_fixup(uint64_t rip);

// MARK: Threads

// Saves the callee-saved registers on this stack, keeps the stack pointer in *save, and goes on on `load`.
void cshims_switch(uint64_t *save, uint64_t load);
// Lays out a new kernel stack so that the first switch to it calls entry(argument).
uint64_t cshims_prepare_stack(uint64_t top, void (*entry)(void *), void *argument);
// Leaves the kernel with the registers of `frame`, which lies at the top of this thread's kernel stack.
void cshims_return_to_user(struct cshims_frame *frame) __attribute__((noreturn));

// MARK: Floating point state

void cshims_fpu_save(void *area);
void cshims_fpu_restore(const void *area);
// Restores bytes that came from the program: false where the CPU would refuse them.
bool cshims_fpu_restore_checked(const void *area);
void cshims_fpu_reset(void);
// As cshims_fpu_save and cshims_fpu_restore, for a switch: registers that are in their initial state may be left out.
void cshims_fpu_switch_out(void *area);
void cshims_fpu_switch_in(const void *area);

// MARK: Kernel memory

// Larger pieces of it: calls, where the compiler would put string instructions.
void cshims_zero(void *destination, size_t count);
void cshims_copy(void *destination, const void *source, size_t count);

// Resets the machine.
void cshims_triple_fault(void);

// MARK: Image

// Addresses of the linker script's symbols, as functions: Swift imports an array of unknown length badly.
#define CSHIMS_ADDRESS(name) \
  extern char cshims_##name[]; \
  CSHIMS_INLINE const void *cshims_address_##name(void) { return cshims_##name; }
CSHIMS_ADDRESS(image_start)
CSHIMS_ADDRESS(text_end)
CSHIMS_ADDRESS(rodata_end)
CSHIMS_ADDRESS(image_end)
CSHIMS_ADDRESS(boot_pml4)
CSHIMS_ADDRESS(boot_stack_top)
CSHIMS_ADDRESS(fault_stack_top)
CSHIMS_ADDRESS(early_heap)
CSHIMS_ADDRESS(vdso_start)
CSHIMS_ADDRESS(vdso_end)
// The TSC at the first instruction.
extern uint64_t cshims_entry_tsc;
CSHIMS_INLINE uint64_t cshims_get_entry_tsc(void) { return cshims_entry_tsc; }

// MARK: Entry points that Boot exports

void kernel_main(uint64_t boot_information, uint64_t protocol);
void kernel_trap(struct cshims_frame *frame);
uint64_t kernel_syscall(struct cshims_frame *frame);
uint64_t kernel_syscall_traced(struct cshims_frame *frame);
void kernel_exit_work(struct cshims_frame *frame);
void kernel_thread_start(void *thread);

#endif
