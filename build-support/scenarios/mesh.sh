#!/usr/bin/env bash
# Breaks a mesh of real processes under load, found through a real Consul agent, and counts failed calls and doubled effects;
# build-support/proof-mesh says how.
#
#   bash build-support/scenarios/mesh.sh whole [OPTION...]      options of build-support/proof-mesh, such as --phases freeze
#   bash build-support/scenarios/mesh.sh sabotage [NAME...]     the same with one guarantee broken: each is to be noticed
#
# WEFT_BINARY names a binary that is built already. `sabotage` builds its own, in which guarantees can be switched off; it
# passes when every switch was noticed, and the same binary with nothing switched off was not taken for broken.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/weft/target}"
# shellcheck source=build-support/programs.sh
source build-support/programs.sh
# shellcheck source=build-support/servers.sh
source build-support/servers.sh
folder="$(mktemp -d /tmp/weft-mesh.XXXXXX)"
trap 'servers_stop; rm -rf "$folder"' EXIT
tools_install consul postgresql redis >/dev/null
[[ -n "${WEFT_TEST_POSTGRES:-}" ]] || servers_start_postgresql

# How much of the whole run shows that the guarantee is gone (behind an @: another part of it), at a rate that unoptimised processes bear side by side.
declare -A sabotages=(
    [none]="--phases steady,kill,freeze --kills 1 --frozen 5"
    [no-retries]="--phases kill --kills 4"
    [no-patience]="--phases freeze --frozen 8 --mixture keyed --rate 40"
    [no-keys]="--phases stutter --stutters 25 --mixture keyed --rate 120"
    [no-drain,no-retries]="--phases restart"
    [forget-endpoints]="--phases lose-consul --consul-gone 8 --consul-back 2"
    [register-once]="--phases lose-consul --consul-gone 3 --consul-back 35"
    [stale-certificates]="--phases rotate-leaf --first-life 60"
    [stale-certificates@root]="--phases rotate-root"
)
# Half of what two cores bear mostly: where the machine is slow, calls must not fail for that.
sabotage_rate=20
# How many run at once: mostly they wait.
sabotages_at_once=3

# proof BINARY OPTION...: one run against a database of its own.
proof() {
    servers_create_database
    "$CARGO_TARGET_DIR/debug/weft-proof-mesh" --binary "$1" --database-url "$servers_database_url" "${@:2}"
}

# sabotaged NAME: runs with one guarantee broken and tells whether that was noticed.
sabotaged() {
    local name="$1" expected=1 status=0 options
    read -ra options <<<"${sabotages[$name]}"
    [[ "$name" != none ]] || expected=0
    WEFT_SABOTAGE="${name%@*}" proof "$CARGO_TARGET_DIR/debug/weft" --rate "$sabotage_rate" "${options[@]}" \
        >"$folder/$name.log" 2>&1 || status=$?
    if [[ $status -eq $expected ]]; then
        printf '%-22s %s\n' "$name" "$(tail -n 1 "$folder/$name.log" | cut -c 1-120)"
    else
        cat "$folder/$name.log" >&2
        echo "mesh: $name ended with exit status $status instead of $expected (1 is a broken promise)" >&2
        return 1
    fi
}

case "${1:-}" in
whole)
    binary="${WEFT_BINARY:-}"
    if [[ -z "$binary" ]]; then
        cargo build --release --locked
        binary="$CARGO_TARGET_DIR/release/weft"
    fi
    programs_build --bin weft-proof-mesh
    proof "$binary" "${@:2}"
    ;;
sabotage)
    programs_build --bin weft-proof-mesh --bin weft
    names=("${@:2}")
    [[ ${#names[@]} -gt 0 ]] || names=("${!sabotages[@]}")
    running=()
    failed=0
    for name in "${names[@]}"; do
        [[ -n "${sabotages[$name]:-}" ]] || { echo "mesh: there is no sabotage $name" >&2 && exit 64; }
        if [[ ${#running[@]} -ge $sabotages_at_once ]]; then
            wait "${running[0]}" || failed=1
            running=("${running[@]:1}")
        fi
        sabotaged "$name" &
        running+=($!)
    done
    for pid in "${running[@]}"; do
        wait "$pid" || failed=1
    done
    [[ $failed -eq 0 ]]
    echo "mesh: each of ${#names[@]} runs ended as it should"
    ;;
*)
    sed -n '2,/^set/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" | sed '$d' >&2
    exit 64
    ;;
esac
