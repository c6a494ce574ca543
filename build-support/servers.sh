# shellcheck shell=bash
# Throw-away servers for tests: private ports, a temporary folder each, gone when the script that sourced this file ends.
#
#   source build-support/servers.sh
#   servers_start_postgresql      sets WEFT_TEST_POSTGRES=postgres://...
#   servers_create_database       sets servers_database_url: a new, empty database on WEFT_TEST_POSTGRES
#   servers_start_redis           sets WEFT_TEST_REDIS=redis://...
#
# A server that the machine already runs is neither used nor touched.

# shellcheck source=build-support/tools.sh
source "$(dirname "${BASH_SOURCE[0]}")/tools.sh"

servers_postgresql_folder=""
servers_redis_folder=""
servers_redis_pid=""

# Prints a port that nobody listens on and that no test was given lately.
servers_free_port() {
    python3 "$tools_here/free_port.py"
}

# PostgreSQL refuses to run as root, so root hands it to the account that came with the package.
servers_as_postgres() {
    if [[ $EUID -eq 0 ]]; then
        runuser -u postgres -- "$@"
    else
        "$@"
    fi
}

servers_start_postgresql() {
    local bin port
    bin="$(tools_postgresql_bin)"
    if [[ -z "$bin" ]]; then
        echo "servers: PostgreSQL is missing; run: bash build-support/tools.sh postgresql" >&2
        return 1
    fi
    port="$(servers_free_port)"
    servers_postgresql_folder="$(mktemp -d /tmp/weft-postgresql.XXXXXX)"
    [[ $EUID -ne 0 ]] || chown postgres "$servers_postgresql_folder"
    local options="-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories=$servers_postgresql_folder"
    options+=" -c fsync=off -c max_connections=400"
    # Bytewise order, as SQLite has it. Nothing here outlives the run, so nothing is synchronised to the disk.
    (
        cd "$servers_postgresql_folder" &&
            servers_as_postgres "$bin/initdb" --pgdata=data --username=postgres --auth=trust --encoding=UTF8 --locale=C \
                --no-sync >initdb.log &&
            servers_as_postgres "$bin/pg_ctl" --pgdata=data --log="$servers_postgresql_folder/data/server.log" --wait --silent \
                --options="$options" start
    ) || {
        cat "$servers_postgresql_folder"/{initdb.log,data/server.log} >&2
        return 1
    }
    export WEFT_TEST_POSTGRES="postgres://postgres@127.0.0.1:$port/postgres"
    echo "servers: PostgreSQL listens on 127.0.0.1:$port"
}

servers_create_database() {
    local name
    name="weft_scenario_$(od -An -N8 -tx8 /dev/urandom | tr -d ' ')"
    "$(tools_postgresql_bin)/psql" --quiet --no-psqlrc "$WEFT_TEST_POSTGRES" --command "CREATE DATABASE $name" || return
    # shellcheck disable=SC2034 # for the script that sources this file
    servers_database_url="${WEFT_TEST_POSTGRES%/*}/$name"
}

servers_start_redis() {
    local port
    if ! command -v redis-server >/dev/null; then
        echo "servers: Redis is missing; run: bash build-support/tools.sh redis" >&2
        return 1
    fi
    port="$(servers_free_port)"
    servers_redis_folder="$(mktemp -d /tmp/weft-redis.XXXXXX)"
    redis-server --port "$port" --bind 127.0.0.1 --dir "$servers_redis_folder" --save '' --appendonly no \
        >"$servers_redis_folder/server.log" 2>&1 &
    servers_redis_pid=$!
    until redis-cli -p "$port" ping >/dev/null 2>&1; do
        if ! kill -0 "$servers_redis_pid" 2>/dev/null; then
            cat "$servers_redis_folder/server.log" >&2
            servers_redis_pid=""
            return 1
        fi
        sleep 0.05
    done
    export WEFT_TEST_REDIS="redis://127.0.0.1:$port"
    echo "servers: Redis listens on 127.0.0.1:$port"
}

# Ends what was started here. A script that sources this file calls it in its trap.
servers_stop() {
    if [[ -n "$servers_postgresql_folder" ]]; then
        (
            cd "$servers_postgresql_folder"
            servers_as_postgres "$(tools_postgresql_bin)/pg_ctl" --pgdata=data --mode=immediate --silent stop
        ) || true
        rm -rf "$servers_postgresql_folder"
        servers_postgresql_folder=""
    fi
    if [[ -n "$servers_redis_pid" ]]; then
        kill "$servers_redis_pid" 2>/dev/null || true
        wait "$servers_redis_pid" 2>/dev/null || true
        servers_redis_pid=""
    fi
    [[ -z "$servers_redis_folder" ]] || rm -rf "$servers_redis_folder"
}
