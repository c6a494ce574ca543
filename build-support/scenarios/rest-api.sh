#!/usr/bin/env bash
# Holds the REST API to its own description: schemathesis makes requests out of /openapi.json, good ones and bad ones, for
# every operation, and looks whether the answers are those that the description promises.
#
#   bash build-support/scenarios/rest-api.sh [SECONDS [SEED]]      for how long, 22 if not said; the seed of all that is drawn
#
# Without a SEED it is always the same, so that a change is judged by the change; `just proof` draws another each time.
# WEFT_BINARY names a binary that is built already.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/weft/target}"
# shellcheck source=build-support/servers.sh
source build-support/servers.sh
tools_install curl jq schemathesis >/dev/null

seconds="${1:-22}" seed="${2:-1}"
folder="$(mktemp -d /tmp/weft-rest-api.XXXXXX)"
weft_pid=""
finish() {
    if [[ -n "$weft_pid" ]]; then
        kill "$weft_pid" 2>/dev/null || true
        wait "$weft_pid" 2>/dev/null || true
    fi
    rm -rf "$folder"
}
trap finish EXIT

fail() {
    echo "rest-api: $*" >&2
    grep -E 'ERROR|WARN' "$folder/weft.log" | tail -n 20 >&2 || true
    exit 1
}

binary="${WEFT_BINARY:-}"
if [[ -z "$binary" ]]; then
    cargo build --release --locked
    binary="$CARGO_TARGET_DIR/release/weft"
fi

port="$(servers_free_port)"
# Limits are tested elsewhere; here they would hide what is looked for.
environment=("PATH=$PATH" "HOME=$folder" "WEFT_EDGE_PORT=$port" WEFT_ADMIN_PORT=0 WEFT_LIMITS_FACTOR=100)
for domain in $("$binary" routes --json | jq -r '[.methods[].domain] | unique | .[]'); do
    environment+=("WEFT_MESH_PORTS_${domain^^}=0")
done
mkdir "$folder/empty"
(cd "$folder/empty" && exec env -i "${environment[@]}" "$(realpath "$binary")" up) >"$folder/weft.log" 2>&1 &
weft_pid=$!

# post PATH JSON [HEADER]: prints the answer.
post() {
    curl -fsS --json "$2" ${3:+-H "$3"} "http://localhost:$port$1"
}

end=$((SECONDS + 60))
until curl -fso /dev/null "http://localhost:$port/openapi.json"; do
    kill -0 "$weft_pid" 2>/dev/null || fail "the process ended before it served"
    [[ $SECONDS -lt $end ]] || fail "it did not serve in a minute"
    sleep 0.05
done

# An owner, and a key of the tenant: a token would be revoked by the call that ends its session.
account='{"email": "owner@example.com", "password": "a description to be held to"}'
post /api/v1/auth/register "$account" >/dev/null
token="$(post /api/v1/auth/login "$account" | jq -r .token)"
key="$(post /api/v1/auth/api-keys '{"name": "schemathesis", "role": "ROLE_OWNER"}' "Authorization: Bearer $token" | jq -r .secret)"

settings="$PWD/build-support/rest-api"
# calls ARGUMENT...: schemathesis, which remembers what it finds in the folder that it is started in.
calls() {
    (cd "$folder" && PYTHONPATH="$settings" PYTHONDONTWRITEBYTECODE=1 SCHEMATHESIS_HOOKS=hooks schemathesis \
        --config-file "$settings/schemathesis.toml" run "http://localhost:$port/openapi.json" \
        --no-color --warnings off --continue-on-failure --request-timeout 10 --seed "$seed" "$@")
}

"$binary" openapi >"$folder/openapi.json"
"$(dirname "$(readlink -f "$(command -v schemathesis)")")/openapi-spec-validator" "$folder/openapi.json" ||
    fail "the description is no OpenAPI document"
cmp <(curl -fsS "http://localhost:$port/openapi.json") <(head -c -1 "$folder/openapi.json") ||
    fail "the edge does not serve what the binary writes"

# The key that a run is made with must not be revoked by it, so that call is made with a token.
calls --header "X-API-Key: $key" --exclude-operation-id Auth_RevokeApiKey --max-time "$seconds" ||
    fail "the API does not hold to its description"
calls --header "Authorization: Bearer $token" --include-operation-id Auth_RevokeApiKey --max-time 5 ||
    fail "the API does not hold to its description"
kill -0 "$weft_pid" || fail "the process ended"
! grep -q 'panicked' "$folder/weft.log" || fail "something panicked"
