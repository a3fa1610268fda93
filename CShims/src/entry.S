// Every way into the kernel and back: exceptions and interrupts, the syscall instruction, the switch between threads.
#include "layout.h"

// stac and clac stand as three-byte NOPs until cshims_cpu_initialize finds SMAP and patches the sites.
.macro SMAP_SITE patched
771:	nopl (%rax)
	.pushsection .smap_sites, "a"
	.balign 8
	.quad 771b
	.quad \patched
	.popsection
.endm
#define STAC SMAP_SITE 0xcb010f
#define CLAC SMAP_SITE 0xca010f

.macro FIXUP site, target
	.pushsection .fixups, "a"
	.balign 8
	.quad \site
	.quad \target
	.popsection
.endm

.macro PUSH_REGISTERS
	pushq %rdi
	pushq %rsi
	pushq %rdx
	pushq %rcx
	pushq %rax
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %rbx
	pushq %rbp
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
.endm

.macro POP_REGISTERS
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbp
	popq %rbx
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rax
	popq %rcx
	popq %rdx
	popq %rsi
	popq %rdi
.endm

#define FRAME_RAX 80
#define FRAME_RIP 136
#define FRAME_CS 144
#define FRAME_RFLAGS 152
#define FRAME_RSP 160

	.text
// MARK: Exceptions and interrupts

	.balign 16
	.globl cshims_vectors
cshims_vectors:
	.set vector, 0
	.rept 256
	.balign 16
	.if vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30
	.else
	pushq $0
	.endif
	pushq $vector
	.if vector == 2 || vector == 8 || vector == 18
	jmp trap_own_stack
	.else
	jmp trap
	.endif
	.set vector, vector + 1
	.endr

	.balign 16
trap:
	testb $3, 24(%rsp)
	jz 1f
	swapgs
1:	cld
	CLAC
	PUSH_REGISTERS
	movq %rsp, %rdi
	xorl %ebp, %ebp
	call kernel_trap
	testb $3, FRAME_CS(%rsp)
	jz return_from_trap
	cmpq $0, %gs:CSHIMS_CPU_WORK
	jne exit_work
return_to_user:
	cli
	swapgs
return_from_trap:
	POP_REGISTERS
	addq $16, %rsp
	iretq

exit_work:
	movq %rsp, %rdi
	call kernel_exit_work
	jmp return_to_user

// NMI, double fault and machine check come on a stack of their own, from anywhere, even between an entry and its
// swapgs: the GS base itself tells whose it is.
trap_own_stack:
	cld
	CLAC
	PUSH_REGISTERS
	movl $0xc0000101, %ecx
	rdmsr
	shlq $32, %rdx
	orq %rdx, %rax
	leaq cshims_boot_cpu(%rip), %rbx
	cmpq %rbx, %rax
	je 1f
	swapgs
	movl $1, %r12d
	jmp 2f
1:	xorl %r12d, %r12d
2:	movq %rsp, %rdi
	xorl %ebp, %ebp
	call kernel_trap
	testl %r12d, %r12d
	jz return_from_trap
	swapgs
	jmp return_from_trap

// MARK: System calls

	.balign 64
	.globl cshims_syscall_entry
cshims_syscall_entry:
	swapgs
	movq %rsp, %gs:CSHIMS_CPU_USER_STACK
	movq %gs:CSHIMS_CPU_KERNEL_STACK, %rsp
	pushq $CSHIMS_USER_SS
	pushq %gs:CSHIMS_CPU_USER_STACK
	pushq %r11
	pushq $CSHIMS_USER_CS
	pushq %rcx
	pushq %rax
	pushq $CSHIMS_VECTOR_SYSCALL
	PUSH_REGISTERS
	movq %rsp, %rdi
	xorl %ebp, %ebp
	call *%gs:CSHIMS_CPU_DISPATCH
	cmpq $0, %gs:CSHIMS_CPU_WORK
	jne 2f
	// The fast way back: what the handler had to preserve is as it was.
	movq 56(%rsp), %r10
	movq 64(%rsp), %r9
	movq 72(%rsp), %r8
	movq 96(%rsp), %rdx
	movq 104(%rsp), %rsi
	movq 112(%rsp), %rdi
	movq FRAME_RIP(%rsp), %rcx
	movq FRAME_RFLAGS(%rsp), %r11
	movq 32(%rsp), %rbp
	movq FRAME_RSP(%rsp), %rsp
	swapgs
	sysretq
2:	movq %rax, FRAME_RAX(%rsp)
	movq %rsp, %rdi
	call kernel_exit_work
	jmp return_to_user

// MARK: Threads

	.globl cshims_switch
