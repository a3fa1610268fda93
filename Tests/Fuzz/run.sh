#!/bin/sh
# Builds the fuzz targets of the parsers and runs each for SECONDS (60), starting from seeds that are made here.
# usage: Tests/Fuzz/run.sh [SECONDS] [elf|cpio|commandline|ninep ...]
# A crash ends with a non-zero status; the input that caused it is in build/fuzz. Keep it as a case of the host tests.
set -eu
cd "$(dirname "$0")/../.."
seconds=${1:-60}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- elf cpio commandline ninep
out=build/fuzz
mkdir -p "$out"
clang=$(dirname "$(readlink -f "$(command -v swiftc)")")/clang
command -v "$clang" >/dev/null || clang=clang

flags="-swift-version 6 -O -parse-as-library -sanitize=fuzzer,address -use-ld=lld -I $out -L $out
  -enable-upcoming-feature ExistentialAny -enable-upcoming-feature InternalImportsByDefault
  -enable-upcoming-feature MemberImportVisibility -enable-experimental-feature Lifetimes"

# module NAME FILE...: compiles a module of the kernel with coverage, unless it is newer than its sources.
module() {
  name=$1
  shift
  if [ -e "$out/lib$name.a" ] && [ -z "$(find "$@" "$0" -newer "$out/lib$name.a")" ]; then return; fi
  # shellcheck disable=SC2086
  swiftc $flags -emit-module -emit-module-path "$out/$name.swiftmodule" -emit-library -static -module-name "$name" \
    -I unikraft-glue/libelf/include -o "$out/lib$name.a" "$@"
}

# target NAME FILE LINK...: links a fuzz target.
target() {
  name=$1 file=$2
  shift 2
  # shellcheck disable=SC2086
  swiftc $flags -I unikraft-glue/libelf/include -module-name "fuzz_$name" -o "$out/$name" "$file" "$@"
}

# Seeds: small real inputs, from which the fuzzer derives its own.
seed_elf() {
  for program in /bin/true /bin/ls /lib64/ld-linux-x86-64.so.2; do
    head -c 4096 "$program" >"$1/$(basename "$program")"
    head -c 65536 "$program" >"$1/$(basename "$program")-long"
  done
  printf 'void _start(void) { for (;;) ; }' >"$out/seed.c"
  "$clang" -fuse-ld=lld -nostdlib -static -Wl,-z,noseparate-code -o "$1/static" "$out/seed.c"
  "$clang" -fuse-ld=lld -nostdlib -static-pie -fPIE -o "$1/static-pie" "$out/seed.c"
  printf '#!/bin/sh -e x\necho\n' >"$1/script"
}
seed_cpio() {
  mkdir -p "$out/tree/directory"
  printf 'content\n' >"$out/tree/file"
  ln -f "$out/tree/file" "$out/tree/directory/link"
  ln -sf ../file "$out/tree/directory/symlink"
  for format in newc crc; do (cd "$out/tree" && find . | cpio -o -H $format --quiet) >"$1/$format"; done
  cat "$1/newc" "$1/crc" >"$1/two"
}
seed_commandline() {
  printf '%s' "env.vars=[ K=V 'X=a b' ] -- /bin/prog 'an argument' b virtio_mmio.device=512@0xfeb00e00:12" >"$1/1"
  printf '%s' 'vfs.fstab=["fs0:/:9pfs:ro,nosuid:msize=8192:mkmp"] aslr=off loglevel=debug help -- sh -c "a\"b"' >"$1/2"
  printf '%s' 'n.umber=0x10 t.ext=x\ y console.stdin=pipe log=warn netdev.ip=10.0.0.2/24:10.0.0.1 -- p "" --' >"$1/3"
  printf '%s' '4K@0xd0000000:5:1' >"$1/device"
  printf '%s' '0x1000@0xffffffffffffffff:5' >"$1/device-outside"
  printf '%s' 'fs0:/:9pfs:ro,nosuid:msize=8192:mkmp' >"$1/mount"
}

