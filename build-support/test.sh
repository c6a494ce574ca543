#!/usr/bin/env bash
# Every test of weft, from a machine that has a Rust toolchain, Go and Python: installs what the tests need and the machine
# lacks, starts throw-away servers, and runs everything: units, contracts, mesh, both databases, end to end, crashes.
#
#   bash build-support/test.sh
#
# Ends with a table of its steps and their times, and fails if one of them failed.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit

export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/weft/target}"
# Nobody debugs these builds, and what a debugger reads takes time and disk. Panics tell their lines all the same.
export CARGO_PROFILE_DEV_DEBUG=false
# shellcheck source=build-support/programs.sh
source build-support/programs.sh
# shellcheck source=build-support/servers.sh
source build-support/servers.sh
# shellcheck source=build-support/steps.sh
source build-support/steps.sh

test_log="$(mktemp /tmp/weft-tests.XXXXXX)"
trap 'servers_stop; rm -f "$test_log"' EXIT

# shellcheck disable=SC2317 # called by a step
# cargo_test ARGUMENT...: cargo test, whose counts go to the closing line.
cargo_test() {
    cargo test --locked --no-fail-fast "$@" 2>&1 | tee -a "$test_log"
}

# Prints the sum of all results of cargo_test.
test_counts() {
    awk '/^test result:/ { passed += $4; failed += $6; ignored += $8 }
        END { printf "%d tests passed, %d failed, %d ignored\n", passed, failed, ignored }' "$test_log"
}

# shellcheck disable=SC2317 # called by a step
# The example is a workspace of its own, as a stranger's repository would be.
greeter() {
    cargo_test --manifest-path examples/greeter/Cargo.toml
}

# shellcheck disable=SC2317 # called by a step
# The image of the binary that is there already, and that of the release before.
chart_on_kubernetes() {
    tools_install cluster image &&
        bash build-support/docker/image.sh build docker.io/library/weft:dev "$CARGO_TARGET_DIR/release/weft" &&
        bash build-support/docker/image.sh previous &&
        bash build-support/docker/image.sh base docker.io/library/postgres:16 &&
        bash build-support/docker/image.sh base docker.io/library/redis:7 &&
        bash build-support/cluster/prove.sh
}

tools_install consul curl jq grpcurl kafka nats pgbouncer postgresql rabbitmq redis versitygw || exit
servers_start_postgresql || exit
servers_start_redis || exit

# Simulated networks take minutes unoptimised: their tests run in the profile that they are run in.
step "tests of the workspace" cargo_test "${programs_workspace[@]}"
step "who is refused, as server and as client" cargo_test "${programs_workspace[@]}" --test refusals -- --nocapture
step "the protobuf conformance suite" bash build-support/conformance.sh
step "the Connect conformance suite" bash build-support/connect-conformance.sh
step "fuzzing the transcoder" bash build-support/fuzz.sh 10
step "a domain in a repository of its own" greeter
step "tests of the simulation" cargo_test --profile simulation -p weft-simulation
step "1,000 simulated networks" cargo run --locked --profile simulation -p weft-simulation -- --seeds 1000
step "the binary of the README" cargo build --release --locked
step "the README's first order on SQLite" bash build-support/scenarios/first-order.sh sqlite
step "the README's first order on PostgreSQL" bash build-support/scenarios/first-order.sh postgresql
step "kill -9 amid orders on SQLite" bash build-support/scenarios/crash.sh sqlite
step "kill -9 amid orders on PostgreSQL" bash build-support/scenarios/crash.sh postgresql
step "a broken guarantee is caught" bash build-support/scenarios/crash.sh sabotage
step "kill -9 amid events in one process on SQLite" bash build-support/scenarios/crash-events.sh sqlite
step "kill -9 amid events by Redis and PostgreSQL" bash build-support/scenarios/crash-events.sh postgresql
step "a broken promise of events is caught" bash build-support/scenarios/crash-events.sh sabotage
step "the README's mesh in several processes" bash build-support/scenarios/several-processes.sh
step "a mesh of processes that is being broken" bash build-support/scenarios/mesh.sh whole
step "broken guarantees of a mesh are caught" bash build-support/scenarios/mesh.sh sabotage none no-retries no-patience
step "dashboards and alerts" bash build-support/scenarios/dashboards.sh
step "the edge alone before a server in Python" bash build-support/scenarios/stand-alone.sh
step "the image, and the chart on Kubernetes" chart_on_kubernetes
step "an order by TypeScript's client" bash build-support/clients/clients.sh smoke
step "the REST API is as it is described" bash build-support/scenarios/rest-api.sh
step "a domain in Python joins" bash build-support/scenarios/python-join.sh

steps_close
outcome=$?
test_counts
exit "$outcome"
