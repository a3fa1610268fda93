// Descriptor tables, control registers and the MSRs of the system call instruction.
#include "cshims.h"

struct cshims_cpu cshims_boot_cpu;
struct cshims_features cshims_features;
_Static_assert(offsetof(struct cshims_features, xsave) == CSHIMS_FEATURES_XSAVE, "layout.h");
_Static_assert(offsetof(struct cshims_features, translated) == CSHIMS_FEATURES_TRANSLATED, "layout.h");
_Static_assert(offsetof(struct cshims_cpu, thread) == CSHIMS_CPU_THREAD, "layout.h");
_Static_assert(offsetof(struct cshims_cpu, kernel_stack) == CSHIMS_CPU_KERNEL_STACK, "layout.h");
_Static_assert(offsetof(struct cshims_cpu, user_stack) == CSHIMS_CPU_USER_STACK, "layout.h");
_Static_assert(offsetof(struct cshims_cpu, dispatch) == CSHIMS_CPU_DISPATCH, "layout.h");
_Static_assert(offsetof(struct cshims_cpu, work) == CSHIMS_CPU_WORK, "layout.h");

// Intel SDM volume 3, 7.7
struct __attribute__((packed)) tss {
  uint32_t reserved0;
  uint64_t rsp[3];
  uint64_t reserved1;
  uint64_t ist[7];
  uint64_t reserved2;
  uint16_t reserved3;
  uint16_t io_map_base;
};
static struct tss tss;

static uint64_t gdt[] = {
    0,
    0,
    0x00af9b000000ffff, // 0x10 kernel code
    0x00cf93000000ffff, // 0x18 kernel data
    0x00cffb000000ffff, // 0x20 32-bit program code, never used: sysret counts from here
    0x00cff3000000ffff, // 0x28 program data
    0x00affb000000ffff, // 0x30 program code
    0,
    0, // 0x40 TSS, two entries
    0,
};

struct gate {
  uint16_t offset0, selector;
  uint8_t stack, type;
  uint16_t offset1;
  uint32_t offset2, reserved;
};
static struct gate idt[256];

struct __attribute__((packed)) table_pointer {
  uint16_t limit;
  const void *base;
};

extern const char cshims_vectors[];
extern void cshims_syscall_entry(void);

struct pair {
  uint64_t site, value;
};
extern const struct pair cshims_fixups_start[], cshims_fixups_end[];
extern const struct pair cshims_smap_sites_start[], cshims_smap_sites_end[];

uint64_t cshims_fixup(uint64_t rip) {
  for (const struct pair *p = cshims_fixups_start; p < cshims_fixups_end; p++)
    if (p->site == rip) return p->value;
  return 0;
}

static uint64_t read_cr4(void) {
  uint64_t value;
  __asm__ volatile("movq %%cr4, %0" : "=r"(value));
  return value;
}
static void write_cr4(uint64_t value) { __asm__ volatile("movq %0, %%cr4" ::"r"(value) : "memory"); }

enum {
  CR4_PGE = 1 << 7,
  CR4_OSFXSR = 1 << 9,
  CR4_OSXMMEXCPT = 1 << 10,
  CR4_UMIP = 1 << 11,
  CR4_FSGSBASE = 1 << 16,
  CR4_OSXSAVE = 1 << 18,
  CR4_SMEP = 1 << 20,
  CR4_SMAP = 1 << 21,
};

static void read_features(void) {
  uint32_t r[4], highest;
  cshims_cpuid(0, 0, r);
  highest = r[0];
  cshims_cpuid(1, 0, r);
  cshims_features.xsave = r[2] >> 26 & 1;
  cshims_features.pcid = r[2] >> 17 & 1;
  cshims_features.x2apic = r[2] >> 21 & 1;
  cshims_features.tsc_deadline = r[2] >> 24 & 1;
  cshims_features.rdrand = r[2] >> 30 & 1;
  cshims_features.hypervisor = r[2] >> 31 & 1;
  if (highest >= 7) {
    cshims_cpuid(7, 0, r);
    cshims_features.fsgsbase = r[1] & 1;
    cshims_features.smep = r[1] >> 7 & 1;
    cshims_features.rep_movsb = r[1] >> 9 & 1;
    cshims_features.smap = r[1] >> 20 & 1;
    cshims_features.umip = r[2] >> 2 & 1;
  }
  cshims_cpuid(0x80000001, 0, r);
  cshims_features.pages_1g = r[3] >> 26 & 1;
}

