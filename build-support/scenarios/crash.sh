#!/usr/bin/env bash
# Kills the weft binary amid orders and counts what was lost or doubled; build-support/crash says how.
#
#   bash build-support/scenarios/crash.sh sqlite|postgresql [OPTION...]     options of build-support/crash, such as --kills 20
#   bash build-support/scenarios/crash.sh sabotage                          a binary that answers before it commits
#
# WEFT_BINARY names a binary that is built already. `sabotage` builds one in which guarantees can be switched off, and passes when the
# promise was seen to break, on SQLite: it shows that the other two can fail.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/weft/target}"
# shellcheck source=build-support/programs.sh
source build-support/programs.sh
# shellcheck source=build-support/servers.sh
source build-support/servers.sh
trap servers_stop EXIT

# crash OPTION...: runs build-support/crash against the binary of the README.
crash() {
    local binary="${WEFT_BINARY:-}"
    if [[ -z "$binary" ]]; then
        cargo build --release --locked
        binary="$CARGO_TARGET_DIR/release/weft"
    fi
    programs_build --bin weft-crash
    "$CARGO_TARGET_DIR/debug/weft-crash" --binary "$binary" "$@"
}

case "${1:-}" in
sqlite)
    crash "${@:2}"
    ;;
postgresql)
    [[ -n "${WEFT_TEST_POSTGRES:-}" ]] || servers_start_postgresql
    servers_create_database
    crash --database-url "$servers_database_url" "${@:2}"
    ;;
sabotage)
    programs_build --bin weft-crash --bin weft
    status=0
    WEFT_SABOTAGE=answer-before-commit \
        "$CARGO_TARGET_DIR/debug/weft-crash" --binary "$CARGO_TARGET_DIR/debug/weft" --orders 240 --kills 8 "${@:2}" || status=$?
    if [[ $status -ne 1 ]]; then
        echo "crash: the sabotage was not caught (exit status $status, where 1 is a broken promise)" >&2
        exit 1
    fi
    echo "crash: the sabotage was caught"
    ;;
*)
    sed -n '2,/^set/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 64
    ;;
esac
