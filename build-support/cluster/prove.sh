#!/usr/bin/env bash
# Installs the chart on a real cluster, in each form, and counts what is lost while its pods come and go.
#
#   prove.sh [FORM...]               default: one suites domains
#   prove.sh policies autoscaling    what needs more than a bare cluster
#
# Needs what cluster.sh needs, and images that image.sh has built: of weft (WEFT_IMAGE names it), of the release before
# (PREVIOUS_RELEASE, for the form domains), and of the trial's servers. For each form, in a namespace of its own:
#
#   - this release is installed: how long to the first write, `helm test`, the README's first orders by curl and by grpcurl
#     through the edge's Service, the first administrator, a backup;
#   - while a client asks on and on: a rolling restart of every Deployment, a forced deletion of one pod of each, scaling to 3, to
#     1 and back, a setting that is wrong (an upgrade and a rollback), new certificates;
#   - it is removed, which may leave only what it says it keeps.
#
# The form domains is removed before the faults: then the release before is installed, upgraded to this one under load, bears the
# faults, and is rolled back.
#
# policies: kube-router enforces the NetworkPolicies. From every pod, those of strangers too, a connection to every port of every
# pod is opened or refused as the contracts declare; then the form domains bears restarts, kills and new certificates under load.
#
# autoscaling: metrics-server measures the pods. Under load the Deployments of the edge and of orders grow, and shrink when less is
# asked of them.
#
# Ends with a table; fails if a call failed that may be repeated, or an order is missing or doubled.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/weft/target}"
# shellcheck source=build-support/programs.sh
source build-support/programs.sh
# shellcheck source=build-support/tools.sh
source build-support/tools.sh
cluster=build-support/cluster/cluster.sh
chart=k8s/chart/weft
image="${WEFT_IMAGE:-docker.io/library/weft:dev}"
previous="docker.io/library/weft:$PREVIOUS_RELEASE"
images="${IMAGE_FOLDER:-${XDG_CACHE_HOME:-$HOME/.cache}/weft/images}"
work="$(mktemp -d /tmp/weft-prove.XXXXXX)"
table="$work/table"
previous_chart="$work/previous"
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
    printf '%-11s %.9s: install to first write %6s s\n' "$form" "${image##*:}" "$first" | tee -a "$table"
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
    printf '%-11s %s\n' "$form" "helm test passed; first orders by curl and grpcurl placed; the first administrator logged in" |
        tee -a "$table"
}

# monitored FORM: what Prometheus is pointed at are the pods that tell of themselves.
monitored() {
    local found pods
    kubectl get servicemonitor,prometheusrule w -o name >/dev/null || fail "the objects for the Prometheus operator are missing"
    found="$(kubectl get endpointslices -l kubernetes.io/service-name=w-metrics -o json |
        jq '[.items[] | select(any(.ports[]?; .name == "admin")) | .endpoints[].addresses[]] | sort')"
    pods="$(kubectl get pods -o json | jq '[.items[] | select(.metadata.labels | keys | any(startswith("weft.dev/"))) | .status.podIP] | sort')"
    [[ "$found" == "$pods" ]] || fail "Prometheus is pointed at $found instead of $pods"
    printf '%-11s Prometheus is pointed at %s pods\n' "$1" "$(jq length <<<"$found")" | tee -a "$table"
}

backup() {
    local told
    told="$(run_job backup w-backup | tail -n 1)"
    [[ "$told" == *" entries" ]] || fail "the backup says: $told"
    printf '%-11s backup: %s\n' "$1" "$told" | tee -a "$table"
}

# load_starts: a client that asks until load_ends.
load_starts() {
    rm -f "$work/stop"
    inside "$load" --url "$(edge_url)" --rate "$rate" --seconds 1800 --until "$work/stop" >"$work/load.log" 2>&1 &
    loader=$!
    load_began="$(date +%s.%N)"
    sleep 3
}

