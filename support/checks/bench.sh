#!/bin/bash
# What the benchmarks compute from what the guests print; the benchmarks themselves are `make bench`.
source "$(dirname "$0")/common.sh"
exec "${PYTHON3:-/usr/bin/python3}" support/bench/tests.py
