// The floor of the boot rows: a kernel that prints the line at once. What it takes is QEMU's and the firmware's time.
	.section .note.pvh, "a", @note
	.balign 4
	.long 4, 4, 18                  // XEN_ELFNOTE_PHYS32_ENTRY, Xen's public/elfnote.h
	.asciz "Xen"
	.long _start

	.text
	.code32
	.globl _start
_start:
	movl $line, %esi
	movl $6, %ecx
	movl $0x3f8, %edx               // the first serial port
	rep outsb
	xorl %eax, %eax
	movl $0x501, %edx               // isa-debug-exit
	outb %al, %dx
1:	hlt
	jmp 1b

line:
	.ascii "hello\n"
