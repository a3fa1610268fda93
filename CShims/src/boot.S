// From the VMM to 64-bit code at the kernel's address. Two ways in: the PVH note's 32-bit entry (QEMU, Firecracker,
// Cloud Hypervisor) with hvm_start_info in %ebx, and the Linux 64-bit boot protocol (ELF entry) with boot_params
// in %rsi. Both end in kernel_main(boot information, protocol) on the boot stack.
#include "layout.h"

#define PHYSICAL(symbol) (symbol - CSHIMS_KERNEL_BASE)

// XEN_ELFNOTE_PHYS32_ENTRY, Xen's public/elfnote.h
	.section .note.pvh, "a", @note
	.balign 4
	.long 4, 8, 18
	.asciz "Xen"
	.balign 4
	.quad PHYSICAL(pvh_entry)

	.section .boot.text, "ax"
	.code32
	.globl pvh_entry
pvh_entry:
	cli
	cld
	movl %ebx, %edi
	movl $PHYSICAL(cshims_boot_stack_top), %esp
	rdtsc
	movl %eax, PHYSICAL(cshims_entry_tsc)
	movl %edx, PHYSICAL(cshims_entry_tsc) + 4
	call build_tables

	movl $0x20, %eax                // CR4.PAE
	movl %eax, %cr4
	movl $PHYSICAL(cshims_boot_pml4), %eax
	movl %eax, %cr3
	movl $0xc0000080, %ecx          // EFER: LME, NXE, SCE
	rdmsr
	orl $0x901, %eax
	wrmsr
	movl $0x80010033, %eax          // CR0: PG WP NE ET MP PE
	movl %eax, %cr0
	lgdt PHYSICAL(boot_gdt_pointer32)
	ljmp $8, $PHYSICAL(entry64_low)

// One page of 2 MiB entries maps the first GiB at 0 and at the kernel's base.
build_tables:
	movl $PHYSICAL(cshims_boot_pdpt) + 3, %eax
	movl %eax, PHYSICAL(cshims_boot_pml4)
	movl %eax, PHYSICAL(cshims_boot_pml4) + CSHIMS_KERNEL_PML4_INDEX * 8
	movl $PHYSICAL(cshims_boot_pd) + 3, %eax
	movl %eax, PHYSICAL(cshims_boot_pdpt)
	movl $PHYSICAL(cshims_boot_pd), %ecx
	movl $0x83, %eax
1:	movl %eax, (%ecx)
	addl $8, %ecx
	addl $0x200000, %eax
	cmpl $0x40000083, %eax
	jne 1b
	ret

	.code64
entry64_low:
	xorl %esi, %esi                 // protocol 0: PVH
	movl %edi, %edi
	jmp enter_high

	.globl linux64_entry
linux64_entry:
	cli
	cld
	movq %rsi, %rdi
	rdtsc
	movl %eax, cshims_entry_tsc(%rip)
	movl %edx, cshims_entry_tsc+4(%rip)
	// The VMM's own identity map is still in force; this code runs at its physical address.
	leaq cshims_boot_pdpt+3(%rip), %rax
	movq %rax, cshims_boot_pml4(%rip)
	movq %rax, cshims_boot_pml4+CSHIMS_KERNEL_PML4_INDEX*8(%rip)
	leaq cshims_boot_pd(%rip), %rcx
	leaq 3(%rcx), %rax
	movq %rax, cshims_boot_pdpt(%rip)
	movl $0x83, %eax
1:	movq %rax, (%rcx)
	addq $8, %rcx
	addq $0x200000, %rax
	cmpq $0x40000083, %rax
	jne 1b
	movl $0xc0000080, %ecx
	rdmsr
	orl $0x901, %eax
	wrmsr
	movl $0x20, %eax
	movq %rax, %cr4
	leaq cshims_boot_pml4(%rip), %rax
	movq %rax, %cr3
	movl $0x80010033, %eax
	movq %rax, %cr0
	movl $1, %esi                   // protocol 1: Linux boot_params
enter_high:
	movabsq $enter_kernel, %rax
	jmp *%rax

	.section .text.enter_kernel, "ax"
enter_kernel:
	leaq cshims_boot_stack_top(%rip), %rsp
	leaq boot_gdt_pointer(%rip), %rax
	lgdt (%rax)
	movl $CSHIMS_KERNEL_SS, %eax
	movl %eax, %ss
	xorl %eax, %eax
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %fs
	movl %eax, %gs
	pushq $CSHIMS_KERNEL_CS
	leaq 1f(%rip), %rax
	pushq %rax
	lretq
1:	xorl %ebp, %ebp
	call kernel_main
2:	cli
	hlt
	jmp 2b

	.section .boot.data, "aw"
	.balign 8
boot_gdt:
	.quad 0
	.quad 0x00af9b000000ffff        // 0x08: 64-bit code for the far jump out of 32-bit code
	.quad 0x00af9b000000ffff        // 0x10: kernel code
	.quad 0x00cf93000000ffff        // 0x18: kernel data
boot_gdt_pointer32:
	.word . - boot_gdt - 1
	.long PHYSICAL(boot_gdt)
boot_gdt_pointer:
	.word boot_gdt_pointer32 - boot_gdt - 1
	.quad boot_gdt
	.globl cshims_entry_tsc
	.balign 8
cshims_entry_tsc:
	.quad 0

	.section .bss.boot, "aw", @nobits
	.balign 4096
	.globl cshims_boot_pml4, cshims_boot_pdpt
cshims_boot_pml4:
	.skip 4096
cshims_boot_pdpt:
	.skip 4096
cshims_boot_pd:
	.skip 4096
	.skip 16384
	.globl cshims_boot_stack_top
cshims_boot_stack_top:
	.skip 4096
	.globl cshims_fault_stack_top
cshims_fault_stack_top:
	.globl cshims_early_heap
cshims_early_heap:
	.skip CSHIMS_EARLY_HEAP_SIZE

	.section .note.GNU-stack, "", @progbits