# fault FORM NAME COMMAND...: what is done to the pods that the client asks; when, and how long it takes, goes to the table.
fault() {
    local form="$1" name="$2" at started
    shift 2
    at="$(seconds_since "$load_began")"
    started="$(date +%s.%N)"
    kill -0 "$loader" 2>/dev/null || { cat "$work/load.log" >&2; fail "$form: the load ended before: $name"; }
    "$@" >"$work/fault.log" 2>&1 || { cat "$work/fault.log" >&2; fail "$form: $name could not be done"; }
    printf '%-11s under load, at %5s s: %-24s %6s s\n' "$form" "$at" "$name" "$(seconds_since "$started")" | tee -a "$table"
}

# load_ends FORM: when the last pods that were told to stop have gone. Nothing may be lost.
load_ends() {
    until_drained || fail "$1: pods do not end"
    touch "$work/stop"
    wait "$loader" || { cat "$work/load.log" >&2; fail "$1: calls were lost"; }
    printf '%-11s %s\n' "$1" "$(tail -n 1 "$work/load.log")" | tee -a "$table"
}

until_drained() {
    for _ in $(seq 120); do
        kubectl get pods -o json | jq -e 'any(.items[]; .metadata.deletionTimestamp) | not' >/dev/null && return
        sleep 0.5
    done
    return 1
}

deployments() { kubectl get deployments -l app.kubernetes.io/instance=w -o name; }

rolled_out() {
    local deployment
    for deployment in $(deployments); do kubectl rollout status "$deployment" --timeout=180s || return; done
}

restart_all() { deployments | xargs bash "$cluster" exec kubectl rollout restart && rolled_out; }

