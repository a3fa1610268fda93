// A program without a C library: the registers and the stack at the first instruction, as the ABI defines them.
// Prints nothing when all is right but "entry ok"; exits with the number of what is wrong.
  .globl _start
_start:
  pushfq
  popq -16(%rsp)
  mov $1, %edi
  test $15, %spl
  jnz fail
  mov $2, %edi                   // %rdx: the function to register with atexit, 0 from the kernel
  test %rdx, %rdx
  jnz fail
  mov $3, %edi
  test %rbp, %rbp
  jnz fail
  mov $4, %edi
  mov %rax, %r12
  or %rbx, %r12
  or %rcx, %r12
  or %rsi, %r12
  or %r8, %r12
  or %r9, %r12
  or %r10, %r12
  or %r13, %r12
  or %r14, %r12
  or %r15, %r12
  jnz fail
  mov $5, %edi                   // Flags: only the always-one bit and the interrupt flag.
  cmpq $0x202, -16(%rsp)
  jne fail
  mov $6, %edi                   // MXCSR and the x87 control word have their defaults.
  stmxcsr -8(%rsp)
  cmpl $0x1f80, -8(%rsp)
  jne fail
  mov $7, %edi
  fnstcw -8(%rsp)
  cmpw $0x37f, -8(%rsp)
  jne fail
  mov $8, %edi
  pxor %xmm0, %xmm0
  por %xmm7, %xmm0
  por %xmm15, %xmm0
  movq %xmm0, %rax
  test %rax, %rax
  jnz fail
  mov $9, %edi                   // Segment selectors of user mode.
  mov %cs, %ax
  cmp $0x33, %ax
  jne fail
  mov %ss, %ax
  cmp $0x2b, %ax
  jne fail
  mov $10, %edi                  // The thread pointer is zero until the program sets it.
  mov $158, %eax
  mov %rdi, %r12
  mov $0x1003, %edi              // ARCH_GET_FS
  lea -16(%rsp), %rsi
  syscall
  mov %r12, %rdi
  cmpq $0, -16(%rsp)
  jne fail
  mov $11, %edi                  // A system call keeps all registers but rax, rcx and r11.
  mov $39, %eax
  mov $0x1111111111111111, %rbx
  mov $0x2222222222222222, %rdx
  mov $0x3333333333333333, %rsi
  mov $0x4444444444444444, %r8
  mov $0x5555555555555555, %r9
  mov $0x6666666666666666, %r10
  mov %rbx, %rbp
  mov %rdx, %r12
  mov %rsi, %r13
  mov %r8, %r14
  mov %r9, %r15
  std
  stc
  syscall
after:
  pushfq
  cld
  cmp %rbx, %rbp
  jne fail
  cmp %rdx, %r12
  jne fail
  cmp %rsi, %r13
  jne fail
  cmp %r8, %r14
  jne fail
  cmp %r9, %r15
  jne fail
  shl $1, %r10
  mov $0xcccccccccccccccc, %rax
  cmp %rax, %r10
  jne fail
  cmp $11, %edi
  jne fail
  mov $12, %edi                  // rcx is the return address; the flags come back, direction and carry included.
  lea after(%rip), %rax
  cmp %rax, %rcx
  jne fail
  mov $13, %edi
  pop %rax
  and $0x401, %eax
  cmp $0x401, %eax
  jne fail
  mov $1, %eax
  mov $1, %edi
  lea message(%rip), %rsi
  mov $9, %edx
  syscall
  xor %edi, %edi
fail:
  mov $231, %eax
  syscall
message:
  .ascii "entry ok\n"
  .section .note.GNU-stack, "", @progbits
