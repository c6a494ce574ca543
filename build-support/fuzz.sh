#!/usr/bin/env bash
# Fuzzes crates/transcode: JSON in, wire in, paths, queries and descriptor sets, two at a time.
# Usage: build-support/fuzz.sh [seconds for each, 60 by default]
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=build-support/programs.sh
source build-support/programs.sh
export WEFT_FUZZ_SECONDS=${1:-60}
cargo test --locked --quiet "${programs_workspace[@]}" --test fuzz -- --test-threads "$(nproc)"