cshims_switch:
	pushq %rbp
	pushq %rbx
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, (%rdi)
	movq %rsi, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %rbx
	popq %rbp
	ret

	.globl cshims_prepare_stack
cshims_prepare_stack:
	leaq thread_start(%rip), %rax
	movq $0, -16(%rdi)
	movq %rax, -24(%rdi)
	movq $0, -32(%rdi)      // rbp
	movq %rsi, -40(%rdi)    // rbx: entry
	movq %rdx, -48(%rdi)    // r12: argument
	movq $0, -56(%rdi)
	movq $0, -64(%rdi)
	movq $0, -72(%rdi)
	leaq -72(%rdi), %rax
	ret
thread_start:
	movq %r12, %rdi
	call *%rbx
	ud2

	.globl cshims_return_to_user
cshims_return_to_user:
	movq %rdi, %rsp
	cmpq $0, %gs:CSHIMS_CPU_WORK
	jne exit_work
	jmp return_to_user

// MARK: User memory

.macro EIGHT_WORDS operation
	\operation 0, %rax
	\operation 8, %rcx
	\operation 16, %r8
	\operation 24, %r9
	\operation 32, %r10
	\operation 40, %r11
	\operation 48, %rbx
	\operation 56, %rbp
.endm
.macro LOAD_WORD offset, register
9:	movq \offset(%rsi), \register
	FIXUP 9b, 7f
.endm
.macro STORE_WORD offset, register
9:	movq \register, \offset(%rdi)
	FIXUP 9b, 7f
.endm

// rdi destination, rsi source, rdx count; returns the bytes not copied.
	.globl cshims_copy_user
cshims_copy_user:
	STAC
	cmpb $0, cshims_features+CSHIMS_FEATURES_TRANSLATED(%rip)
	je 8f
	cmpq $64, %rdx
	jb 8f
	pushq %rbx
	pushq %rbp
6:	EIGHT_WORDS LOAD_WORD // as memcpy does it there
	EIGHT_WORDS STORE_WORD
	addq $64, %rsi
	addq $64, %rdi
	subq $64, %rdx
	cmpq $64, %rdx
	jae 6b
7:	popq %rbp
	popq %rbx
8:	movq %rdx, %rcx
	shrq $3, %rcx
	andl $7, %edx
1:	rep movsq
	movl %edx, %ecx
2:	rep movsb
	movq %rcx, %rax
	CLAC
	ret
3:	leaq (%rdx,%rcx,8), %rcx // a word crossed into the bad page: go on byte by byte up to it
4:	rep movsb
5:	movq %rcx, %rax
	CLAC
	ret
	FIXUP 1b, 3b
	FIXUP 2b, 5b
	FIXUP 4b, 5b

// rdi destination, rsi count; returns the bytes not zeroed.
	.globl cshims_zero_user
cshims_zero_user:
	STAC
	xorl %eax, %eax
	cmpb $0, cshims_features+CSHIMS_FEATURES_TRANSLATED(%rip)
	je 8f
	jmp 7f
6:	.irp offset, 0, 8, 16, 24, 32, 40, 48, 56
9:	movq %rax, \offset(%rdi)
	FIXUP 9b, 8f
	.endr
	addq $64, %rdi
	subq $64, %rsi
7:	cmpq $64, %rsi
	jae 6b
8:	movq %rsi, %rcx
	movl %esi, %edx
	shrq $3, %rcx
	andl $7, %edx
1:	rep stosq
	movl %edx, %ecx
2:	rep stosb
	movq %rcx, %rax
	CLAC
	ret
3:	leaq (%rdx,%rcx,8), %rcx
4:	rep stosb
5:	movq %rcx, %rax
	CLAC
	ret
	FIXUP 1b, 3b
	FIXUP 2b, 5b
	FIXUP 4b, 5b

// rdi destination, rsi source, rdx limit. Eight bytes a turn while no byte of the word is zero.
	.globl cshims_copy_user_string
cshims_copy_user_string:
	STAC
	movq %rdi, %r8
	movabsq $0x0101010101010101, %r9
	movabsq $0x8080808080808080, %r10
1:	cmpq $8, %rdx
	jb 5f
2:	movq (%rsi), %rax
	movq %rax, %rcx
	subq %r9, %rcx
	notq %rax
	andq %rax, %rcx
	testq %r10, %rcx
	jnz 5f
	notq %rax
	movq %rax, (%rdi)
	addq $8, %rsi
	addq $8, %rdi
	subq $8, %rdx
	jmp 1b
5:	testq %rdx, %rdx
	jz 7f
6:	movb (%rsi), %al
	testb %al, %al
	jz 7f
	movb %al, (%rdi)
	incq %rsi
	incq %rdi
	decq %rdx
	jmp 5b
