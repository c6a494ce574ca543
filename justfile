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

# Fail if a document shows commands that no test executes, and does not say what they need.
lint-documents:
    bash build-support/documents.sh

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

# Check the Dockerfile, compose, the systemd unit, and the chart without a cluster: lint, six sets of values, callers, restrictions.
lint-deployment:
    hadolint build-support/docker/Dockerfile
    /usr/bin/python3 build-support/docker/check_compose.py
    bash build-support/cluster/chart.sh
    bash build-support/systemd/check.sh

# Check what installs weft elsewhere: Ansible's tasks by its linter, Terraform's files by syntax, format and what their providers know.
lint-infrastructure:
    bash build-support/tools.sh ansible hclfmt terraform-schemas
    hclfmt -check -require-no-change build-support/terraform/*/*.tf > /dev/null
    terraform-schemas build-support/terraform/check.py build-support/terraform/*/
    bash build-support/ansible/lint.sh

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
    for carrier in in-process nats rabbitmq kafka; do \
        bash build-support/scenarios/crash-events.sh postgresql --carrier "$carrier" --changes 10000 --kills 50 --patience 180 || exit; \
    done
    bash build-support/scenarios/mesh.sh whole --kills 30
    bash build-support/scenarios/mesh.sh sabotage
    bash build-support/scenarios/fences.sh
    bash build-support/scenarios/rest-api.sh 600 "$RANDOM"
    just lint-infrastructure
    just image
    just cluster policies autoscaling
    just image-arm64
    just compose
    just traces-and-logs
    just soak
    cargo run --locked --release -p weft-bench-edge -- --only held --who weft
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
image name="docker.io/library/weft:dev" binary="":
    bash build-support/tools.sh image
    bash build-support/docker/image.sh build {{ name }} {{ binary }}
    bash build-support/docker/image.sh base docker.io/library/postgres:16
    bash build-support/docker/image.sh base docker.io/library/redis:7

# Build the image for arm64 on an amd64 machine, and place the README's first orders with it by emulation.
image-arm64:
    bash build-support/tools.sh image emulator curl jq grpcurl
    bash build-support/docker/arm64.sh

# Build the image of the release before, which `just cluster` upgrades from.
image-previous:
    bash build-support/tools.sh image
    bash build-support/docker/image.sh previous

# Bring compose.yaml up by podman-compose, as far as its images can be made here.
compose:
    bash build-support/tools.sh compose image consul curl jq
    bash build-support/docker/compose.sh

# Find an order's trace in Jaeger and its lines in Loki, by the collector as compose.yaml configures it.
traces-and-logs:
    bash build-support/scenarios/traces-and-logs.sh

# Bring a version to the cluster of KUBECONFIG, wait until it serves, and take it back if it does not.
deploy namespace repository version values:
    helm upgrade weft k8s/chart/weft --install --atomic --wait --timeout 10m --namespace {{ namespace }} --create-namespace \
        --values {{ values }} --set image.repository={{ repository }} --set image.tag={{ version }}
    helm test weft --namespace {{ namespace }} --timeout 2m

# Half an hour of load on one process, whose memory and descriptors must stay flat.
soak seconds="1800":
    bash build-support/load/soak.sh {{ seconds }}

# Look for known weaknesses of the dependencies. Needs a network: the advisories are a repository of git.
audit:
    cargo deny --locked --workspace check advisories

# Tell which lines the tests of one crate, or of all (`--workspace`), run. Needs a network once: cargo-llvm-cov and rustup's llvm-tools.
coverage *packages="--workspace":
    rustup component add llvm-tools
    command -v cargo-llvm-cov > /dev/null || cargo install --locked cargo-llvm-cov
    cargo llvm-cov --locked {{ packages }} --summary-only

# Install the chart on a real Kubernetes of this machine, and count what is lost while pods come and go.
cluster *proofs:
    bash build-support/tools.sh cluster curl grpcurl jq
    bash build-support/cluster/prove.sh {{ proofs }}

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

# Measure the edge alone against Envoy's transcoder and grpc-gateway in one run, and write docs/benchmarks.md.
bench-edge *arguments:
    bash build-support/tools.sh envoy
    bash build-support/bench/edge/grpc-gateway/build.sh
    cargo build --locked --release -p weft-bench-edge
    $(chrt --rr 5 true && echo chrt --rr 5) "${CARGO_TARGET_DIR:-target}/release/weft-bench-edge" --write docs/benchmarks.md {{ arguments }}

# Measure the store against raw sqlx and the relay against the carriers' own clients in one run, and write docs/benchmarks.md.
bench-data *arguments:
    bash build-support/tools.sh kafka nats postgresql rabbitmq redis
    cargo build --locked --release -p weft-bench-data
    $(chrt --rr 5 true && echo chrt --rr 5) "${CARGO_TARGET_DIR:-target}/release/weft-bench-data" --write docs/benchmarks.md {{ arguments }}

# Remove the records that `just up` left in this folder.
clean-data:
    rm -rf .weft
