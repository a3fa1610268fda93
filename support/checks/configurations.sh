#!/bin/bash
# Every default configuration names options that exist, and gets the values that it asks for.
source "$(dirname "$0")/common.sh"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python=${PYTHON3:-/usr/bin/python3}

status=0
for file in unikraft-glue/defconfigs/*; do
  export KCONFIG_CONFIG=$folder/config
  rm -f "$KCONFIG_CONFIG"
  warnings=$("$python" -I -m defconfig --kconfig Config.uk "$file" 2>&1 >/dev/null)
  missed=$(grep -vE '^(#|$)' "$file" | grep -vFxf "$KCONFIG_CONFIG" || true)
  if [[ -n $warnings || -n $missed ]]; then
    echo "$file: ${warnings:-}${missed:+ is not in the configuration that it gives: $missed}"
    status=1
  fi
done
exit $status
