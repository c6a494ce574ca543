#!/usr/bin/env bash
# Writes the TypeScript client of the contracts, as a package that programs install by its folder: messages and services for
# Connect (connectrpc.com), which weft's edge speaks to browsers and to Node.js.
#
#   bash build-support/clients/clients.sh [FOLDER]         default: clients/typescript in the target folder
#   bash build-support/clients/clients.sh smoke [FOLDER]   then places an order with it, through the edge of `weft up`
#
# The plugins come from npm, at the versions of package-lock.json. WEFT_BINARY names a binary that is built already.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/weft/target}"
# shellcheck source=build-support/servers.sh
source build-support/servers.sh
tools_install buf curl jq >/dev/null
tools_need npm "the client"

smoke=""
if [[ "${1:-}" == smoke ]]; then
    smoke=yes
    shift
fi
client="$(realpath -m "${1:-$CARGO_TARGET_DIR/clients/typescript}")"
work="$(mktemp -d /tmp/weft-clients.XXXXXX)"
weft_pid=""
finish() {
    if [[ -n "$weft_pid" ]]; then
        kill "$weft_pid" 2>/dev/null || true
        wait "$weft_pid" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap finish EXIT

# What was there goes: contracts that are gone leave no files. The plugins stay while their versions do.
mkdir -p "$client"
rm -rf "$client"/{src,dist}
if ! cmp -s build-support/clients/typescript/package-lock.json "$client/package-lock.json"; then
    cp build-support/clients/typescript/{package.json,.npmrc} "$client"
    cp build-support/clients/typescript/package-lock.json "$work"
    (cd "$client" && cp "$work/package-lock.json" . && npm ci --silent --no-audit --no-fund) || {
        rm -f "$client/package-lock.json"
        exit 1
    }
fi
cp build-support/clients/typescript/tsconfig.json "$client"
PATH="$client/node_modules/.bin:$PATH" buf generate --template build-support/clients/typescript/buf.gen.yaml --output "$client/src"
(cd "$client" && npx --no-install tsc)
echo "clients: $(find "$client/dist" -name '*.js' | wc -l) files of TypeScript's client in $client"
[[ -n "$smoke" ]] || exit 0

binary="${WEFT_BINARY:-}"
if [[ -z "$binary" ]]; then
    cargo build --release --locked
    binary="$CARGO_TARGET_DIR/release/weft"
fi
binary="$(realpath "$binary")"
port="$(servers_free_port)"
environment=("PATH=$PATH" "WEFT_EDGE_PORT=$port" WEFT_ADMIN_PORT=0)
for domain in $("$binary" routes --json | jq -r '[.methods[].domain] | unique | .[]'); do
    environment+=("WEFT_MESH_PORTS_${domain^^}=0")
done
(cd "$work" && exec env -i "${environment[@]}" "$binary" up) >"$work/weft.log" 2>&1 &
weft_pid=$!
# Whatever it answers, it serves.
until curl -s -o /dev/null "localhost:$port/"; do
    if ! kill -0 "$weft_pid" 2>/dev/null || [[ $SECONDS -gt 300 ]]; then
        tail -n 30 "$work/weft.log" >&2
        exit 1
    fi
    sleep 0.05
done
mkdir "$client/src/smoke"
cp build-support/clients/typescript/smoke.ts "$client/src/smoke/smoke.ts"
(cd "$client" && npx --no-install tsc && node dist/smoke/smoke.js "http://localhost:$port")
rm -rf "$client"/{src,dist}/smoke
echo "clients: orders were placed by TypeScript's client"
