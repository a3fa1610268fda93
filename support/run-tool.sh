# Sourced by the wrappers beside it, with the tool's name in `tool` and their own path in `self`: runs
# .build-tools/release/$tool, which is built first when it is missing or older than its sources.
top=${self%/*}/..
case $top in /*) ;; *) top=$PWD/$top ;; esac
scratch=$top/.build-tools
# The executable keeps its date when a build finds nothing to do, so the last good build has a mark of its own.
mark=$scratch/$tool.built

# A missing mark makes find complain, and that counts as an answer.
if [ ! -x "$scratch/release/$tool" ] ||
  [ -n "$(find "$top/Sources/HostTools" -newer "$mark" -print -quit 2>&1)" ]; then
  echo "$tool: building the tool, which may take a minute ..." >&2
  mkdir -p "$scratch" || exit 1
  : >"$scratch/$tool.started.$$"
  if ! (
    flock 9
    exec env -u ELFLOADER_KERNEL swift build --package-path "$top" --scratch-path "$scratch" -c release \
      --static-swift-stdlib --product "$tool"
  ) 9>"$scratch/lock" >"$scratch/$tool.log" 2>&1; then
    cat "$scratch/$tool.log" >&2
    echo "$tool: building the tool failed" >&2
    exit 1
  fi
  # Sources that were changed during the build are newer than the mark.
  mv "$scratch/$tool.started.$$" "$mark" || exit 1
fi
exec "$scratch/release/$tool" "$@"