# Dictionaries: what the inputs are made of, in libFuzzer's form.
dictionary_elf() {
  printf '"%s"\n' '\x7fELF\x02\x01\x01' '\x03\x00\x00\x00' 'P\xe5td' 'Q\xe5td' 'R\xe5td' 'S\xe5td' '#!/' \
    '\x00\x00\x00\x00\x80\x7f\x00\x00' '\xff\xff\xff\xff\xff\xff\xff\xff' '\x00\x10\x00\x00\x00\x00\x00\x00'
}
dictionary_cpio() {
  printf '"%s"\n' 070701 070702 070707 'TRAILER!!!' FFFFFFFF 00000000 00001000 00001001 0000000B .. / '\x00'
}
dictionary_commandline() {
  printf '"%s"\n' ' -- ' '=[ ' ' ]' virtio_mmio.device= env.vars= vfs.fstab= n.umber= t.ext= aslr console.stdin= \
    0xffffffffffffffff 18446744073709551616 9223372036854775808 -9223372036854775808 @ : 4K G '\x22' "'" '\\'
}

# Replies of a 9P server: what the fuzzer starts from is their bodies.
seed_ninep() {
  printf '\000\000\000\100\001\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000' >"$1/qid"
  printf '\001\000\200\000\000\000\000\002\000\000\000\000\000\000\000' >"$1/walk"
  head -c 4096 /dev/zero >"$1/zeroes"
}
dictionary_ninep() {
  printf '"%s"\n' '\xff\xff\xff\xff' '\xff\xff\xff\xff\xff\xff\xff\x7f' '\x00\x00\x00\x80' '\xa4\x81\x00\x00' \
    '\xed\x41\x00\x00' '9P2000.L' '\x01\x00' '..'
}

module Support $(find Sources/Support -name '*.swift')
for name; do
  case $name in
  elf)
    module LinuxABI $(find Sources/LinuxABI -name '*.swift')
    module ELFLoader $(find Sources/ELFLoader -name '*.swift')
    "$clang" -O1 -g -fsanitize=address -fsanitize=fuzzer-no-link -I unikraft-glue/libelf/include \
      -c unikraft-glue/libelf/clibelf.c -o "$out/clibelf.o"
    target elf Tests/Fuzz/ELFPlanFuzz.swift -lELFLoader -lLinuxABI -lSupport "$out/clibelf.o" -lelf
    ;;
  cpio) target cpio Tests/Fuzz/CPIOFuzz.swift -lSupport ;;
  commandline)
    # The command line needs nothing of the rest of its module.
    module Kernel $(find Sources/Kernel/CommandLine -name '*.swift')
    target commandline Tests/Fuzz/CommandLineFuzz.swift -lKernel -lSupport
    ;;
  ninep)
    # A folder of its own: this is all of the module Kernel.
    plain=$out plain_flags=$flags
    out=$out/modules
    mkdir -p "$out"
    # The fake machine's addresses are the address sanitizer's own; what is unsafe here is the test's side alone.
    flags=$(printf '%s' "$flags" | sed "s|-I $plain -L $plain|-I $out -L $out|; s/fuzzer,address/fuzzer/")
    module Support $(find Sources/Support -name '*.swift')
    module LinuxABI $(find Sources/LinuxABI -name '*.swift')
    module Platform $(find Tests/Support/Platform -name '*.swift')
    for part in Kernel Drivers VFSCore NinePFS; do module $part $(find Sources/$part -name '*.swift'); done
    # Test support is compiled as it is for the tests: its imports are public.
    flags=$(printf '%s' "$flags" | sed 's/-enable-upcoming-feature InternalImportsByDefault//')
    module FileSystemTesting $(find Tests/Support/FileSystemTesting -name '*.swift')
    out=$plain
    target ninep Tests/Fuzz/NinePFuzz.swift -lFileSystemTesting -lNinePFS -lVFSCore -lDrivers -lKernel -lPlatform \
      -lLinuxABI -lSupport -lswiftSynchronization
    flags=$plain_flags
    ;;
  *) echo "$0: no such target: $name" >&2 && exit 2 ;;
  esac
done

for name; do
  mkdir -p "$out/corpus-$name" "$out/seeds-$name"
  "seed_$name" "$out/seeds-$name"
  dictionary_"$name" >"$out/$name.dict"
  echo "  FUZZ    $name for $seconds s"
  # Without randomised addresses: the fake machine's memory has a place of its own, where a library might lie.
  if ! setarch -R "$out/$name" -max_total_time="$seconds" -max_len=8192 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -dict="$out/$name.dict" -artifact_prefix="$out/$name-" "$out/corpus-$name" "$out/seeds-$name" >"$out/$name.log" 2>&1; then
    tail -40 "$out/$name.log" >&2
    exit 1
  fi
  grep -E 'stat::number_of_executed_units' "$out/$name.log" | sed 's/.*: */          executions: /'
done
