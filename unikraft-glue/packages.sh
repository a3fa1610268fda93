#!/bin/bash
# packages.sh check|install PACKAGE...
# Says which Debian packages are missing, or installs them. Calls apt-get only when something is missing.
set -euo pipefail

mode=$1
shift

if ! command -v swift >/dev/null; then
  echo "swift is not in PATH: install Swift 6.3 (https://www.swift.org/install/linux/) first." >&2
  exit 1
fi
if ! command -v dpkg-query >/dev/null; then
  echo "This is not a Debian system: install what Debian calls: $*" >&2
  exit 0
fi

missing=()
for package in "$@"; do
  status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
  [[ $status == installed ]] || missing+=("$package")
done
((${#missing[@]})) || exit 0

if [[ $mode == check ]]; then
  echo "Missing Debian packages: ${missing[*]}" >&2
  echo "Run 'make install', or 'apt-get install ${missing[*]}'." >&2
  exit 1
fi

as_root=()
if ((EUID != 0)); then
  if ! command -v sudo >/dev/null; then
    echo "Run this as root: apt-get install ${missing[*]}" >&2
    exit 1
  fi
  as_root=(sudo)
fi

export DEBIAN_FRONTEND=noninteractive
install_missing() {
  "${as_root[@]}" apt-get install -y -q --no-install-recommends "${missing[@]}" </dev/null
}
echo "Installing ${missing[*]}"
# The package lists may be absent or out of date.
install_missing || { "${as_root[@]}" apt-get update -q </dev/null && install_missing; }
