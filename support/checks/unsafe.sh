#!/bin/bash
# Unsafe code stays in Platform, CShims and files named …Unsafe.swift, and every use there says why it holds.
source "$(dirname "$0")/common.sh"
git ls-files -z --cached --others --exclude-standard 'Sources/*.swift' |
  xargs -0 "${PYTHON3:-/usr/bin/python3}" -I support/checks/unsafe.py
