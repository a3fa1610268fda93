#!/bin/bash
# The unit tests, on the host. Undeclared imports are errors here as in the kernel build.
source "$(dirname "$0")/common.sh"
swift_host build --quiet --build-tests --explicit-target-dependency-import-check error
swift_host test --skip-build --parallel
