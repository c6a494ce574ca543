#!/usr/bin/env bash
# Installs the chart on a real cluster, in each form, and counts what is lost while its pods come and go.
#
#   prove.sh [PROOF...]     default: one suites domains previous
#   PROOF: one, suites, domains     a form, under all faults
#          brief                    the form one, under the two that strike most often: what CI has the time for
#          previous                 the form domains, from the previous release's chart and image to this one, and back
#
# Needs what cluster.sh needs, and an image of weft that image.sh has built (WEFT_IMAGE names it). For each form: install and
# wait, the first write, `helm test`, the README's first orders by curl and by grpcurl through the edge's Service, the first
# administrator, a backup, then under load a rolling restart of every Deployment, a forced deletion of one pod of each, scaling
# to 3 and to 1 and back, an upgrade, a rollback, a setting that is wrong, new certificates, and an uninstall that may leave only
# what it says it keeps. Ends with a table; fails if an idempotent call failed, or an order is missing or doubled.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/weft/target}"
# shellcheck source=build-support/tools.sh
source build-support/tools.sh
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

archive_of() { echo "$images/$(tr '/:' '__' <<<"$1").tar"; }

# Where the edge's Service is, from inside the cluster's network.
edge_address() { kubectl get service w-edge -o jsonpath='{.spec.clusterIP}'; }
edge_url() { echo "http://$(edge_address)"; }

# install FORM CHART IMAGE VALUE...: installs, and waits for the first write.
install() {
    local form="$1" chart="$2" image="$3" started first
    shift 3
    started="$(date +%s.%N)"
    inside helm install w "$chart" --wait --timeout 5m --set "form=$form" --set "image.repository=${image%:*}" \
        --set "image.tag=${image##*:}" --set database.trial.persistence.enabled=false "$@" >"$work/install.log" 2>&1 ||
        { cat "$work/install.log" >&2; fail "helm install of the form $form did not come up"; }
    until inside curl -fsS -m 2 "$(edge_url)/api/v1/auth/register" \
        --json '{"email": "first@example.com", "password": "a first password"}' >/dev/null 2>&1; do sleep 0.2; done
    first="$(seconds_since "$started")"
    printf '%-8s install to first write %6s s\n' "$form" "$first" | tee -a "$table"
}

# first_order NAME ADDRESS: the README's transcript, with the Service in place of localhost.
first_order() {
    local name="$1" address="$2"
    awk -v fence="\`\`\`sh first-order-$name" '$0 == fence { on = 1; next } on && /^```/ { exit } on' README.md |
        sed "s#localhost:8080#$address#g" | grep . >"$work/first-order.sh" || fail "the README has no order by $name"
    inside bash -euo pipefail "$work/first-order.sh" >"$work/first-order.json" 2>"$work/first-order.log" ||
        { cat "$work/first-order.log" >&2; fail "the README's first order by $name failed"; }
    grep -q STATE_PLACED "$work/first-order.json" || fail "the README's first order by $name has another answer"
}

# secret_value SECRET KEY
secret_value() { kubectl get secret "$1" -o "jsonpath={.data.$2}" | base64 --decode; }

# What the chart made once, and an upgrade must find again.
secrets() { kubectl get secret w-seal w-administrator w-database -o jsonpath='{.items[*].data}' | sha256sum; }

# The account whose password the chart made logs in.
administrator() {
    local body
    body="$(jq -n --arg email "$(secret_value w-administrator email)" --arg password "$(secret_value w-administrator password)" \
        '{email: $email, password: $password}')"
    inside curl -fsS -m 10 "$(edge_url)/api/v1/auth/login" --json "$body" | jq -e '.user.role == "ROLE_OWNER"' >/dev/null ||
        fail "the first administrator cannot log in"
}

# run_job NAME CRONJOB: runs it once, and fails with its log.
run_job() {
    kubectl create job "$1" --from="cronjob/$2" >/dev/null
    kubectl wait --for=condition=complete "job/$1" --timeout=120s >/dev/null || fail "$1 did not end well"
    kubectl logs "job/$1"
    kubectl delete job "$1" >/dev/null
}

helm_test() { inside helm test w --timeout 2m >"$work/test.log" 2>&1 || { cat "$work/test.log" >&2; fail "helm test failed"; }; }

# What users see of an installation that stands still.
look() {
    local form="$1"
    helm_test
    first_order curl "$(edge_url)"
    first_order grpcurl "$(edge_address):80"
    administrator
    printf '%-8s %s\n' "$form" "helm test passed; first orders by curl and grpcurl placed; the first administrator logged in" |
        tee -a "$table"
}

