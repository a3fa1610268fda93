// The address map and the struct offsets that assembly, C and the linker script share.
#ifndef CSHIMS_LAYOUT_H
#define CSHIMS_LAYOUT_H

// The last PML4 slot of the lower half: everything below is the program's.
#define CSHIMS_KERNEL_BASE 0x7f8000000000
#define CSHIMS_KERNEL_PML4_INDEX 255

// Segment selectors, with Linux's values for the program, as they appear in signal frames.
#define CSHIMS_KERNEL_CS 0x10
#define CSHIMS_KERNEL_SS 0x18
#define CSHIMS_USER_CS 0x33
#define CSHIMS_USER_SS 0x2b
#define CSHIMS_SYSRET_BASE 0x23
#define CSHIMS_TSS 0x40

// What Swift allocates from until the frames are known: the command line, the memory map.
#define CSHIMS_EARLY_HEAP_SIZE 131072

// struct cshims_cpu
#define CSHIMS_CPU_SELF 0
#define CSHIMS_CPU_THREAD 8
#define CSHIMS_CPU_KERNEL_STACK 16
#define CSHIMS_CPU_USER_STACK 24
#define CSHIMS_CPU_DISPATCH 32
#define CSHIMS_CPU_WORK 40

// struct cshims_features
#define CSHIMS_FEATURES_XSAVE 16
#define CSHIMS_FEATURES_TRANSLATED 17

// The vector number that a register frame carries when a system call made it.
#define CSHIMS_VECTOR_SYSCALL 256

// Interrupt vectors above the CPU's exceptions.
#define CSHIMS_VECTOR_TIMER 0xef
#define CSHIMS_VECTOR_SPURIOUS 0xff
#define CSHIMS_VECTOR_DEVICE_FIRST 0x30

#endif
