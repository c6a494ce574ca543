#!/usr/bin/env bash
# Does what the README says a newcomer does, to the letter: starts the binary in an empty folder, runs the README's transcripts
# and compares the last answer of each with the one that the README shows.
#
#   bash build-support/scenarios/first-order.sh sqlite|postgresql
#
# A transcript is a fenced block "sh first-order-NAME"; the block "json first-order-NAME" is the answer it ends with, in which
# "..." stands for any text. WEFT_BINARY names a binary that is built already. Prints two figures: the time from the start of the process to its first successful write, and the
# memory it holds when idle.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/weft/target}"
# shellcheck source=build-support/servers.sh
source build-support/servers.sh
tools_install curl jq grpcurl >/dev/null

folder="$(mktemp -d /tmp/weft-first-order.XXXXXX)"
weft_pid=""
finish() {
    if [[ -n "$weft_pid" ]]; then
        kill "$weft_pid" 2>/dev/null || true
        wait "$weft_pid" 2>/dev/null || true
    fi
    servers_stop
    rm -rf "$folder"
}
trap finish EXIT

fail() {
    echo "first-order: $*" >&2
    if [[ -s "$folder/weft.log" ]]; then
        echo "first-order: the process printed last:" >&2
        tail -n 30 "$folder/weft.log" >&2
    fi
    exit 1
}

# block LANGUAGE NAME: prints a fenced block of the README, for the port that the binary serves on.
block() {
    awk -v fence="\`\`\`$1 $2" '$0 == fence { on = 1; next } on && /^```/ { exit } on' README.md |
        sed "s/localhost:8080/localhost:$port/g" | grep . || fail "the README has no block \`$1 $2\`"
}

# Fails unless every port can be listened on.
ports_are_free() {
    python3 - "$@" <<'PYTHON' 2>/dev/null
import socket, sys
for port in map(int, sys.argv[1:]):
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
PYTHON
}

# The default ports if they are free; else others for all of them, and the transcripts follow.
choose_ports() {
    local domain
    port=8080
    if ports_are_free 8080 8081 8090 8091 8110 9901; then
        return
    fi
    port="$(servers_free_port)"
    environment+=("WEFT_EDGE_PORT=$port" WEFT_ADMIN_PORT=0)
    for domain in $("$binary" routes --json | jq -r '[.methods[].domain] | unique | .[]'); do
        environment+=("WEFT_MESH_PORTS_${domain^^}=0")
    done
    echo "first-order: a port of the README is taken, port $port stands for 8080"
}

milliseconds() { echo $((${EPOCHREALTIME/[.,]/} / 1000)); }

# Starts the binary in an empty folder and waits for the first write to succeed.
start() {
    mkdir "$folder/empty"
    local started written account='{"email": "first@example.com", "password": "a stopwatch needs a password"}'
    started="$(milliseconds)"
    (cd "$folder/empty" && exec env -i "${environment[@]}" "$binary" up) >"$folder/weft.log" 2>&1 &
    weft_pid=$!
    until curl -fs -o /dev/null --json "$account" "localhost:$port/api/v1/auth/register"; do
        kill -0 "$weft_pid" 2>/dev/null || fail "the process ended before it served"
        [[ $(($(milliseconds) - started)) -lt 60000 ]] || fail "nothing could be written in a minute"
        sleep 0.005
    done
    written="$(milliseconds)"
    echo "first write: $((written - started)) ms"
}

# Whether a JSON answer is the one expected, where "..." stands for any text. Arrays are objects whose keys are numbers here.
# shellcheck disable=SC2016 # jq's variables
matches='
def matches($want):
    if $want == "..." then type == "string" and length > 0
    elif ($want | type | . == "object" or . == "array") then
        type == ($want | type) and keys == ($want | keys)
        and (. as $got | all($want | keys[]; . as $key | $got[$key] | matches($want[$key])))
    else . == $want end;
'

# transcript NAME: runs one and compares its last answer.
transcript() {
    local name="$1"
    block sh "$name" >"$folder/$name.sh"
    block json "$name" >"$folder/$name.expected.json"
    (cd "$folder" && bash -euo pipefail "$name.sh") >"$folder/$name.out" || {
        cat "$folder/$name.out" >&2
        fail "a command of $name failed"
    }
    jq -es '.[-1]' "$folder/$name.out" >"$folder/$name.answer.json" || fail "$name ended with no JSON"
    jq -e --slurpfile want "$folder/$name.expected.json" "$matches matches(\$want[0])" "$folder/$name.answer.json" >/dev/null || {
        diff -u "$folder/$name.expected.json" "$folder/$name.answer.json" >&2 || true
        fail "$name ended with another answer than the README shows"
    }
    echo "first-order: $name ended as the README shows"
}

environment=("PATH=$PATH" "HOME=$folder")
case "${1:-}" in
sqlite) ;;
postgresql)
    [[ -n "${WEFT_TEST_POSTGRES:-}" ]] || servers_start_postgresql
    servers_create_database
    environment+=("DATABASE_URL=$servers_database_url")
    ;;
*)
    sed -n '2,/^set/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" | sed '$d' >&2
    exit 64
    ;;
esac

binary="${WEFT_BINARY:-}"
if [[ -z "$binary" ]]; then
    cargo build --release --locked
    binary="$CARGO_TARGET_DIR/release/weft"
fi
choose_ports
start
transcript first-order-curl
transcript first-order-grpcurl
sleep 5
awk '/^VmRSS:/ { printf "idle: %d MB\n", $2 / 1024 }' "/proc/$weft_pid/status"
