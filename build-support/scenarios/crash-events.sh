#!/usr/bin/env bash
# Kills processes amid events and counts what was lost, doubled or swapped; build-support/crash-events says how.
#
#   bash build-support/scenarios/crash-events.sh sqlite [OPTION...]       all in one process; options such as --kills 50
#   bash build-support/scenarios/crash-events.sh postgresql [OPTION...]   processes of their own, Redis and PostgreSQL, all killed;
#                                                                         --carrier nats, rabbitmq or kafka instead of Redis, or in-process
#   bash build-support/scenarios/crash-events.sh sabotage                 builds that break one promise each
#
# `sabotage` passes when each broken promise was seen: it shows that the other two can fail.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/weft/target}"
# shellcheck source=build-support/programs.sh
source build-support/programs.sh
# shellcheck source=build-support/servers.sh
source build-support/servers.sh
trap servers_stop EXIT

# crash OPTION...: the program, as it is or with its sabotages.
crash() {
    "$CARGO_TARGET_DIR/debug/weft-crash-events" "$@"
}

# A server of its own: it is killed.
start_postgresql() {
    servers_start_postgresql
    servers_create_database
    local bin restart
    bin="$(tools_postgresql_bin)"
    restart="cd $servers_postgresql_folder && exec $bin/pg_ctl --pgdata=data --log=$servers_postgresql_folder/data/server.log"
    restart+=" --wait --silent --mode=immediate restart"
    [[ $EUID -ne 0 ]] || restart="exec runuser -u postgres -- bash -c '$restart'"
    options=(--database-url "$servers_database_url" --restart-postgres "$restart")
}

# sabotaged NAME OPTION...: one promise is broken, and the run must say so.
sabotaged() {
    local status=0
    WEFT_SABOTAGE="$1" crash --patience 20 "${@:2}" || status=$?
    if [[ $status -ne 1 ]]; then
        echo "crash-events: the sabotage $1 was not caught (exit status $status, where 1 is a broken promise)" >&2
        exit 1
    fi
    echo "crash-events: the sabotage $1 was caught"
}

options=()
case "${1:-}" in
sqlite)
    programs_build --bin weft-crash-events
    crash "${@:2}"
    ;;
postgresql)
    programs_build --bin weft-crash-events
    start_postgresql
    crash "${options[@]}" "${@:2}"
    ;;
sabotage)
    programs_build --bin weft-crash-events
    sabotaged events-recorded-before-sent "${@:2}"
    sabotaged events-not-recorded "${@:2}"
    ;;
*)
    sed -n '2,/^set/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
    exit 64
    ;;
esac
