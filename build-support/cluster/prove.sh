#!/usr/bin/env bash
# Installs the chart on a real cluster, in each form, and counts what is lost while its pods come and go.
#
#   prove.sh [FORM...]     default: one suites domains
#
# Needs what cluster.sh needs, and an image of weft that image.sh has built (WEFT_IMAGE names it). For each form: install and
# wait, the first write, `helm test`, the README's first order through the edge's Service, then under load a rolling restart
# of every Deployment, a forced deletion of one pod of each, scaling to 3 and to 1 and back, and an uninstall that may leave
# only what it says it keeps. Ends with a table; fails if an idempotent call failed, or an order is missing or doubled.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/weft/target}"
cluster=build-support/cluster/cluster.sh
image="${WEFT_IMAGE:-docker.io/library/weft:dev}"
images="${IMAGE_FOLDER:-${XDG_CACHE_HOME:-$HOME/.cache}/weft/images}"
work="$(mktemp -d /tmp/weft-prove.XXXXXX)"
table="$work/table"
load="$CARGO_TARGET_DIR/debug/weft-load"
rate="${LOAD_RATE:-100}"

finish() {
    bash "$cluster" down >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap finish EXIT

inside() { bash "$cluster" exec "$@"; }
kubectl() { inside kubectl "$@"; }
fail() {
    echo "prove: $*" >&2
    kubectl get pods -o wide >&2 || true
    kubectl get events --sort-by=.lastTimestamp 2>/dev/null | tail -n 15 >&2 || true
    for pod in $(kubectl get pods -o name 2>/dev/null); do
        echo "--- $pod" >&2
        kubectl logs "$pod" --all-containers --tail=8 >&2 2>/dev/null || true
    done
    exit 1
}
seconds_since() { echo "$(date +%s.%N) - $1" | bc | xargs printf '%.1f'; }

# Where the edge's Service is, from inside the cluster's network.
edge_url() { echo "http://$(kubectl get service w-edge -o jsonpath='{.spec.clusterIP}')"; }

install() {
    local form="$1" started first
    started="$(date +%s.%N)"
    inside helm install w k8s/chart/weft --wait --timeout 5m --set "form=$form" --set "image.repository=${image%:*}" \
        --set "image.tag=${image##*:}" --set database.trial.persistence.enabled=false >"$work/install.log" 2>&1 ||
        { cat "$work/install.log" >&2; fail "helm install of the form $form did not come up"; }
    until inside curl -fsS -m 2 "$(edge_url)/api/v1/auth/register" \
        --json '{"email": "first@example.com", "password": "a first password"}' >/dev/null 2>&1; do sleep 0.2; done
    first="$(seconds_since "$started")"
    printf '%-8s install to first write %6s s\n' "$form" "$first" | tee -a "$table"
}

# The README's transcript, with the Service in place of localhost.
first_order() {
    awk '$0 == "```sh first-order-curl" { on = 1; next } on && /^```/ { exit } on' README.md |
        sed "s#localhost:8080#$(edge_url)#g" >"$work/first-order.sh"
    inside bash -euo pipefail "$work/first-order.sh" >"$work/first-order.json" 2>"$work/first-order.log" ||
        { cat "$work/first-order.log" >&2; fail "the README's first order failed"; }
    tail -n +1 "$work/first-order.json" | grep -q STATE_PLACED || fail "the README's first order has another answer"
}

# faulty FORM NAME COMMAND...: load while the command runs and a little longer; what was lost goes to the table.
faulty() {
    local form="$1" name="$2" stop loader
    shift 2
    stop="$work/stop"
    rm -f "$stop"
    inside "$load" --url "$(edge_url)" --rate "$rate" --seconds 300 --until "$stop" >"$work/load.log" 2>&1 &
    loader=$!
    sleep 3
    "$@" >"$work/fault.log" 2>&1 || { cat "$work/fault.log" >&2; touch "$stop"; fail "$form: $name could not be done"; }
    sleep 3
    touch "$stop"
    if wait "$loader"; then
        printf '%-8s %-28s %s\n' "$form" "$name" "$(tail -n 1 "$work/load.log")" | tee -a "$table"
    else
        cat "$work/load.log" >&2
        fail "$form: calls were lost: $name"
    fi
}

deployments() { kubectl get deployments -l app.kubernetes.io/instance=w -o name; }

rolled_out() {
    local deployment
    for deployment in $(deployments); do kubectl rollout status "$deployment" --timeout=180s || return; done
}

restart_all() { deployments | xargs bash "$cluster" exec kubectl rollout restart && rolled_out; }

kill_one_of_each() {
    local deployment component pod
    for deployment in $(deployments); do
        component="${deployment##*/w-}"
        pod="$(kubectl get pods -l "app.kubernetes.io/component=$component" --field-selector=status.phase=Running -o name | head -n 1)"
        kubectl delete "$pod" --force --grace-period=0
        rolled_out
    done
}

scale_all() {
    local count deployment
    for count in 3 1 2; do
        for deployment in $(deployments); do kubectl scale "$deployment" --replicas="$count"; done
        rolled_out
        sleep 2
    done
}

upgrade() { inside helm upgrade w k8s/chart/weft --reuse-values --wait --timeout 5m --set-string "podAnnotations.upgraded=$RANDOM" && rolled_out; }
rollback() { inside helm rollback w --wait --timeout 5m && rolled_out; }

# rotate: a new certificate for every workload, in place.
rotate() {
    kubectl get secrets -o name | grep -- '-certificate$' | xargs bash "$cluster" exec kubectl delete
    kubectl create job rotate --from=cronjob/w-certificates && kubectl wait --for=condition=complete job/rotate --timeout=60s
    kubectl delete job rotate
    sleep 60
}

uninstall() {
    local left
    inside helm uninstall w --wait --timeout 3m >/dev/null
    # Pods that drain are on their way.
    kubectl wait --for=delete pod --selector=app.kubernetes.io/instance=w --timeout=90s >/dev/null 2>&1 || true
    left="$(kubectl get all,persistentvolumeclaims,secrets,configmaps,serviceaccounts,roles,rolebindings,networkpolicies,pdb,cronjobs -o name |
        grep -vE '^(service/kubernetes|configmap/kube-root-ca.crt|serviceaccount/default|secret/w-authority)$' || true)"
    [[ -z "$left" ]] || fail "helm uninstall left: $left"
    kubectl delete secret w-authority --ignore-not-found >/dev/null
}

for archive in "$images/$(tr '/:' '__' <<<"$image").tar" "$images"/docker.io_library_{postgres_16,redis_7}.tar; do
    [[ -f "$archive" ]] || { echo "prove: $archive is missing; run: just image" >&2; exit 1; }
done
cargo build --locked --quiet --package weft-load
bash "$cluster" up
for archive in "$images/$(tr '/:' '__' <<<"$image").tar" "$images"/docker.io_library_{postgres_16,redis_7}.tar; do
    bash "$cluster" import "$archive"
done

[[ $# -gt 0 ]] || set -- one suites domains
for form in "$@"; do
    install "$form"
    first_order
    faulty "$form" "rolling restart" restart_all
    faulty "$form" "a pod of each killed" kill_one_of_each
    faulty "$form" "scaled to 3, 1 and 2" scale_all
    faulty "$form" "helm upgrade" upgrade
    faulty "$form" "helm rollback" rollback
    [[ "$form" == one ]] || faulty "$form" "certificates rotated" rotate
    uninstall
done
echo "prove: the chart on Kubernetes, $rate steps a second:"
cat "$table"