kill_one_of_each() {
    local deployment pods=()
    for deployment in $(deployments); do
        # Not one that goes by itself before it is killed.
        pods+=("pod/$(kubectl get pods -l "app.kubernetes.io/component=${deployment##*/w-}" -o json |
            jq -r '[.items[] | select(.status.phase == "Running" and .metadata.deletionTimestamp == null)][0].metadata.name')")
    done
    kubectl delete "${pods[@]}" --force --grace-period=0 && rolled_out
}

scale_all() {
    local count
    for count in 3 1 2; do
        deployments | xargs bash "$cluster" exec kubectl scale --replicas="$count" && rolled_out && until_drained || return
    done
}

# upgrade: to the chart and image of this tree.
upgrade() {
    inside helm upgrade w "$chart" --reset-then-reuse-values --wait --timeout 5m --set "image.tag=${image##*:}" && rolled_out
}
# rollback REVISION: 0 is the one before.
rollback() { inside helm rollback w "$1" --wait --timeout 5m && rolled_out; }

# A setting that is wrong: no new pod gets ready, its log names the setting, and the pods before go on serving.
wrong_setting() {
    local deployment component pods before
    before="$(secrets)"
    inside helm upgrade w "$chart" --reset-then-reuse-values --set settings.edge.max_body=many || return
    for deployment in $(deployments); do
        component="${deployment##*/w-}"
        until_named "$component" || { echo "no pod of $component says that edge.max_body is wrong"; return 1; }
        pods="$(kubectl get "$deployment" -o jsonpath='{.status.updatedReplicas}/{.status.readyReplicas}/{.spec.replicas}')"
        [[ "$pods" == 1/2/2 ]] || { echo "$component has updated/ready/wanted pods: $pods"; return 1; }
    done
    rollback 0 || return
    [[ "$(secrets)" == "$before" ]] || { echo "an upgrade and a rollback changed the Secrets"; return 1; }
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

# When the certificates of all pods end, in seconds since 1970.
certificate_ends() {
    local address
    for address in $(kubectl get pods -o json | jq -r '.items[] | select(.metadata.labels | keys | any(startswith("weft.dev/"))) | .status.podIP'); do
        inside curl -fsS -m 5 "http://$address:9901/metrics" |
            awk -v now="$(date +%s)" '/^weft_certificate_expiry_seconds/ { printf "%d\n", now + $NF; found = 1 } END { exit !found }' || return
    done
}

# rotate: a new certificate for every workload, in place, until every pod presents its own.
rotate() {
    local before
    before="$(certificate_ends | sort -n | tail -n 1)"
    kubectl get secrets -o name | grep -- '-certificate$' | xargs bash "$cluster" exec kubectl delete || return
    run_job rotate w-certificates
    for _ in $(seq 90); do
        # Ends are told in whole seconds.
        ! [[ "$(certificate_ends | sort -n | head -n 1)" -gt $((before + 2)) ]] || return 0
        sleep 1
    done
    echo "not every pod presents a new certificate"
    return 1
}

uninstall() {
    local left kinds=all,persistentvolumeclaims,secrets,configmaps,serviceaccounts,roles,rolebindings,networkpolicies,pdb,cronjobs
    inside helm uninstall w --wait --timeout 3m >/dev/null
    # Pods that drain are on their way.
    kubectl wait --for=delete pod --selector=app.kubernetes.io/instance=w --timeout=90s >/dev/null 2>&1 || true
    left="$(kubectl get "$kinds,servicemonitors,prometheusrules" -o name |
        grep -vE '^(configmap/kube-root-ca.crt|serviceaccount/default|secret/w-authority|pod/stranger)$' || true)"
    [[ -z "$left" ]] || fail "helm uninstall left: $left"
    kubectl delete secret w-authority --ignore-not-found >/dev/null
}

# this_release FORM: as a stranger installs it.
this_release() {
    install "$1" "$chart" "$image" --set backup.enabled=true --set-json 'backup.volume={"emptyDir": {}}' \
        --set serviceMonitor.enabled=true --set alerts.enabled=true --set dashboards.enabled=true
    look "$1"
    monitored "$1"
    backup "$1"
}

# faults FORM: all that befalls an installation.
faults() {
    fault "$1" "rolling restart" restart_all
    fault "$1" "a pod of each killed" kill_one_of_each
    fault "$1" "scaled to 3, 1 and 2" scale_all
    fault "$1" "a wrong setting" wrong_setting
    [[ "$1" == one ]] || fault "$1" "certificates rotated" rotate
}

# strangers: a pod that is not of the release, beside it and in a namespace of its own.
strangers() {
    local namespace
    for namespace in "$@"; do
        # Without its account, which follows the namespace, no pod is taken.
        until kubectl get --namespace "$namespace" serviceaccount default >/dev/null 2>&1; do sleep 0.2; done
        kubectl apply --namespace "$namespace" --filename build-support/cluster/stranger.yaml >/dev/null
        kubectl wait --namespace "$namespace" --for=condition=Ready pod/stranger --timeout=60s >/dev/null || fail "a stranger did not start"
    done
}

# reach NAME OPTION...: which connections between pods open.
reach() {
    local name="$1" told
    shift
    told="$(kubectl get pods --all-namespaces -o json | /usr/bin/python3 build-support/cluster/reach.py w "$chart/domains.json" "$@")" ||
        fail "$name: not as declared"
    printf '%-11s %s: %s\n' policies "$name" "$told" | tee -a "$table"
}

policies() {
    local elsewhere=strangers
    kubectl create namespace "$elsewhere" >/dev/null
    strangers policies "$elsewhere"
    install domains "$chart" "$image"
    reach "before policies are enforced" --all
    bash "$cluster" enforce
    reach "once they are"
    uninstall
    this_release domains
    reach "installed anew"
    load_starts
    fault policies "rolling restart" restart_all
    fault policies "a pod of each killed" kill_one_of_each
    fault policies "certificates rotated" rotate
    load_ends policies
    reach "after all that"
    uninstall
    kubectl delete namespace "$elsewhere" --wait=false >/dev/null
}

# until_scaled CONDITION: of each named Deployment, and of its pods that are ready.
until_scaled() {
    local condition="$1"
    shift
    for _ in $(seq 240); do
        kubectl get deployments "$@" -o json | jq -e "all(.items[]; .spec.replicas $condition and .status.readyReplicas == .spec.replicas)" >/dev/null &&
            return
        sleep 0.5
    done
    kubectl get hpa
    return 1
}

autoscaling() {
    bash "$cluster" measure
    install suites "$chart" "$image" --set autoscaling.enabled=true --set autoscaling.maxReplicas=4 \
        --set autoscaling.targetCPUUtilizationPercentage=40
    load_starts
    fault autoscaling "edge and orders grow" until_scaled "> 2" w-edge w-commerce
    load_ends autoscaling
    rate=4 load_starts
    fault autoscaling "all shrink to 2" until_scaled "== 2" w-edge w-identity w-commerce w-automation
    load_ends autoscaling
    uninstall
}

# prove PROOF
prove() {
    case "$1" in
    policies | autoscaling)
        "$1"
        return
        ;;
    esac
    this_release "$1"
    if [[ "$1" == domains ]]; then
        uninstall
        install "$1" "$previous_chart/$chart" "$previous"
        load_starts
        fault "$1" "helm upgrade" upgrade
        helm_test
        administrator
        faults "$1"
        fault "$1" "helm rollback" rollback 1
        load_ends "$1"
    else
        load_starts
        faults "$1"
        load_ends "$1"
        uninstall
    fi
}

