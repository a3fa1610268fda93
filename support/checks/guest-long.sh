#!/bin/bash
# The whole suites, natively and in the guest: too long for guest-tests.
source "$(dirname "$0")/common.sh"
need "$IMAGE"
Tests/run-guest.sh long
