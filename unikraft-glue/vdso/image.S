// The vDSO's ELF file as a whole number of pages, which are mapped into every program.
  .section .rodata.vdso, "a"
  .balign 4096
  .globl cshims_vdso_start
cshims_vdso_start:
  .incbin "vdso.so"
  .balign 4096
  .globl cshims_vdso_end
cshims_vdso_end:

  .section .note.GNU-stack, "", @progbits
