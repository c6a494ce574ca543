#!/usr/bin/env bash
# Does what docs/other-languages.md says: a domain in Python joins a mesh, is called by the edge, and calls weft's catalog.
#
#   bash build-support/scenarios/python-join.sh
#
# Runs the page's blocks "sh python-join" in their order, then places an order through them. WEFT_BINARY names a binary that
# is built already.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/weft/target}"
# shellcheck source=build-support/servers.sh
source build-support/servers.sh
tools_install consul curl grpcio jq redis >/dev/null

checkout="$PWD"
folder="$(mktemp -d /tmp/weft-python-join.XXXXXX)"
finish() {
    local pids
    mapfile -t pids < <(jobs -p)
    [[ ${#pids[@]} -eq 0 ]] || kill "${pids[@]}" 2>/dev/null || true
    wait
    servers_stop
    rm -rf "$folder"
}
trap finish EXIT

fail() {
    echo "python-join: $*" >&2
    tail -n 40 "$folder/log" >&2
    exit 1
}

# eventually COMMAND...: repeats it until it succeeds, for a minute at most.
eventually() {
    local end=$((SECONDS + 60))
    until "$@" >/dev/null 2>&1; do
        [[ $SECONDS -lt $end ]] || fail "this did not succeed in a minute: $*"
        sleep 0.1
    done
}

# block NUMBER: prints that block of the page, for the port that the Python domain serves on.
block() {
    awk -v wanted="$1" '$0 == "```sh python-join" { on = ++count == wanted; next } /^```/ { on = 0 } on' \
        "$checkout/docs/other-languages.md" | sed "s/50091/$python_port/g" | grep . || fail "the page has no block $1"
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
cp -r build-support/python-join "$folder/build-support/python-join"
export PATH="$folder/bin:$PATH"
# It is none of weft's settings.
unset WEFT_BINARY

python_port="$(servers_free_port)"
WEFT_EDGE_PORT="$(servers_free_port)"
consul_port="$(servers_free_port)"
servers_start_redis
export WEFT_EDGE_PORT WEFT_MESH_PORTS_AUTH=0 WEFT_MESH_PORTS_CATALOG=0 WEFT_MESH_PORTS_EVENTS=0
export WEFT_EVENTS_URL="$WEFT_TEST_REDIS" CONSUL_HTTP_ADDR="http://127.0.0.1:$consul_port"
cd "$folder"
consul agent -dev -bind 127.0.0.1 -http-port "$consul_port" -server-port "$(servers_free_port)" \
    -serf-lan-port "$(servers_free_port)" -serf-wan-port -1 -dns-port -1 -grpc-port -1 >consul.log 2>&1 &
eventually curl -fs "$CONSUL_HTTP_ADDR/v1/status/leader"
for number in 1 2 3; do
    # The processes that a block starts in the background are this shell's.
    block "$number" >"block.$number"
    # shellcheck source=/dev/null
    source "block.$number" >>log 2>&1 || fail "a command of block $number failed"
done

api="localhost:$WEFT_EDGE_PORT/api/v1"
account='{"email": "ada@example.com", "password": "analytical engine"}'
eventually curl -fsS "$api/auth/register" --json "$account"
token="$(curl -fsS "$api/auth/login" --json "$account" | jq -r .token)"
product='{"name": "Teapot", "variants": [{"sku": "TEA-1", "price": {"currencyCode": "EUR", "minorUnits": "1250"}}]}'
sold() { curl -fsS "$api/products" -H "Authorization: Bearer $token" --json "$product" >product.json; }
eventually sold
order="{\"lines\": [{\"variantId\": $(jq '.variants[0].id' product.json), \"quantity\": 2}], \"note\": \"by Python\"}"
placed() {
    curl -fsS "$api/orders" -H "Authorization: Bearer $token" -H "Idempotency-Key: python" --json "$order" >order.json
}
eventually placed
jq -e '.total.minorUnits == "2500" and .lines[0].name == "Teapot" and .note == "by Python"' order.json >/dev/null ||
    fail "the order is another one: $(cat order.json)"
echo "python-join: the edge placed an order in Python, at the price of weft's catalog"

block 4 >block.4
answers="$(bash -euo pipefail block.4)" || fail "a command of block 4 failed"
expected="$(sed 's/.*# //' block.4)"
[[ "$answers" == "$expected" ]] || fail "catalog answered $answers, and the page says $expected"
echo "python-join: catalog lets orders through to what it demands of users, and refuses reports"
