#!/usr/bin/env bash
# Brings compose.yaml up for real, by podman-compose: PostgreSQL, Redis, Consul, two replicas of the domains, the edge and
# Prometheus; places the README's first order through the edge's port, and has Prometheus find every replica.
#
#   compose.sh       needs root, podman and podman-compose (tools.sh), and an image of weft that image.sh has built (WEFT_IMAGE)
#
# The rest of it (the collector, Loki, Jaeger, Grafana) is in no registry that is reached here: check_compose.py validates it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=build-support/tools.sh
source build-support/tools.sh

for tool in podman podman-compose jq curl; do
    command -v "$tool" >/dev/null || { echo "compose: $tool is missing; run: bash build-support/tools.sh compose jq curl" >&2; exit 1; }
done
work="$(mktemp -d /tmp/weft-compose.XXXXXX)"
# A machine that may not raise its limits runs containers all the same; images are those of buildah's store.
cat >"$work/containers.conf" <<'CONF'
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
[network]
network_backend = "netavark"
CONF
port="$(python3 build-support/free_port.py)"
export CONTAINERS_CONF="$work/containers.conf" STORAGE_DRIVER=vfs
export WEFT_PORT="$port" WEFT_IMAGE="${WEFT_IMAGE:-docker.io/library/weft:dev}"
POSTGRES_PASSWORD="$(openssl rand -hex 24)" WEFT_SEAL_KEY="$(openssl rand -base64 32)"
export POSTGRES_PASSWORD WEFT_SEAL_KEY
project="weft-proof-$$"
compose=(podman-compose --project-name "$project" --file build-support/docker/compose.yaml)

finish() {
    {
        # podman-compose's own `down` forgets replicas beyond the first, and what profiles name.
        podman ps --all --quiet --filter "label=com.docker.compose.project=$project" | xargs -r podman rm --force --volumes --time 0 || true
        podman volume ls --quiet --filter "name=$project" | xargs -r podman volume rm --force || true
        podman network rm --force "${project}_weft" || true
    } >/dev/null 2>&1
    rm -rf "$work"
}
trap finish EXIT

fail() {
    echo "compose: $*" >&2
    podman ps --all --format '{{.Names}} {{.Status}}' >&2 || true
    "${compose[@]}" logs --tail 15 2>&1 | tail -n 80 >&2 || true
    exit 1
}

# eventually SECONDS COMMAND...
eventually() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [[ $SECONDS -lt $end ]] || return 1
        sleep 0.5
    done
}

bash build-support/docker/image.sh compose
# stage SERVICE...: Debian's podman knows no `service_healthy`, and runs health checks by a systemd that may be missing. So what
# others wait for is started first, and its health check run here.
stage() {
    "${compose[@]}" --profile observability up --detach --no-build --no-deps --scale domains=2 "$@" >>"$work/up.log" 2>&1 ||
        { tail -n 40 "$work/up.log" >&2; fail "$* cannot be started"; }
}
containers() { podman ps --all --filter "label=com.docker.compose.project=$project" --filter "label=com.docker.compose.service=$1" --format '{{.Names}}'; }
healthy() {
    local container
    for container in $(containers "$1"); do
        eventually 90 podman healthcheck run "$container" || fail "$container is not healthy"
    done
}

started=$SECONDS
stage database redis consul
for service in database redis consul; do healthy "$service"; done
stage migrations
[[ "$(podman wait "$(containers migrations)")" == 0 ]] || fail "the migrations failed"
stage domains
healthy domains
stage edge prometheus
healthy edge
write() { curl -fsS -m 5 "localhost:$port/api/v1/auth/register" --json "{\"email\": \"first@example.com\", \"password\": \"a first password\"}"; }
eventually 120 write || fail "nothing can be written"
echo "compose: the first write after $((SECONDS - started)) s"

awk -v fence='```sh first-order-curl' '$0 == fence { on = 1; next } on && /^```/ { exit } on' README.md |
    sed "s#localhost:8080#localhost:$port#g" >"$work/first-order.sh"
bash -euo pipefail "$work/first-order.sh" >"$work/first-order.json" 2>&1 || { cat "$work/first-order.json" >&2; fail "the README's first order failed"; }
grep -q STATE_PLACED "$work/first-order.json" || fail "the README's first order has another answer"
echo "compose: the README's first order is placed"

prometheus="$(containers prometheus)"
address="$(podman inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$prometheus")"
scraped() {
    [[ "$(curl -fsS "http://$address:9090/api/v1/targets" | jq '[.data.activeTargets[] | select(.health == "up")] | length')" == 3 ]]
}
eventually 90 scraped || fail "Prometheus does not scrape two replicas of the domains and the edge"
echo "compose: Prometheus scrapes two replicas of the domains and the edge"
podman ps --filter "label=com.docker.compose.project=$project" --format '{{.Names}} {{.Ports}}' | grep -v edge | grep '>' && fail "more than the edge has a port of the machine"
echo "compose: up, healthy, and only the edge has a port of the machine"