[[ $# -gt 0 ]] || set -- one suites domains
for form in "$@"; do
    [[ "$form" =~ ^(one|suites|domains|policies|autoscaling)$ ]] || { echo "prove: there is no form or proof $form" >&2; exit 64; }
done
needed=("$image" docker.io/library/postgres:16 docker.io/library/redis:7)
if [[ " $* " == *" domains "* ]]; then
    needed+=("$previous")
    git cat-file -e "$PREVIOUS_RELEASE:$chart" 2>/dev/null || {
        echo "prove: the release before, $PREVIOUS_RELEASE, is not in this clone; run: git fetch --unshallow" >&2
        exit 1
    }
    mkdir -p "$previous_chart"
    git archive "$PREVIOUS_RELEASE" "$chart" | tar -x -C "$previous_chart"
fi
for name in "${needed[@]}"; do
    [[ -f "$(archive_of "$name")" ]] || { echo "prove: $(archive_of "$name") is missing; run: just image image-previous" >&2; exit 1; }
done
programs_build --bin weft-load
bash "$cluster" up
for name in "${needed[@]}"; do bash "$cluster" import "$(archive_of "$name")"; done

# accepted: the API server, and kubeconform by the API server's own schemas, know every field of what the chart makes of each set of
# values, also of what others define.
accepted() {
    local values told schemas="$work/schemas"
    bash "$cluster" define
    kubectl get --raw /openapi/v2 | /usr/bin/python3 build-support/cluster/schemas.py "$schemas"
    for values in "$chart"/ci/*.yaml; do
        inside helm template w "$chart" --kube-version "$KUBERNETES_VERSION" --values "$values" >"$work/rendered.yaml"
        told="$(kubectl apply --dry-run=server --validate=strict --filename "$work/rendered.yaml" 2>&1)" ||
            { echo "$told" >&2; fail "$values is not accepted"; }
        [[ "$told" != *[Ww]arning* ]] || { echo "$told" >&2; fail "$values is accepted with a warning"; }
        printf '%-11s %s: the API server accepts %s objects, field by field\n' values "$(basename "$values" .yaml)" "$(wc -l <<<"$told")" | tee -a "$table"
        told="$(inside kubeconform -strict -summary -schema-location "$schemas/{{.ResourceKind}}{{.KindSuffix}}.json" "$work/rendered.yaml")" ||
            { echo "$told" >&2; fail "$values does not conform"; }
        printf '%-11s %s: kubeconform: %s\n' values "$(basename "$values" .yaml)" "${told##*- }" | tee -a "$table"
    done
}

accepted
for form in "$@"; do
    kubectl create namespace "$form" >/dev/null
    # The API server itself refuses a pod that is not restricted.
    kubectl label namespace "$form" pod-security.kubernetes.io/enforce=restricted >/dev/null
    # From here on every kubectl and helm is in the form's namespace.
    kubectl config set-context --current --namespace="$form" >/dev/null
    prove "$form"
    kubectl delete namespace "$form" --wait=false >/dev/null
done
echo "prove: the chart on Kubernetes, $rate steps a second, from ${PREVIOUS_RELEASE:0:9} and back:"
cat "$table"
