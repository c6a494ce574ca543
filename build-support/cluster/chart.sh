#!/usr/bin/env bash
# Checks the chart without a cluster: lint, six sets of values rendered and held against the contracts' callers, wrong values
# refused. Needs helm (HELM, or on the PATH), and Debian's python3-yaml.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=build-support/tools.env
source build-support/tools.env

chart=k8s/chart/weft
helm="${HELM:-$(command -v helm || true)}"
[[ -x "$helm" ]] || { echo "chart: helm is missing; run: bash build-support/tools.sh helm" >&2; exit 1; }
render() { "$helm" template w "$chart" --kube-version "$KUBERNETES_VERSION" "$@"; }
failed=0

for values in "$chart"/ci/*.yaml; do
    "$helm" lint --quiet --strict --kube-version "$KUBERNETES_VERSION" "$chart" --values "$values" || failed=1
    if ! told="$(render --values "$values" | /usr/bin/python3 build-support/cluster/check_chart.py "$chart/domains.json")"; then
        failed=1
        told="wrong"
    fi
    printf 'chart: %-18s %s\n' "$(basename "$values" .yaml)" "$told"
done

# refused WORDS ARGUMENT...: rendering with these values fails and says why.
refused() {
    local words="$1" told
    shift
    if told="$(render "$@" 2>&1 >/dev/null)"; then
        echo "chart: $* is not refused" >&2
        failed=1
    elif [[ "$told" != *"$words"* ]]; then
        echo "chart: $* is refused without telling why: $told" >&2
        failed=1
    fi
}
refused "must be one of 'one', 'suites', 'domains'" --set form=three
refused "need at least 29" --set form=domains --set database.connectionLimit=20
refused "replica" --set replica=3
refused "backup.volume" --set backup.enabled=true
refused "administrator/email" --set administrator.email=nobody

exit "$failed"
