#!/bin/bash
# The vDSO's functions, called on the host with time data made up for it.
source "$(dirname "$0")/common.sh"
need "$O/libvdso/vdso.so"
mkdir -p "$O/tests"
gcc -O2 -Wall -Wextra -Werror -I unikraft-glue/vdso -o "$O/tests/vdso-test" Tests/VDSO/vdso-test.c
"$O/tests/vdso-test" "$O/libvdso/vdso.so"
