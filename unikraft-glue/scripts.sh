#!/bin/bash
# scripts.sh BUILD_FOLDER
# Writes BUILD_FOLDER/make-TARGET.sh and kraft-TARGET.sh for every target in unikraft-glue/defconfigs, and
# run/TARGET-APPLICATION.sh for every target that QEMU runs and every application below.
set -euo pipefail
cd "$(dirname "$0")/.."
build=$1

# name|commands that make the initrd $initrd|the program's command line
applications=(
  "ls|support/mkinitrd -o \$initrd -p /bin/ls|/bin/ls -l /"
  "helloworld-c|support/apps/helloworld-c/initrd.sh \$initrd|/helloworld"
  "sqlite3|support/mkinitrd -o \$initrd -p /usr/bin/sqlite3|/usr/bin/sqlite3 :memory: 'select sqlite_version()'"
)

# script FILE writes an executable file from standard input.
script() {
  cat >"$1"
  chmod +x "$1"
  echo "$1"
}

mkdir -p "$build" run
to_project=$(realpath --relative-to="$build" .)

for path in unikraft-glue/defconfigs/*; do
  target=$(basename "$path")
  short=${target#elfloader-}
  platform=${short%%-*}

  script "$build/make-$short.sh" <<END
#!/bin/sh
# Builds $target.
set -e
cd "\$(dirname "\$0")/$to_project"
make defconfig UK_DEFCONFIG=$path
make -j "\$(nproc)"
END

  script "$build/kraft-$short.sh" <<END
#!/bin/sh
# Builds $target with KraftKit.
set -e
cd "\$(dirname "\$0")/$to_project"
kraft build --log-type basic --target $target --plat $platform
END

  # One image serves the plain, the strace and the debug target: what was built last runs.
  [[ $short == qemu-*-strace || $short == qemu-*-debug || $platform != qemu ]] && continue
  if [[ $short == *-9pfs ]]; then
    root='rm -rf "$root"
mkdir -p "$root"
cpio -i -d --quiet -D "$root" <"$initrd"'
    from='-e "$root"'
  else
    root=''
    from='-i "$initrd"'
  fi
  for application in "${applications[@]}"; do
    IFS='|' read -r name pack command <<<"$application"
    script "run/$short-$name.sh" <<END
#!/bin/sh
# Runs $name as a guest. An argument names another image. QEMU_GUEST_FLAGS replaces -W (TCG): with it empty, qemu-guest
# takes KVM where there is one.
set -e
cd "\$(dirname "\$0")/.."
kernel=\${1:-$build/elfloader_${short%-*}}
initrd=$build/$name.cpio
root=$build/$name.root
$pack
$root
exec support/qemu-guest \${QEMU_GUEST_FLAGS--W} -k "\$kernel" $from -m 64 -a "$command"
END
  done
done
