#!/bin/bash
# Every tracked Swift file is formatted as .swift-format says, and every tracked script parses.
source "$(dirname "$0")/common.sh"

status=0
mapfile -t swift_files < <(git ls-files --cached --others --exclude-standard '*.swift')
if ! "$SWIFT" format lint --strict --parallel "${swift_files[@]}"; then
  echo "Run 'make format', and mend by hand what it leaves."
  status=1
fi
while IFS= read -r file; do
  [[ -f $file ]] || continue
  case $(head -c 64 "$file" | head -n 1 | tr -d '\0') in
    '#!'*bash | '#!/bin/sh') bash -n "$file" || status=1 ;;
    '#!'*python3*)
      "${PYTHON3:-/usr/bin/python3}" -I -c 'import ast, sys; ast.parse(open(sys.argv[1]).read(), sys.argv[1])' "$file" ||
        status=1
      ;;
  esac
done < <(git ls-files --cached --others --exclude-standard support Tests unikraft-glue .ci)
exit $status
