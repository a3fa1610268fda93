#!/bin/bash
# The image boots and runs a program of this machine: /bin/ls lists the initrd, and its status comes back.
source "$(dirname "$0")/common.sh"
need "$IMAGE"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

support/mkinitrd -o "$folder/ls.cpio" -p /bin/ls
status=0
timeout 120 support/qemu-guest -W -k "$IMAGE" -i "$folder/ls.cpio" -m 64 -a "/bin/ls /" >"$folder/output" 2>&1 || status=$?
if ((status != 0)) || ! grep -qw lib64 "$folder/output"; then
  cat "$folder/output"
  echo "ls / in the guest: exit status $status (124: no end within 120 s), expected 0 and a listing with lib64."
  exit 1
fi
status=0
timeout 120 support/qemu-guest -W -k "$IMAGE" -i "$folder/ls.cpio" -m 64 -a "/bin/ls /absent" >"$folder/output" 2>&1 ||
  status=$?
if ((status != 2)); then
  cat "$folder/output"
  echo "ls /absent in the guest: exit status $status, expected 2."
  exit 1
fi
