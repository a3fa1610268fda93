#!/bin/bash
# The layers: a module imports only what Package.swift declares for it, and declares only what lies below it.
# Every kernel module is registered in Makefile.uk, so that make knows its sources.
source "$(dirname "$0")/common.sh"
swift_host build --quiet --explicit-target-dependency-import-check error
package=$(mktemp)
trap 'rm -f "$package"' EXIT
ELFLOADER_KERNEL=1 "$SWIFT" package --scratch-path "$O/swift" dump-package >"$package"
"${PYTHON3:-/usr/bin/python3}" -I support/checks/layers.py "$package" Makefile.uk unikraft-glue/*/Makefile.uk
