#!/bin/bash
# Everything that holds the guest against Linux: the programs of Tests/Guest, those of Debian, the machines, bad input.
# Run from anywhere; needs root (for chroot), the image that `make` builds, and installs the packages that the cases
# name. Ends with one line `N passed, N failed` over all, and a status that is not zero if any failed.
#
#   Tests/run-guest.sh [--filter RE] [programs|shells|differential|share|machines|network|bad-input|faults|runtimes|files|cpython|stress]...
#   Tests/run-guest.sh [--filter RE] long     # the whole suites, as `make test-long` does
set -uo pipefail
cd "$(dirname "$0")/.."

filter=()
parts=()
while (($#)); do
  case $1 in
  --filter)
    filter=(--filter "$2")
    shift
    ;;
  programs | shells | differential | share | machines | network | bad-input | faults | runtimes | files | cpython | stress | long) parts+=("$1") ;;
  *)
    echo "usage: Tests/run-guest.sh [--filter RE] [programs|shells|differential|share|machines|network|bad-input|faults|runtimes|files|cpython|stress|long]..." >&2
    exit 2
    ;;
  esac
  shift
done
((${#parts[@]})) || parts=(programs shells differential share machines network bad-input faults runtimes files cpython stress)

# The tools are built when they first run: now, and not within a case's time.
for tool in qemu-guest mkinitrd; do support/$tool -h >/dev/null || exit 1; done

passed=0 failed=0
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# run TITLE COMMAND... runs a part, and adds the numbers of its closing line.
run() {
  local title=$1 numbers
  shift
  echo "== $title"
  "$@" 2>&1 | tee "$log"
  numbers=$(tail -n 1 "$log" | sed -nE 's/^([0-9]+) passed, ([0-9]+) failed.*/\1 \2/p')
  if [[ -z $numbers ]]; then
    echo "$title ended without a result" >&2
    numbers="0 1"
  fi
  passed=$((passed + ${numbers% *})) failed=$((failed + ${numbers#* }))
}

# runtimes LIST MAKE-TARGET runs one list of Tests/Runtimes: what it compiles needs its packages first.
runtimes() {
  differential --guest install --list "Tests/Runtimes/$1.toml"
  make -s -f Tests/Runtimes/Makefile O=build/runtimes "$2" || exit 1
  differential --list "Tests/Runtimes/$1.toml" --times "build/differential/times-runtimes-$1.json"
}
differential() { Tests/Differential/run.py --install "${filter[@]}" "$@"; }

for part in "${parts[@]}"; do
  case $part in
  runtimes) run "runtimes and compilers" runtimes quick quick ;;
  cpython) run "a sample of CPython's tests" Tests/CPython/run.py --install --sample ;;
  files)
    run "programs that work on files" differential --list Tests/Files/quick.toml \
      --times build/differential/times-files.json
    ;;
  stress) run "a sample of stress-ng" Tests/Stress/run.py --install --sample "${filter[@]}" ;;
  long)
    make -s -f Tests/Guest/Makefile O=build/tests || exit 1
    run "large programs of Tests/Guest" differential --list Tests/Guest/long.toml --times build/differential/times-long.json
    run "the same by 9p" differential --list Tests/Guest/long.toml --share --times build/differential/times-long-9p.json
    run "killed while they write" Tests/Faults/kill9.py --rounds 200
    run "shares that are full, read-only, or changed by others" Tests/Faults/shares.py
    run "programs that work on files" differential --list Tests/Files/long.toml \
      --times build/differential/times-files-long.json
    run "programs that work on files, roots by 9p" differential --share --list Tests/Files/share.toml \
      --times build/differential/times-files-share.json
    run "runtimes and compilers" runtimes long all
    run "CPython's tests" Tests/CPython/run.py --install
    run "stress-ng" Tests/Stress/run.py --install
    run "programs of a whole Debian system" Tests/Distribution/run.py --install
    ;;
  differential) run "programs of Debian" differential --times build/differential/times-debian.json ;;
  *)
    make -s -f Tests/Guest/Makefile O=build/tests || exit 1
    ;;&
  programs)
    run "programs of Tests/Guest" differential --list Tests/Guest/programs.toml --times build/differential/times-programs.json
    ;;
  shells)
    run "shells and jobs" differential --list Tests/Differential/shells.toml --times build/differential/times-shells.json
    ;;
  share)
    # A sample with the root by 9p: programs that read and write files.
    sample=("${filter[@]}")
    ((${#sample[@]})) ||
      sample=(--filter '^(files|names|mmap|large|mapped-file|exit-writes|file-model-share|cp-|mv-|rm-|ln-|find-|dd-|touch-|sort-temp|sqlite3-|python-files)')
    run "roots by 9p" Tests/Differential/run.py --install "${sample[@]}" --share \
      --list Tests/Differential/cases.toml --list Tests/Guest/programs.toml --list Tests/Guest/share.toml \
      --known Tests/Differential/known-differences-9p.toml --times build/differential/times-share.json
    ;;
  machines)
    run "machines" differential --list Tests/Guest/machines.toml --times build/differential/times-machines.json
    ;;
  network) run "network cards" Tests/Network/cards.py ;;
  faults) run "killed while they write" Tests/Faults/kill9.py --rounds 10 ;;
  bad-input) run "bad input" Tests/Differential/bad_input.py "${filter[@]}" ;;
  esac
done
echo "$passed passed, $failed failed"
((failed == 0))
