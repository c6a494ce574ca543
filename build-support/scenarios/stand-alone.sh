#!/usr/bin/env bash
# Does what docs/stand-alone-edge.md says: an edge alone in front of a gRPC server in Python, by descriptors and by reflection.
# Then streams, failures, deadlines and cancellation through it, and schemas that change while requests are under way.
#
#   bash build-support/scenarios/stand-alone.sh
#
# WEFT_BINARY names a binary that is built already.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/weft/target}"
# shellcheck source=build-support/servers.sh
source build-support/servers.sh
tools_install curl grpcio grpcurl jq >/dev/null

checkout="$PWD"
folder="$(mktemp -d /tmp/weft-stand-alone.XXXXXX)"
finish() {
    local pids
    mapfile -t pids < <(jobs -p)
    [[ ${#pids[@]} -eq 0 ]] || kill "${pids[@]}" 2>/dev/null || true
    wait
    rm -rf "$folder"
}
trap finish EXIT

fail() {
    echo "stand-alone: $*" >&2
    tail -n 30 "$folder/log" >&2
    exit 1
}

# eventually COMMAND...: repeats it until it succeeds, for half a minute at most.
eventually() {
    local end=$((SECONDS + 30))
    until "$@" >/dev/null 2>&1; do
        [[ $SECONDS -lt $end ]] || fail "this did not succeed in half a minute: $*"
        sleep 0.05
    done
}

# block NUMBER: prints that block of the page, for the ports of this run.
block() {
    awk -v wanted="$1" '$0 == "```sh stand-alone" { on = ++count == wanted; next } /^```/ { on = 0 } on' \
        "$checkout/docs/stand-alone-edge.md" |
        # By way of names: a port of this run may look like one of the page.
        sed "s/50051/SERVER/g; s/8080/FILE/g; s/8081/REFLECT/g; s/9901/ADMIN/g
            s/SERVER/$server_port/g; s/FILE/$file_port/g; s/REFLECT/$reflect_port/g; s/ADMIN/$admin_port/g" |
        grep . || fail "the page has no block $1"
}

# is WHAT EXPECTED ACTUAL
is() {
    [[ "$3" == "$2" ]] || fail "$1: $3 instead of $2"
}

binary="${WEFT_BINARY:-}"
if [[ -z "$binary" ]]; then
    cargo build --release --locked
    binary="$CARGO_TARGET_DIR/release/weft"
fi
mkdir "$folder/bin" "$folder/build-support"
ln -s "$(realpath "$binary")" "$folder/bin/weft"
ln -s "$(command -v grpcio)" "$folder/bin/python"
cp -r proto "$folder/proto"
cp -r build-support/stand-alone "$folder/build-support/stand-alone"
export PATH="$folder/bin:$PATH"
unset WEFT_BINARY
server_port="$(servers_free_port)"
file_port="$(servers_free_port)"
reflect_port="$(servers_free_port)"
admin_port="$(servers_free_port)"
cd "$folder"
: >log
for number in 1 2 4; do
    block "$number" >"block.$number"
    # shellcheck source=/dev/null
    source "block.$number" >>log 2>&1 || fail "a command of block $number failed"
done
by_file="localhost:$file_port" by_reflection="localhost:$reflect_port"
eventually curl -fsS "$by_file/v1/notes/7"
eventually curl -fsS "$by_reflection/v1/notes/7"
block 3 >block.3
is "the page's commands" "$(sed 's/.*# //' block.3)" "$(while IFS= read -r line; do bash -c "$line" && echo; done <block.3)"

for edge in "$by_file" "$by_reflection"; do
    # Protocols.
    is "a Connect GET" "the note 7, for nobody" \
        "$(curl -fsS "$edge/notes.v1.Notes/GetNote?encoding=json&message=%7B%22id%22%3A%227%22%7D" | jq -r .text)"
    is "gRPC" "the note 7, for nobody" "$(grpcurl -plaintext -import-path build-support/stand-alone -import-path proto \
        -proto notes/v1/notes.proto -d '{"id": "7"}' "$edge" notes.v1.Notes/GetNote | jq -r .text)"
    is "metadata of an answer" python "$(curl -fsS -o /dev/null -w '%header{x-served-by}' "$edge/v1/notes/7")"
    # Failures.
    curl -sS -w '\n%{http_code}' "$edge/v1/notes/0" >told
    is "a failure" 404 "$(tail -n 1 told)"
    is "a detail of unknown type" CgEw "$(head -n 1 told |
        jq -r '.details[] | select(.["@type"] == "type.googleapis.com/notes.v1.Missing").value')"
    is "a detail in Connect" '{"type":"notes.v1.Missing","value":"CgEw"}' \
        "$(curl -sS "$edge/notes.v1.Notes/GetNote" --json '{"id": "0"}' | jq -c '.details[0]')"
    # Streams.
    is "lines that fail" 'null null DATA_LOSS' \
        "$(curl -sS -H 'accept: application/x-ndjson' "$edge/v1/notes?count=2&fail=true" | jq -r .status | xargs)"
    [[ "$(curl -sS "$edge/v1/notes?count=2&fail=true" 2>/dev/null)" != *']' ]] || fail "an array that failed is closed"
    seq 500 | jq -c '{id: tostring}' >notes.ndjson
    is "a stream of requests" 500 \
        "$(curl -fsS "$edge/v1/notes:import" -H 'content-type: application/x-ndjson' --data-binary @notes.ndjson | jq .count)"
    is "a stream both ways" 500 "$(curl -fsS "$edge/v1/notes:echo" -H 'content-type: application/x-ndjson' \
        -H 'accept: application/x-ndjson' --data-binary @notes.ndjson | jq -s length)"
    # Deadlines, which end the call behind too, and clients that go.
    waiting() { [[ "$(curl -fsS "$edge/v1/notes:waiting" | jq '.count // 0')" == "$1" ]]; }
    is "a deadline of REST" 504 "$(curl -sS -o /dev/null -w '%{http_code}' -H 'prefer: wait=1' "$edge/v1/notes:wait")"
    is "a deadline of Connect" deadline_exceeded \
        "$(curl -sS -H 'connect-timeout-ms: 300' "$edge/notes.v1.Notes/Wait" --json '{}' | jq -r .code)"
    eventually waiting 0
    # Several, since the machine may stand still for one of them.
    took=()
    for _ in 1 2 3 4 5; do
        curl -sS "$edge/v1/notes:wait" >/dev/null 2>&1 &
        client=$!
        eventually waiting 1
        kill "$client"
        began="$(date +%s%N)"
        eventually waiting 0
        took+=($((($(date +%s%N) - began) / 1000000)))
    done
    median="$(printf '%s\n' "${took[@]}" | sort -n | sed -n 3p)"
    [[ $median -lt 1000 ]] || fail "calls were cancelled ${took[*]} ms after their clients had gone"
    echo "stand-alone: $edge speaks every protocol; calls ended ${took[*]} ms after their clients"
done
is "reflection behind the edge" yes "$(grpcurl -plaintext "$by_reflection" list | grep -qx notes.v1.Notes && echo yes)"

# A schema that changes, one that cannot be used, and one that is half there, under requests all the time.
cp -r build-support/stand-alone changed
sed -i 's|get: "/v1/notes/{id}"|get: "/v2/notes/{id}"|' changed/notes/v1/notes.proto
describe() { python -m grpc_tools.protoc -I proto -I "$1" --include_imports --descriptor_set_out="$2" notes/v1/notes.proto; }
touch requesting
(
    failed=0 count=0
    while [[ -e requesting ]]; do
        curl -fsS "$by_file/v1/notes?count=1" >/dev/null 2>&1 || failed=$((failed + 1))
        count=$((count + 1))
    done
    echo "$failed $count" >requested
) &
requester=$!
describe changed next.binpb
mv next.binpb notes.binpb
eventually curl -fsS "$by_file/v2/notes/7"
is "a route that is gone" 404 "$(curl -sS -o /dev/null -w '%{http_code}' "$by_file/v1/notes/7")"
head -c 500 notes.binpb >half && cp half notes.binpb
eventually grep -q 'a new schema is refused' log
counts() { curl -fsS "localhost:$admin_port/metrics" | grep -qx "$1"; }
eventually counts 'weft_edge_schemas_refused_total 1'
is "the schema before a refused one" 200 "$(curl -sS -o /dev/null -w '%{http_code}' "$by_file/v2/notes/7")"
describe build-support/stand-alone notes.binpb
eventually curl -fsS "$by_file/v1/notes/7"
rm requesting
wait "$requester"
read -r failed count <requested
[[ "$failed" -eq 0 && "$count" -gt 50 ]] || fail "$failed of $count requests failed while the schema changed"

# Operators: readiness, and draining, while which whoever comes is served.
is "readiness" ready "$(curl -fsS "localhost:$admin_port/ready")"
is "a route" "/v1/notes/{id}" "$(curl -fsS "localhost:$admin_port/routes" |
    jq -r '.methods[] | select(.method == "GetNote") | .http[0].template')"
is "the configuration" 1 "$(curl -fsS "localhost:$admin_port/config" | grep -c '^edge.max_body = ')"
curl -fsS -X POST "localhost:$admin_port/drain" >/dev/null
is_unready() { [[ "$(curl -sS -o /dev/null -w '%{http_code}' "localhost:$admin_port/ready")" == 503 ]]; }
eventually is_unready
is "a request while draining" 200 "$(curl -sS -o /dev/null -w '%{http_code}' "$by_file/v1/notes/7")"
echo "stand-alone: two schemas came into use and one was refused; none of $count requests meanwhile failed"