7:	movq %rdi, %rax
	subq %r8, %rax
	CLAC
	ret
8:	movq $-1, %rax
	CLAC
	ret
	FIXUP 2b, 5b
	FIXUP 6b, 8b

.macro USER_ACCESS name, instruction
	.globl \name
\name:
	STAC
1:	\instruction
	CLAC
	movl $1, %eax
	ret
2:	CLAC
	xorl %eax, %eax
	ret
	FIXUP 1b, 2b
.endm
.macro USER_LOAD name, register, operation
	.globl \name
\name:
	STAC
1:	\operation (%rdi), \register
	CLAC
	\operation \register, (%rsi)
	movl $1, %eax
	ret
2:	CLAC
	xorl %eax, %eax
	ret
	FIXUP 1b, 2b
.endm
	USER_LOAD cshims_load_user32, %ecx, movl
	USER_LOAD cshims_load_user64, %rcx, movq
	USER_ACCESS cshims_store_user32, "movl %esi, (%rdi)"
	USER_ACCESS cshims_touch_user32, "orl $0, (%rdi)"
	USER_ACCESS cshims_store_user64, "movq %rsi, (%rdi)"

// MARK: Floating point state

#define ALL_REGISTERS 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15

	.globl cshims_fpu_save
cshims_fpu_save:
	cmpb $0, cshims_features+CSHIMS_FEATURES_XSAVE(%rip)
	je 1f
	movl $-1, %eax
	movl $-1, %edx
	xsave64 (%rdi)
	ret
1:	fxsave64 (%rdi)
	ret

	.globl cshims_fpu_restore
cshims_fpu_restore:
	cmpb $0, cshims_features+CSHIMS_FEATURES_XSAVE(%rip)
	je 1f
	movl $-1, %eax
	movl $-1, %edx
	xrstor64 (%rdi)
	ret
1:	fxrstor64 (%rdi)
	ret

// As the two above, for a switch between threads. QEMU's translator makes XSAVE and XRSTOR calls that go through every word
// the slow way, and moves of the registers plain code: ten times as fast. The area has XSAVE's form all the same. x87 is
// saved when it is not as FNINIT leaves it, and always loaded, so that no thread sees what another left in it.
	.globl cshims_fpu_switch_out
cshims_fpu_switch_out:
	cmpb $0, cshims_features+CSHIMS_FEATURES_TRANSLATED(%rip)
	je cshims_fpu_save
	subq $32, %rsp
	fnstenv (%rsp)
	cmpw $0x37f, (%rsp)     // control
	jne 1f
	cmpw $0, 4(%rsp)        // status
	jne 1f
	cmpw $-1, 8(%rsp)       // tags: all empty
	jne 1f
	movq $0x37f, (%rdi)
	movq $6, 512(%rdi)
	jmp 2f
1:	fldcw (%rsp)            // fnstenv masks all exceptions
	movl $1, %eax
	xorl %edx, %edx
	xsave64 (%rdi)
	movq $7, 512(%rdi)
2:	addq $32, %rsp
	stmxcsr 24(%rdi)
	movl $0xffff, 28(%rdi)  // MXCSR's mask, as a signal frame shows it
	.irp n, ALL_REGISTERS
	vmovups %xmm\n, 160+16*\n(%rdi)
	vextractf128 $1, %ymm\n, 576+16*\n(%rdi)
	.endr
	ret

	.globl cshims_fpu_switch_in
cshims_fpu_switch_in:
	cmpb $0, cshims_features+CSHIMS_FEATURES_TRANSLATED(%rip)
	je cshims_fpu_restore
	movl 512(%rdi), %eax
	notl %eax
	testb $6, %al
	jnz cshims_fpu_restore  // something is in its initial state, whatever the area holds
	movl $1, %eax
	xorl %edx, %edx
	xrstor64 (%rdi)
	ldmxcsr 24(%rdi)
	.irp n, ALL_REGISTERS
	vmovups 160+16*\n(%rdi), %xmm\n
	vinsertf128 $1, 576+16*\n(%rdi), %ymm\n, %ymm\n
	.endr
	ret

	.globl cshims_fpu_restore_checked
cshims_fpu_restore_checked:
	cmpb $0, cshims_features+CSHIMS_FEATURES_XSAVE(%rip)
	je 2f
	movl $-1, %eax
	movl $-1, %edx
1:	xrstor64 (%rdi)
	movl $1, %eax
	ret
2:	fxrstor64 (%rdi)
	movl $1, %eax
	ret
3:	xorl %eax, %eax
	ret
	FIXUP 1b, 3b
	FIXUP 2b, 3b

	.section .note.GNU-stack, "", @progbits
