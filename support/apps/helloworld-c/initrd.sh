#!/bin/sh
# initrd.sh OUT.cpio: compiles helloworld.c and packs it as /helloworld.
set -e
here=$(dirname "$0")
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
gcc -O2 -static-pie -o "$root/helloworld" "$here/helloworld.c"
"$here/../../mkinitrd" -o "$1" "$root"
