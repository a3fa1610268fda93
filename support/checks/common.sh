# Sourced by the checks: they run in the project's folder, alone or under make.
set -euo pipefail
export LC_ALL=C.UTF-8
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
O=${O:-build}
SWIFT=${SWIFT:-swift}
IMAGE=${IMAGE:-$O/elfloader_qemu-x86_64}

# The kernel's own code, without the libraries of others: what the linker made of the bitcode, and the assembly.
kernel_objects() {
  need "$O/libelfloader.o"
  echo "$O/libelfloader.o"
  find "$O/swift/release/" -name '*.S.o'
}

# need FILE... ends the check when the build has not made them.
need() {
  local file
  for file in "$@"; do
    [[ -e $file ]] || {
      echo "$file does not exist: run 'make' first." >&2
      exit 1
    }
  done
}

# swift_host ARGUMENT... runs swift with the host's scratch folder, and shows its output only if it fails.
swift_host() {
  local log
  log=$(mktemp)
  if ! "$SWIFT" "$1" --scratch-path "$O/host" "${@:2}" >"$log" 2>&1; then
    cat "$log"
    rm -f "$log"
    return 1
  fi
  tail -n 1 "$log"
  rm -f "$log"
}
