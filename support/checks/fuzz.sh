#!/bin/bash
# Each fuzz target runs for FUZZ_SECONDS (60).
source "$(dirname "$0")/common.sh"
Tests/Fuzz/run.sh "${FUZZ_SECONDS:-60}"
