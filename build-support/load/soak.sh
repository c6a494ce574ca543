#!/usr/bin/env bash
# Half an hour of mixed load on one process, whose memory and open descriptors are looked at every five seconds: both must
# be flat once it is warm.
#
#   soak.sh [SECONDS]      default: 1800; LOAD_RATE steps a second (default: 100)
#
# The first third warms up. Of the other two, the medians are compared: memory may have grown by a twentieth, descriptors by
# ten. WEFT_BINARY names a binary that is built already. Prints every minute's figures.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/weft/target}"
# shellcheck source=build-support/programs.sh
source build-support/programs.sh
# shellcheck source=build-support/servers.sh
source build-support/servers.sh
tools_install curl jq >/dev/null

seconds="${1:-1800}"
((seconds >= 60)) || { echo "soak: less than a minute tells nothing" >&2; exit 64; }
folder="$(mktemp -d /tmp/weft-soak.XXXXXX)"
weft="" load=""
finish() {
    local process
    for process in $weft $load; do
        kill "$process" 2>/dev/null || true
        wait "$process" 2>/dev/null || true
    done
    rm -rf "$folder"
}
trap finish EXIT

fail() {
    echo "soak: $*" >&2
    tail -n 20 "$folder"/*.log >&2 || true
    exit 1
}

binary="${WEFT_BINARY:-}"
if [[ -z "$binary" ]]; then
    cargo build --release --locked
    binary="$CARGO_TARGET_DIR/release/weft"
fi
binary="$(realpath "$binary")"
programs_build --bin weft-load
edge="$(servers_free_port)" admin="$(servers_free_port)"
flags=(--set "edge.port=$edge" --set "admin.port=$admin")
for domain in $("$binary" routes --json | jq -r '.domains[].name'); do flags+=(--set "mesh.ports.$domain=0"); done
(cd "$folder" && exec env -i "PATH=$PATH" "HOME=$folder" "$binary" up "${flags[@]}") >"$folder/weft.log" 2>&1 &
weft=$!
curl -fsS --retry 60 --retry-delay 1 --retry-all-errors -o /dev/null "http://127.0.0.1:$admin/ready" 2>/dev/null || fail "weft is not ready"
"$CARGO_TARGET_DIR/debug/weft-load" --url "http://127.0.0.1:$edge" --rate "${LOAD_RATE:-100}" --seconds "$seconds" >"$folder/load.log" 2>&1 &
load=$!

# second, KiB of memory, descriptors
samples="$folder/samples"
for ((second = 0; second + 5 < seconds; second += 5)); do
    sleep 5
    kill -0 "$weft" 2>/dev/null || fail "weft has ended"
    kill -0 "$load" 2>/dev/null || fail "the load has ended"
    memory="$(awk '/^VmRSS:/ { print $2 }' "/proc/$weft/status")"
    descriptors="$(find "/proc/$weft/fd" -mindepth 1 2>/dev/null | wc -l)"
    echo "$second $memory $descriptors" >>"$samples"
    if ((second % 60 == 0)); then printf 'soak: %5d s  %4d MB  %4d descriptors\n' "$second" $((memory / 1024)) "$descriptors"; fi
done
wait "$load" || fail "calls were lost"
load=""
tail -n 1 "$folder/load.log"

# median COLUMN FROM TO: of the samples within these seconds.
median() {
    awk -v column="$1" -v from="$2" -v to="$3" '$1 >= from && $1 < to { print $column }' "$samples" | sort -n |
        awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }'
}
third=$((seconds / 3))
memory_before="$(median 2 $third $((2 * third)))" memory_after="$(median 2 $((2 * third)) "$seconds")"
descriptors_before="$(median 3 $third $((2 * third)))" descriptors_after="$(median 3 $((2 * third)) "$seconds")"
echo "soak: memory $((memory_before / 1024)) MB, then $((memory_after / 1024)) MB; descriptors $descriptors_before, then $descriptors_after"
((memory_after * 20 <= memory_before * 21)) || fail "its memory grows"
((descriptors_after <= descriptors_before + 10)) || fail "its descriptors grow"
echo "soak: flat over $seconds s at ${LOAD_RATE:-100} steps a second"
