#!/usr/bin/env bash
# Breaks the fences of jobs and sees that their test notices: who lost a lease must write nothing.
#
#   bash build-support/scenarios/fences.sh
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit

test=(cargo test --locked -p weft-jobs --features sabotage --test jobs on_sqlite::one_that_wakes_up_late)
"${test[@]}" || { echo "fences: with its fences the test fails"; exit 1; }
output="$(WEFT_SABOTAGE=no-fences "${test[@]}" 2>&1)" && { echo "fences: without fences the test passes"; exit 1; }
grep -q "1 failed" <<<"$output" || { echo "$output"; echo "fences: the test did not run"; exit 1; }
echo "fences: without them a late write is seen"
