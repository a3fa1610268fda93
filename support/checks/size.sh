#!/bin/bash
# The image keeps to its size budget (bytes). The goal is 450000 and 180000; the figures here only keep it from growing.
source "$(dirname "$0")/common.sh"
budget_stripped=720000
budget_compressed=370000
need "$IMAGE" "$IMAGE.gz" "$IMAGE.dbg"

status=0
# within FILE BUDGET
within() {
  local size
  size=$(stat -c %s "$1")
  echo "$1: $size of $2 bytes"
  ((size <= $2)) || status=1
}
within "$IMAGE" $budget_stripped
within "$IMAGE.gz" $budget_compressed
((status == 0)) && exit 0
echo "Too large. The largest functions and data:"
nm --print-size --size-sort --reverse-sort --demangle "$IMAGE.dbg" | head -n 20
echo "Look for generic code specialised many times, String comparison and tables; the budget stands in $0."
exit 1
