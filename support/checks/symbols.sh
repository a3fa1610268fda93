#!/bin/bash
# What the kernel library wants from outside is on the allow-list: nothing pulled in unseen, such as `ceil` (a Dictionary),
# `arc4random_buf` (a hash seed) or Unicode tables (String comparison).
source "$(dirname "$0")/common.sh"
library=$O/libelfloader.a
allowed=unikraft-glue/kernel-symbols.txt
need "$library" "$IMAGE.dbg"

defined=$(nm --defined-only --extern-only --format=posix "$library" 2>/dev/null | awk 'NF > 1 { print $1 }' | sort -u)
wanted=$(nm --undefined-only --format=posix "$library" 2>/dev/null | awk 'NF > 1 { print $1 }' | sort -u)
undefined=$(comm -13 <(echo "$defined") <(echo "$wanted"))
unlisted=$(comm -13 <(sed 's/[[:space:]]*#.*//; /^$/d' "$allowed" | sort -u) <(echo "$undefined"))
# What only unused code refers to (such as a hash that the compiler synthesised) is not in the image.
unexpected=$(comm -12 <(echo "$unlisted") <(nm --format=posix "$IMAGE.dbg" | awk '{ print $1 }' | sort -u))
[[ -z $unexpected ]] && exit 0

echo "The kernel library wants symbols that $allowed does not list:"
while IFS= read -r symbol; do
  users=$(nm --undefined-only --print-file-name "$library" 2>/dev/null | awk -v s="$symbol" '$NF == s { print $1 }' |
    sed 's/:*$//; s/.*[:/]//' | sort -u | tr '\n' ' ')
  echo "  $symbol (in $users)"
done <<<"$unexpected"
echo "Find what in the source needs it and do without, or add the symbol to the list with its reason and its provider."
exit 1
