# Every task that people and CI run. `just` lists them.

target := env("CARGO_TARGET_DIR", env("XDG_CACHE_HOME", env("HOME") / ".cache") / "weft/target")
tools := env("XDG_CACHE_HOME", env("HOME") / ".cache") / "weft/tools/bin"
export CARGO_TARGET_DIR := target
export PATH := tools + ":" + env("PATH")

_list:
    @just --list --unsorted

# Run every domain and the edge on this machine.
up:
    cargo run --release -- up

# Format the code.
fmt:
    cargo fmt --all

# Fail if the code is not formatted.
fmt-check:
    cargo fmt --all --check

# Clippy over everything, warnings denied.
lint:
    cargo clippy --locked --workspace --all-targets -- -D warnings

# Shellcheck over the scripts.
lint-scripts:
    git ls-files -z '*.sh' .ci/run | xargs -0 shellcheck --external-sources

# Buf's lint over the contracts.
lint-contracts:
    buf lint

# Fail if a contract breaks what the commit before promised.
breaking against="HEAD~1":
    bash build-support/breaking.sh {{ against }}

# Fail on a banned dependency, licence or source.
deny:
    cargo deny --locked --workspace check bans licenses sources

# Write what the manifests say into both lock files, the example's too; take no newer versions than that needs.
lock:
    cargo metadata --format-version 1 > /dev/null
    cargo metadata --format-version 1 --manifest-path examples/greeter/Cargo.toml > /dev/null

# Check the Dockerfile, the systemd unit, and the chart without a cluster: lint, six sets of values, callers, restrictions.
lint-deployment:
    hadolint build-support/docker/Dockerfile
    bash build-support/cluster/chart.sh
    bash build-support/systemd/check.sh

# Every test, with the servers they need.
test:
    bash build-support/test.sh

# What CI runs: all checks, then every test.
ci:
    .ci/run

# The long tests: more kills amid orders and events, more fuzzing and more simulated networks than CI takes time for.
proof:
    bash build-support/fuzz.sh 600
    cargo run --locked --profile simulation -p weft-simulation -- --seeds 20000
    bash build-support/scenarios/crash.sh sqlite --orders 6000 --kills 100
    bash build-support/scenarios/crash.sh postgresql --orders 6000 --kills 100
    bash build-support/scenarios/crash-events.sh sqlite --changes 10000 --kills 50
    bash build-support/scenarios/crash-events.sh postgresql --changes 10000 --kills 100
    for carrier in nats rabbitmq kafka; do \
        bash build-support/scenarios/crash-events.sh postgresql --carrier "$carrier" --changes 10000 --kills 50 --patience 180 || exit; \
    done
    bash build-support/scenarios/mesh.sh whole --kills 30
    bash build-support/scenarios/mesh.sh sabotage
    bash build-support/scenarios/fences.sh
    bash build-support/scenarios/rest-api.sh 600
    WEFT_HOSTILE_SECONDS=20 cargo test --locked --release -p weft-edge --test hostile -- --nocapture --test-threads 1

# Write the table of domains that the chart is looped over.
chart-domains:
    cargo run --locked --quiet -- routes --json | jq '{domains}' > k8s/chart/weft/domains.json

# Write Grafana's dashboards, which the chart carries, from what the binary says of its contracts.
dashboards:
    cargo run --locked --quiet -- routes --json | python3 build-support/observability/dashboards.py k8s/chart/weft/dashboards

# Write the reference of the REST API from what the binary says of its contracts.
api-reference:
    cargo run --locked --quiet -- openapi --markdown > docs/api.md

# Write plain manifests of the chart, for those without Helm: `just manifests domains` for a Deployment a domain.
manifests form="one":
    helm template weft k8s/chart/weft --kube-version 1.34.0 --set form={{ form }}

# Write TypeScript's client of the contracts; `just clients smoke` places an order with it too.
clients *arguments:
    bash build-support/clients/clients.sh {{ arguments }}

# Build the image and those it stands on, without an engine.
image name="docker.io/library/weft:dev":
    bash build-support/docker/image.sh build {{ name }}
    bash build-support/docker/image.sh base docker.io/library/postgres:16
    bash build-support/docker/image.sh base docker.io/library/redis:7

# Install the chart on a real Kubernetes of this machine, and count what is lost while pods come and go.
cluster *forms:
    bash build-support/cluster/prove.sh {{ forms }}

# Drive a mixed scenario at a set rate against a running weft: `just load --url http://localhost:8080 --rate 200`.
load *arguments:
    cargo run --locked --release -p weft-load -- {{ arguments }}

# Run simulated networks by their seeds: `just simulate --seed 17` runs one and prints all that happens.
simulate *arguments:
    cargo run --locked --profile simulation -p weft-simulation -- {{ arguments }}

# Measure the transcoder against its peers in one run, and write docs/benchmarks.md.
bench-transcode:
    cargo run --locked --release -p weft-bench-transcode -- --write docs/benchmarks.md

# Measure the stacks between domains against bare tonic and Envoy sidecars in one run, and write docs/benchmarks.md.
bench-mesh *arguments:
    bash build-support/tools.sh envoy
    cargo build --locked --release -p weft-bench-mesh
    # Where it may, it goes before all else: else the tail of latencies is that of whoever had the processor.
    $(chrt --rr 5 true && echo chrt --rr 5) "${CARGO_TARGET_DIR:-target}/release/weft-bench-mesh" --write docs/benchmarks.md {{ arguments }}

# Remove the records that `just up` left in this folder.
clean-data:
    rm -rf .weft
