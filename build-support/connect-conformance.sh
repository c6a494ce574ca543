#!/usr/bin/env bash
# Runs Connect's conformance suite against the edge, which stands alone in front of the suite's reference server and speaks
# nothing but gRPC to it: Connect, gRPC and gRPC-Web, over HTTP/1.1 and HTTP/2, with TLS and without.
#
#   bash build-support/connect-conformance.sh [ARGUMENT...]      more arguments for the runner, such as --trace
#
# connect-conformance.yaml says what is tested, and why the rest is not. Needs go, npm and cargo.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# shellcheck source=build-support/programs.sh
source build-support/programs.sh
# shellcheck source=build-support/tools.sh
source build-support/tools.sh
# Fewer would mean that cases were skipped.
expected=7248

fail() {
    echo "connect-conformance: $*" >&2
    exit 1
}

tools_install buf connectconformance >&2
sources="$(go mod download -json "connectrpc.com/conformance@v$CONNECTCONFORMANCE_VERSION" | sed -nE 's/^\t"Dir": "(.*)",?$/\1/p')"
[[ -d "$sources/proto" ]] || fail "the suite's contracts are not among its sources"
report="$(mktemp -d /tmp/weft-connect-conformance.XXXXXX)"
trap 'rm -rf "$report"' EXIT
export CONFORMANCE_DESCRIPTOR_SET="$report/contracts.binpb"
export CONFORMANCE_SERVER="$tools_folder/connectconformance-$CONNECTCONFORMANCE_VERSION/bin/referenceserver"
buf build "$sources/proto" --as-file-descriptor-set -o "$CONFORMANCE_DESCRIPTOR_SET" || fail "buf cannot compile the contracts"

testee="$(programs_build --quiet --message-format=json |
    sed -nE 's#.*"executable":"([^"]*/connect_conformance)".*#\1#p' | tail -n 1)"
[[ -x "$testee" ]] || fail "the edge did not build"
connectconformance --mode server --conf build-support/connect-conformance.yaml "$@" -- "$testee" >"$report/log" 2>&1 || {
    grep --after-context 6 "^FAILED" "$report/log" | head -n 60 >&2
    fail "the suite failed"
}
summary="$(tail -n 1 "$report/log")"
echo "connect-conformance: $summary"
passed="$(sed -nE 's/^([0-9]+) passed, 0 failed$/\1/p' <<<"$summary")"
[[ "${passed:-0}" -ge "$expected" ]] || fail "${passed:-0} cases passed, and there were $expected"
