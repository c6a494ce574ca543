#!/usr/bin/env bash
# Holds what operators watch against what weft says of itself: alerts ring for their causes and each has its section in
# docs/operations.md; the dashboards are those of this binary's contracts; and a real Prometheus, which scrapes `weft up` under
# load, knows a series for every expression in them.
#
#   bash build-support/scenarios/dashboards.sh
#
# WEFT_BINARY names a binary that is built already.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/weft/target}"
# shellcheck source=build-support/programs.sh
source build-support/programs.sh
# shellcheck source=build-support/servers.sh
source build-support/servers.sh
tools_install curl jq prometheus >/dev/null

charted=k8s/chart/weft/dashboards
folder="$(mktemp -d /tmp/weft-dashboards.XXXXXX)"
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
    echo "dashboards: $*" >&2
    tail -n 20 "$folder"/*.log >&2 || true
    exit 1
}

promtool test rules build-support/observability/alerts_test.yaml >"$folder/promtool.log" 2>&1 || fail "an alert does not ring as it should"
sed -n 's/^ *- alert: //p' k8s/chart/weft/alerts.yaml | while read -r alert; do
    grep -qx "### $alert" docs/operations.md || fail "docs/operations.md has no section $alert"
    grep -q "alertname: $alert}" build-support/observability/alerts_test.yaml || fail "no test of $alert"
done

binary="${WEFT_BINARY:-}"
if [[ -z "$binary" ]]; then
    cargo build --release --locked
    binary="$CARGO_TARGET_DIR/release/weft"
fi
programs_build --bin weft-load
mkdir "$folder/dashboards"
"$binary" routes --json | python3 build-support/observability/dashboards.py "$folder/dashboards"
diff -r "$charted" "$folder/dashboards" >&2 || fail "the dashboards are not those of the contracts; run: just dashboards"

edge="$(servers_free_port)"
admin="$(servers_free_port)"
prometheus="$(servers_free_port)"
flags=()
for domain in $("$binary" routes --json | jq -r '.domains[].name'); do
    flags+=(--set "mesh.ports.$domain=0")
done
(cd "$folder" && exec env -i "PATH=$PATH" "HOME=$folder" "$binary" up --set "edge.port=$edge" --set "admin.port=$admin" "${flags[@]}") >"$folder/weft.log" 2>&1 &
processes+=($!)
cat >"$folder/prometheus.yaml" <<YAML
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [$PWD/k8s/chart/weft/alerts.yaml]
scrape_configs:
  - {job_name: weft, static_configs: [{targets: ["127.0.0.1:$admin"]}]}
YAML
prometheus --config.file "$folder/prometheus.yaml" --storage.tsdb.path "$folder/tsdb" \
    --web.listen-address "127.0.0.1:$prometheus" >"$folder/prometheus.log" 2>&1 &
processes+=($!)
curl -fsS --retry 30 --retry-delay 1 --retry-all-errors -o /dev/null "http://127.0.0.1:$admin/ready" 2>/dev/null || fail "weft is not ready"

# The load follows no events: somebody does, for a moment.
account='{"email": "dashboards@example.com", "password": "a password to follow events"}'
curl -fsS -o /dev/null --json "$account" "http://127.0.0.1:$edge/api/v1/auth/register"
token="$(curl -fsS --json "$account" "http://127.0.0.1:$edge/api/v1/auth/login" | jq -r .token)"
curl -sS --max-time 1 -o /dev/null -H "Authorization: Bearer $token" "http://127.0.0.1:$edge/api/v1/events" 2>/dev/null || true

"$CARGO_TARGET_DIR/debug/weft-load" --url "http://127.0.0.1:$edge" --rate 40 --seconds 120 --until "$folder/enough" \
    >"$folder/load.log" 2>&1 &
load=$!
# Long enough for each rate to have been seen; the questions are asked while the load goes on.
sleep 20
python3 build-support/observability/queries.py "http://127.0.0.1:$prometheus" "$charted" || fail "a dashboard shows nothing"
ringing="$(curl -fsS "http://127.0.0.1:$prometheus/api/v1/alerts" | jq -r '[.data.alerts[].labels.alertname] | unique | join(", ")')"
[[ -z "$ringing" ]] || fail "an alert rings though all is well: $ringing"
touch "$folder/enough"
wait "$load" || fail "the load failed"
echo "dashboards: $(grep -c 'alert:' k8s/chart/weft/alerts.yaml) alerts tested, none rings; every expression has series"
