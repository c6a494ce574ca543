#!/usr/bin/env bash
# Has traces and logs arrive where operators look for them: OpenTelemetry's collector, with the configuration that compose.yaml
# gives it, stands between `weft up` and real ones of Jaeger and Loki. An order is placed; then Jaeger is asked for its trace and
# Loki for its lines.
#
#   bash build-support/scenarios/traces-and-logs.sh
#
# WEFT_BINARY names a binary that is built already. The three programs are built from their Go modules, which takes minutes once.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/weft/target}"
# shellcheck source=build-support/servers.sh
source build-support/servers.sh
tools_install curl jq collector jaeger loki >/dev/null

folder="$(mktemp -d /tmp/weft-traces.XXXXXX)"
processes=()
finish() {
    local process
    for process in "${processes[@]}"; do
        kill "$process" 2>/dev/null || true
        wait "$process" 2>/dev/null || true
    done
    rm -rf "$folder"
}
trap finish EXIT

fail() {
    tail -n 10 "$folder"/*.log >&2 || true
    echo "traces-and-logs: $*" >&2
    exit 1
}

# until_it_is QUESTION FILTER URL...: asks until jq's filter says yes of the answer, which it leaves in answer.json.
until_it_is() {
    local _
    for _ in $(seq 120); do
        curl -fsS "${@:3}" -o "$folder/answer.json" 2>"$folder/curl.log" &&
            jq -e "$2" "$folder/answer.json" >"$folder/jq.log" 2>&1 && return
        sleep 0.5
    done
    head -c 4000 "$folder/answer.json" >&2 || true
    fail "$1: not within a minute"
}

binary="${WEFT_BINARY:-}"
if [[ -z "$binary" ]]; then
    cargo build --release --locked
    binary="$CARGO_TARGET_DIR/release/weft"
fi
binary="$(realpath "$binary")"
declare -A port
for name in edge admin otlp otlp_http jaeger_otlp jaeger_http jaeger_grpc loki_http loki_grpc; do
    port[$name]="$(servers_free_port)"
done

# Loki as its image configures it, in this folder.
mkdir "$folder/loki"
sed -e "s#/loki#$folder/loki#; s/3100/${port[loki_http]}/; /http_listen_port/a\\  http_listen_address: 127.0.0.1\n  grpc_listen_address: 127.0.0.1\n  grpc_listen_port: ${port[loki_grpc]}" \
    "$(dirname "$(realpath "$(command -v loki)")")/loki-docker-config.yaml" >"$folder/loki.yaml"
printf 'analytics: {reporting_enabled: false}\n' >>"$folder/loki.yaml"
loki -config.file="$folder/loki.yaml" >"$folder/loki.log" 2>&1 &
processes+=($!)

cat >"$folder/jaeger.yaml" <<YAML
extensions:
  jaeger_storage: {backends: {memory: {memory: {max_traces: 1000}}}}
  jaeger_query:
    storage: {traces: memory}
    http: {endpoint: "127.0.0.1:${port[jaeger_http]}"}
    grpc: {endpoint: "127.0.0.1:${port[jaeger_grpc]}"}
receivers: {otlp: {protocols: {grpc: {endpoint: "127.0.0.1:${port[jaeger_otlp]}"}}}}
exporters: {jaeger_storage_exporter: {trace_storage: memory}}
service:
  extensions: [jaeger_storage, jaeger_query]
  pipelines: {traces: {receivers: [otlp], exporters: [jaeger_storage_exporter]}}
  telemetry: {metrics: {level: none}}
YAML
OTEL_TRACES_SAMPLER=always_off jaeger --config "$folder/jaeger.yaml" >"$folder/jaeger.log" 2>&1 &
processes+=($!)

# The collector as compose.yaml has it, but for where its neighbours are.
mkdir -p "$folder/logs/weft"
sed -e "s/0\.0\.0\.0:4317/127.0.0.1:${port[otlp]}/; s/0\.0\.0\.0:4318/127.0.0.1:${port[otlp_http]}/; s/jaeger:4317/127.0.0.1:${port[jaeger_otlp]}/" \
    -e "s/loki:3100/127.0.0.1:${port[loki_http]}/; s#/logs/#$folder/logs/#" \
    build-support/docker/observability/collector.yaml >"$folder/collector.yaml"
# By default it shows metrics of its own at a port that may be another's.
printf '  telemetry: {metrics: {level: none}}\n' >>"$folder/collector.yaml"
collector --config "$folder/collector.yaml" >"$folder/collector.log" 2>&1 &
processes+=($!)
until_it_is "Loki is ready" . "http://127.0.0.1:${port[loki_http]}/loki/api/v1/labels"
until_it_is "Jaeger is ready" . "http://127.0.0.1:${port[jaeger_http]}/api/services"
curl -fsS --retry 60 --retry-delay 1 --retry-all-errors -o /dev/null --json '{}' "http://127.0.0.1:${port[otlp_http]}/v1/traces" 2>/dev/null ||
    fail "the collector is not ready"

flags=()
for domain in $("$binary" routes --json | jq -r '.domains[].name'); do
    flags+=(--set "mesh.ports.$domain=0")
done
mkdir "$folder/data"
# Its lines as Docker writes them down of a container.
(cd "$folder/data" && exec env -i "PATH=$PATH" "HOME=$folder" "WEFT_OTEL_ENDPOINT=http://127.0.0.1:${port[otlp]}" \
    "$binary" up --set log.format=json --set "edge.port=${port[edge]}" --set "admin.port=${port[admin]}" "${flags[@]}") \
    > >(tee "$folder/weft.log" | jq -cR --unbuffered '{log: (. + "\n"), stream: "stderr", time: (now | todate)}' >"$folder/logs/weft/weft-json.log") 2>&1 &
processes+=($!)
curl -fsS --retry 30 --retry-delay 1 --retry-all-errors -o /dev/null "http://127.0.0.1:${port[admin]}/ready" 2>/dev/null || fail "weft is not ready"

at="http://127.0.0.1:${port[edge]}/api/v1"
account='{"email": "traces@example.com", "password": "a password to be traced"}'
curl -fsS -o /dev/null --json "$account" "$at/auth/register"
login="Authorization: Bearer $(curl -fsS --json "$account" "$at/auth/login" | jq -r .token)"
product='{"name": "Teapot", "variants": [{"sku": "TEA-1", "price": {"currencyCode": "EUR", "minorUnits": "1250"}}]}'
variant="$(curl -fsS -H "$login" --json "$product" "$at/products" | jq -r '.variants[0].id')"
trace="$(od -An -N16 -tx8 /dev/urandom | tr -d ' ')"
curl -fsS -o /dev/null -D "$folder/headers" -H "$login" -H "Idempotency-Key: traced" -H "traceparent: 00-$trace-00f067aa0ba902b7-01" \
    --json "{\"lines\": [{\"variantId\": \"$variant\", \"quantity\": 2}]}" "$at/orders"
request="$(sed -n 's/^x-request-id: *\([^ \r]*\).*/\1/pI' "$folder/headers")"
[[ -n "$request" ]] || fail "the answer names no request"

# From the edge through both domains and their database to who hears of the event; nothing stands beside it.
# shellcheck disable=SC2016 # they are jq's
until_it_is "Jaeger has the order's trace" '
    .data[0].spans
    | (map(.spanID) + ["00f067aa0ba902b7"]) as $known
    | (map(.operationName) | unique) as $names
    | ($names | contains(["POST /api/v1/orders", "weft.orders.v1.Orders/CreateOrder", "weft.catalog.v1.Catalog/BatchGetVariants",
        "write", "process events.order.created"]))
      and all(.[]; all(.references[]; .spanID as $parent | any($known[]; . == $parent)))
      and (map(select(any(.references[]; .spanID == "00f067aa0ba902b7"))) | length == 1)' \
    "http://127.0.0.1:${port[jaeger_http]}/api/traces/$trace"
echo "traces-and-logs: Jaeger has the order's trace: $(jq '.data[0].spans | length' "$folder/answer.json") spans, each below the edge's"

# asked_of_loki DOMAIN: its lines of the order's request, with their level and the order's trace.
asked_of_loki() {
    until_it_is "Loki has lines of $1" ".data.result | length > 0 and all(.[]; .stream.trace_id == \"$trace\" and .stream.severity_text == \"INFO\")" \
        --get "http://127.0.0.1:${port[loki_http]}/loki/api/v1/query_range" --data-urlencode "query={service_namespace=\"weft\", service_name=\"$1\"} | request_id=\"$request\""
    echo "traces-and-logs: Loki has lines of $1 by the order's request: $(jq '[.data.result[].values[]] | length' "$folder/answer.json")"
}
asked_of_loki orders
asked_of_loki catalog
