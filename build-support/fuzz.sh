#!/usr/bin/env bash
# Fuzzes crates/transcode: JSON in, wire in, paths, queries and descriptor sets, two at a time.
# Usage: build-support/fuzz.sh [seconds for each, 60 by default]
set -euo pipefail
cd "$(dirname "$0")/.."
export WEFT_FUZZ_SECONDS=${1:-60}
cargo test --quiet -p weft-transcode --test fuzz -- --test-threads "$(nproc)"
