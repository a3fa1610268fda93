#!/bin/bash
# No floating point or SIMD instruction in the kernel's own objects: the FPU holds the program's state while the kernel
# runs. Saving and restoring that state is what the kernel may do.
source "$(dirname "$0")/common.sh"
mapfile -t objects < <(kernel_objects; find "$O" -path "$O/swift" -prune -o -path "$O/host" -prune -o -path "$O/vdso" -prune \
  -o -name '*.[cS].o' -print)

found=$(objdump --disassemble --no-show-raw-insn "${objects[@]}" | awk '
  / file format / { object = $1; sub(/:$/, "", object) }
  /^[0-9a-f]+ <.*>:$/ { function_name = $2 }
  /^ +[0-9a-f]+:\t/ {
    instruction = $0
    sub(/^ +[0-9a-f]+:\t/, "", instruction)
    split(instruction, words, /[ \t]+/)
    mnemonic = words[1]
    if (function_name ~ /^<cshims_fpu_/) next
    if (mnemonic ~ /^(fxsave|fxrstor|xsave|xrstor)/ || mnemonic == "fninit" || mnemonic == "ldmxcsr") next
    if (instruction ~ /%([xyz]mm|mm[0-7]|st)/ || mnemonic ~ /^(f[a-z]|v[a-z]+(ps|pd|ss|sd)$|emms|stmxcsr)/)
      print "  " object " " function_name " " instruction
  }')
[[ -z $found ]] && exit 0

echo "Floating point or SIMD in the kernel:"
head -n 20 <<<"$found"
echo "$(wc -l <<<"$found") in all. Keep Double and Float out of kernel code; C is compiled with the flags of toolset.json."
exit 1
