#!/bin/bash
# Unpacks the source of a Debian package, with Debian's patches: source.sh PACKAGE DIRECTORY. The machine's own lists of
# packages need no deb-src for it, and stay as they are.
set -euo pipefail
package=$1
mkdir -p "$2"
cd "$2"
. /etc/os-release
mkdir -p apt/lists/partial
echo "deb-src http://deb.debian.org/debian $VERSION_CODENAME main" >apt/sources.list
options=(-q -o Dir::Etc::SourceList="$PWD/apt/sources.list" -o Dir::Etc::SourceParts=- -o Dir::State::Lists="$PWD/apt/lists"
  -o Dir::Cache="$PWD/apt" -o APT::Sandbox::User=root)
apt-get "${options[@]}" update >/dev/null
apt-get "${options[@]}" source "$package" >/dev/null
rm -r apt
