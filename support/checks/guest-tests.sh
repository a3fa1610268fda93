#!/bin/bash
# Programs run natively and in the guest, and both must agree.
source "$(dirname "$0")/common.sh"
need "$IMAGE"
Tests/run-guest.sh
