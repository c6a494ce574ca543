#!/usr/bin/env bash
# Does what the README says of weft in several processes: starts an agent of Consul, Redis, auth with events, the shop and the edge by
# the README's own commands, first with the development CA and then with Consul's, places orders through them, denies a caller by an
# intention, and changes settings in Consul's KV store.
#
#   bash build-support/scenarios/several-processes.sh
#
# WEFT_BINARY names a binary that is built already. Free ports stand for those of the README.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/weft/target}"
# shellcheck source=build-support/servers.sh
source build-support/servers.sh
tools_install consul curl grpcurl jq redis >/dev/null

checkout="$PWD"
folder="$(mktemp -d /tmp/weft-several-processes.XXXXXX)"
finish() {
    local pids
    mapfile -t pids < <(jobs -p)
    [[ ${#pids[@]} -eq 0 ]] || kill "${pids[@]}" 2>/dev/null || true
    wait
    rm -rf "$folder"
}
trap finish EXIT

fail() {
    echo "several-processes: $*" >&2
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

# block NAME: writes that block of the README to a file of its name, for the ports that are free.
block() {
    awk -v fence="\`\`\`sh $1" '$0 == fence { on = 1; next } on && /^```/ { exit } on' "$checkout/README.md" |
        sed "s/localhost:8080/localhost:$WEFT_EDGE_PORT/g; s/8500/$consul_port/g; s/6379/$redis_port/g; s/9902/$auth_admin/g; s/9903/$shop_admin/g
            s/consul agent -dev/& $consul_options/" >"$1"
    [[ -s "$1" ]] || fail "the README has no block \`sh $1\`"
}

# The processes that a block starts in the background are this shell's.
# run NAME: runs the block here.
run() {
    block "$1"
    # shellcheck source=/dev/null
    source "./$1" >>log 2>&1 || fail "a command of $1 failed"
}

# order NAME: runs the transcript, for an account of its own.
order() {
    block "$1"
    sed -i "s/@example.com/.$RANDOM$RANDOM&/g" "$1"
    bash -euo pipefail "$1" >answer 2>&1
}

# places NAME: the transcript ends with an order that is placed.
places() {
    order "$1" && grep -q '"STATE_PLACED"' answer
}

# is_refused: an order cannot be placed, since orders may not call catalog.
is_refused() {
    ! order first-order-grpcurl && grep -q "orders may not call .*: an intention denies it" answer
}

# tells PORT LINE: what is at the admin port has that line among its metrics.
tells() {
    curl -fsS "localhost:$1/metrics" | grep -qF "$2"
}

# all_tell LINE: auth, the shop and the edge do.
all_tell() {
    local port
    for port in "$auth_admin" "$shop_admin" "$WEFT_ADMIN_PORT"; do
        tells "$port" "$1" || return 1
    done
}

binary="${WEFT_BINARY:-}"
if [[ -z "$binary" ]]; then
    cargo build --release --locked
    binary="$CARGO_TARGET_DIR/release/weft"
fi
mkdir "$folder/bin"
ln -s "$(realpath "$binary")" "$folder/bin/weft"
export PATH="$folder/bin:$PATH"
# It is none of weft's settings.
unset WEFT_BINARY

consul_port="$(servers_free_port)"
redis_port="$(servers_free_port)"
auth_admin="$(servers_free_port)"
shop_admin="$(servers_free_port)"
WEFT_EDGE_PORT="$(servers_free_port)"
WEFT_ADMIN_PORT="$(servers_free_port)"
consul_options="-bind 127.0.0.1 -http-port $consul_port -server-port $(servers_free_port) -dns-port -1 -grpc-port -1"
consul_options+=" -serf-lan-port $(servers_free_port) -serf-wan-port -1"
export WEFT_EDGE_PORT WEFT_ADMIN_PORT WEFT_MESH_PORTS_AUTH=0 WEFT_MESH_PORTS_CATALOG=0 WEFT_MESH_PORTS_ORDERS=0 WEFT_MESH_PORTS_EVENTS=0
cd "$folder"

run several-processes
eventually places first-order-curl
echo "several-processes: an order was placed through three processes that found each other by Consul"

# The agent is the first job and Redis the second: both stay.
mapfile -t pids < <(jobs -p)
kill "${pids[@]:2}"
wait "${pids[@]:2}" || fail "a process did not end well"
[[ "$(curl -fsS "$CONSUL_HTTP_ADDR/v1/agent/services")" == "{}" ]] || fail "a process ended without taking itself out"

# One domain alone, idle: what it holds, and what of it is no page of the binary or of a library, which processes share.
WEFT_ADMIN_PORT="$shop_admin" weft serve catalog >>log 2>&1 &
eventually curl -fsS "localhost:$shop_admin/ready"
sleep 5
awk '/^VmRSS:/ { held = $2 } /^RssAnon:/ { own = $2 }
    END { printf "several-processes: one domain idle: %d MB, %d MB of them its own\n", held / 1024, own / 1024 }' "/proc/$!/status"
kill $!
wait $! || fail "a process did not end well"

run consul-certificates
eventually places first-order-grpcurl
eventually all_tell 'weft_certificates_stale 0'
curl -fsS "$CONSUL_HTTP_ADDR/v1/agent/connect/ca/roots" | jq -e '.Roots | length > 0' >/dev/null || fail "Consul has no CA"
echo "several-processes: an order was placed by certificates of Consul's"

block consul-intentions
head -n 1 consul-intentions >deny
tail -n 1 consul-intentions >allow
bash -euo pipefail deny >>log
eventually is_refused
bash -euo pipefail allow >>log
eventually places first-order-grpcurl
echo "several-processes: an intention denied a caller, and allowed it again"

block consul-settings
head -n 1 consul-settings >good
tail -n 1 consul-settings >bad
bash -euo pipefail good >>log
eventually all_tell 'weft_config_generation 2'
bash -euo pipefail bad >>log
eventually all_tell 'weft_config_reload_failures_total 1'
all_tell 'weft_config_generation 2' || fail "a configuration with a mistake was taken"
# Lines of the log are written behind what is counted.
eventually grep -q 'limits.factor: -1 is not a number from 0.01 to 100' log
echo "several-processes: settings changed by Consul's KV store, and a mistake was refused"