backup() {
    local told
    told="$(run_job backup w-backup | tail -n 1)"
    [[ "$told" == *" entries" ]] || fail "the backup says: $told"
    printf '%-8s backup: %s\n' "$1" "$told" | tee -a "$table"
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

# upgrade VALUE...: to the chart and image of this tree.
upgrade() {
    local before
    before="$(secrets)"
    inside helm upgrade w k8s/chart/weft --reset-then-reuse-values --wait --timeout 5m --set "image.tag=${image##*:}" "$@" &&
        rolled_out && [[ -z "$keeps" || "$(secrets)" == "$before" ]]
}
# rollback REVISION: 0 is the one before.
rollback() { inside helm rollback w "$1" --wait --timeout 5m && rolled_out; }

# A setting that is wrong: no new pod gets ready, its log names the setting, and the pods before go on serving.
wrong_setting() {
    local deployment component pods
    inside helm upgrade w k8s/chart/weft --reset-then-reuse-values --set settings.edge.max_body=many || return
    for deployment in $(deployments); do
        component="${deployment##*/w-}"
        until_named "$component" || { echo "no pod of $component says that edge.max_body is wrong"; return 1; }
        pods="$(kubectl get "$deployment" -o jsonpath='{.status.updatedReplicas}/{.status.readyReplicas}/{.spec.replicas}')"
        [[ "$pods" == 1/2/2 ]] || { echo "$component has updated/ready/wanted pods: $pods"; return 1; }
    done
    rollback 0
}

unready='.items[] | select(any(.status.conditions[]?; .type == "Ready" and .status == "False")) | .metadata.name'

# until_named COMPONENT: waits for a pod that is not ready and tells the wrong setting's name.
until_named() {
    local pod log
    for _ in $(seq 60); do
        for pod in $(kubectl get pods -l "app.kubernetes.io/component=$1" -o json | jq -r "$unready"); do
            log="$(kubectl logs "$pod" --all-containers 2>/dev/null || true)"
            [[ "$log" != *edge.max_body*"is not"* ]] || return 0
        done
        sleep 1
    done
    return 1
}

# rotate: a new certificate for every workload, in place.
rotate() {
    kubectl get secrets -o name | grep -- '-certificate$' | xargs bash "$cluster" exec kubectl delete
    run_job rotate w-certificates
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

# Every fault under load, on what is installed.
faults() {
    local form="$1"
    faulty "$form" "rolling restart" restart_all
    faulty "$form" "a pod of each killed" kill_one_of_each
    [[ "$2" != brief ]] || return 0
    faulty "$form" "scaled to 3, 1 and 2" scale_all
    faulty "$form" "helm upgrade" upgrade --set-string "podAnnotations.upgraded=$RANDOM"
    faulty "$form" "helm rollback" rollback 0
    faulty "$form" "a wrong setting" wrong_setting
    [[ "$form" == one ]] || faulty "$form" "certificates rotated" rotate
}

# form FORM [brief]
form() {
    keeps=yes
    install "$1" k8s/chart/weft "$image" --set backup.enabled=true --set-json 'backup.volume={"emptyDir": {}}'
    look "$1"
    backup "$1"
    faults "$1" "${2:-}"
    uninstall
}

previous() {
    local old="docker.io/library/weft:$PREVIOUS_RELEASE"
    mkdir -p "$work/previous"
    git archive "$PREVIOUS_RELEASE" k8s/chart/weft | tar -x -C "$work/previous"
    bash "$cluster" import "$(archive_of "$old")"
    # It did not make all the Secrets that this one makes.
    keeps=""
    install domains "$work/previous/k8s/chart/weft" "$old"
    faulty previous "upgrade from ${PREVIOUS_RELEASE:0:9}" upgrade
    helm_test
    administrator
    faulty previous "rollback to ${PREVIOUS_RELEASE:0:9}" rollback 1
    uninstall
}

[[ $# -gt 0 ]] || set -- one suites domains previous
needed=("$image" docker.io/library/postgres:16 docker.io/library/redis:7)
[[ " $* " != *" previous "* ]] || needed+=("docker.io/library/weft:$PREVIOUS_RELEASE")
for name in "${needed[@]}"; do
    [[ -f "$(archive_of "$name")" ]] || { echo "prove: $(archive_of "$name") is missing; run: just image" >&2; exit 1; }
done
cargo build --locked --quiet --package weft-load
bash "$cluster" up
# The API server itself refuses a pod that is not restricted.
kubectl label namespace default pod-security.kubernetes.io/enforce=restricted >/dev/null
for name in "$image" docker.io/library/postgres:16 docker.io/library/redis:7; do bash "$cluster" import "$(archive_of "$name")"; done
for proof in "$@"; do
    case "$proof" in
    brief) form one brief ;;
    one | suites | domains) form "$proof" ;;
    previous) previous ;;
    *)
        echo "prove: there is no proof $proof" >&2
        exit 64
        ;;
    esac
done
echo "prove: the chart on Kubernetes, $rate steps a second:"
cat "$table"
