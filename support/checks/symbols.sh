#!/bin/bash
# What the kernel library wants from outside is on the allow-list: nothing pulled in unseen, such as `ceil` (a Dictionary),
# `arc4random_buf` (a hash seed) or Unicode tables (String comparison).
source "$(dirname "$0")/common.sh"
allowed=unikraft-glue/kernel-symbols.txt
mapfile -t objects < <(kernel_objects)

defined=$(nm --defined-only --extern-only --format=posix "${objects[@]}" | awk 'NF > 1 { print $1 }' | sort -u)
wanted=$(nm --undefined-only --format=posix "${objects[@]}" | awk 'NF > 1 { print $1 }' | sort -u)
undefined=$(comm -13 <(echo "$defined") <(echo "$wanted"))
unexpected=$(comm -13 <(sed 's/[[:space:]]*#.*//; /^$/d' "$allowed" | sort -u) <(echo "$undefined"))
[[ -z $unexpected ]] && exit 0

echo "The kernel library wants symbols that $allowed does not list:"
while IFS= read -r symbol; do
  users=$(objdump --disassemble --reloc "${objects[@]}" | awk -v s="$symbol" '
    /^[0-9a-f]+ <.*>:$/ { function_name = $2 }
    $2 ~ /^R_X86_64_/ && $3 ~ "^" s "([-+]|$)" { print function_name }' | sort -u | tr '\n' ' ')
  echo "  $symbol (in $users)"
done <<<"$unexpected"
echo "Find what in the source needs it and do without, or add the symbol to the list with its reason and its provider."
exit 1