static void enable_fpu(void) {
  uint32_t r[4];
  cshims_features.xsave_size = 512;
  if (!cshims_features.xsave) return;
  cshims_cpuid(0xd, 0, r);
  // What CPUID names of x87, SSE, AVX and AVX-512. Protection keys stay off, and AMX asks for a permission first.
  cshims_features.xsave_mask = ((uint64_t)r[3] << 32 | r[0]) & 0xe7;
  __asm__ volatile("xsetbv" ::"c"(0), "a"((uint32_t)cshims_features.xsave_mask),
                   "d"((uint32_t)(cshims_features.xsave_mask >> 32)));
  cshims_cpuid(0xd, 0, r); // now EBX is the size for what is enabled
  cshims_features.xsave_size = r[1];

  cshims_cpuid(0xd, 2, r);
  bool avx_at_576 = r[1] == 576;
  if (!cshims_features.hypervisor) return;
  cshims_cpuid(0x40000000, 0, r); // TCGTCGTCGTCG
  cshims_features.translated = r[1] == 0x54474354 && r[2] == 0x43544743 && cshims_features.xsave_mask == 7 && avx_at_576;
}

void cshims_fpu_reset(void) {
  static const uint32_t mxcsr = 0x1f80;
  __asm__ volatile("fninit; ldmxcsr %0" ::"m"(mxcsr));
}

void cshims_cpu_initialize(void *double_fault_stack_top) {
  read_features();

  if (cshims_features.smap)
    for (const struct pair *p = cshims_smap_sites_start; p < cshims_smap_sites_end; p++)
      for (int i = 0; i < 3; i++) ((volatile uint8_t *)p->site)[i] = (uint8_t)(p->value >> (8 * i));

  for (int i = 0; i < 256; i++) {
    uint64_t address = (uint64_t)(cshims_vectors + i * 16);
    bool own_stack = i == 2 || i == 8 || i == 18;
    idt[i] = (struct gate){
        .offset0 = (uint16_t)address,
        .selector = CSHIMS_KERNEL_CS,
        .stack = own_stack ? 1 : 0,
        // int3 and into may come from the program
        .type = i == 3 || i == 4 ? 0xee : 0x8e,
        .offset1 = (uint16_t)(address >> 16),
        .offset2 = (uint32_t)(address >> 32),
    };
  }
  tss.ist[0] = (uint64_t)double_fault_stack_top;
  tss.io_map_base = sizeof tss;
  uint64_t base = (uint64_t)&tss;
  gdt[8] = (sizeof tss - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
  gdt[9] = base >> 32;
  struct table_pointer gdtr = {sizeof gdt - 1, gdt}, idtr = {sizeof idt - 1, idt};
  __asm__ volatile("lgdt %0" ::"m"(gdtr));
  __asm__ volatile("lidt %0" ::"m"(idtr));
  __asm__ volatile("ltr %w0" ::"r"(CSHIMS_TSS));
  // No local descriptor table: at reset its limit is 64 KiB, and a selector of the program's would reach address 0.
  __asm__ volatile("lldt %w0" ::"r"(0));

  uint64_t cr4 = read_cr4() | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT;
  if (cshims_features.xsave) cr4 |= CR4_OSXSAVE;
  if (cshims_features.fsgsbase) cr4 |= CR4_FSGSBASE;
  if (cshims_features.smep) cr4 |= CR4_SMEP;
  if (cshims_features.smap) cr4 |= CR4_SMAP;
  if (cshims_features.umip) cr4 |= CR4_UMIP;
  write_cr4(cr4);
  enable_fpu();
  cshims_fpu_reset();

  cshims_boot_cpu.self = &cshims_boot_cpu;
  cshims_write_msr(0xc0000101, (uint64_t)&cshims_boot_cpu); // GS base
  cshims_write_msr(0xc0000102, 0);                          // the program's, swapped in on return
  cshims_write_msr(0xc0000081, (uint64_t)CSHIMS_SYSRET_BASE << 48 | (uint64_t)CSHIMS_KERNEL_CS << 32);
  cshims_write_msr(0xc0000082, (uint64_t)&cshims_syscall_entry);
  cshims_write_msr(0xc0000084, 0x257fd5); // as Linux: TF IF DF IOPL NT AC and the rest off on entry
  cshims_set_dispatch(false);
}

void cshims_set_dispatch(bool traced) {
  cshims_boot_cpu.dispatch = traced ? (void *)kernel_syscall_traced : (void *)kernel_syscall;
}

void cshims_set_kernel_stack(uint64_t top) {
  cshims_boot_cpu.kernel_stack = top;
  tss.rsp[0] = top;
}

uint64_t cshims_fs_base(void) {
  if (!cshims_features.fsgsbase) return cshims_read_msr(0xc0000100);
  uint64_t base;
  __asm__ volatile("rdfsbase %0" : "=r"(base));
  return base;
}
void cshims_set_fs_base(uint64_t base) {
  if (cshims_features.fsgsbase)
    __asm__ volatile("wrfsbase %0" ::"r"(base));
  else
    cshims_write_msr(0xc0000100, base);
}
uint64_t cshims_user_gs_base(void) { return cshims_read_msr(0xc0000102); }
void cshims_set_user_gs_base(uint64_t base) { cshims_write_msr(0xc0000102, base); }
