# shellcheck shell=bash
# The base images that images of weft and what goes with it stand on, made from Debian's packages under their usual names.
#
#   source build-support/docker/bases.sh
#   base NAME                   makes it, unless it is there
#
# Needs root, and Debian's buildah and debootstrap.

RUST_IMAGE="$(sed -n 's/^ARG RUST_IMAGE=//p' build-support/docker/Dockerfile)"
RUNTIME_IMAGE="$(sed -n 's/^ARG RUNTIME_IMAGE=//p' build-support/docker/Dockerfile)"
# What stands for those two where an image for arm64 is built.
RUST_CROSS_IMAGE=localhost/rust-cross:bookworm
RUNTIME_ARM64_IMAGE=localhost/runtime-arm64:debian12
POSTGRESQL_IMAGE=docker.io/library/postgres:16
# What compose.yaml names beside it.
REDIS_IMAGE=docker.io/library/redis:7
CONSUL_IMAGE="$(sed -n 's/^ *image: \(.*consul.*\)$/\1/p' build-support/docker/compose.yaml)"
PROMETHEUS_IMAGE="$(sed -n 's/^ *image: \(.*prometheus.*\)$/\1/p' build-support/docker/compose.yaml)"
# Pods and containers run as this user.
NONROOT=65532

# The site that this machine takes Debian's packages from.
debian_site() {
    # shellcheck disable=SC2016 # apt's own placeholder
    apt-get indextargets --format '$(REPO_URI)' 'Identifier: Packages' | head -n 1
}

# commit NAME FOLDER OPTION...: an image of one layer with what a folder holds.
commit() {
    local name="$1" root="$2" container
    shift 2
    container="$(buildah from scratch)"
    buildah copy --quiet "$container" "$root" / >/dev/null
    [[ $# -eq 0 ]] || buildah config "$@" "$container"
    buildah commit --quiet --rm "$container" "$name" >/dev/null
}

# apt_elsewhere FOLDER SUITE "ARCHITECTURE..." ARGUMENT...: apt-get for another Debian than this machine's, which keeps its own lists
# and what it knows of installed packages as they are. The first architecture is that of the machine asked about.
apt_elsewhere() {
    local folder="$1" suite="$2" architectures="$3"
    shift 3
    mkdir -p "$folder"/{lists,archives}/partial
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $(debian_site) $suite main" >"$folder/sources.list"
    : >"$folder/status"
    apt-get -qq -o "Dir::Etc::SourceList=$folder/sources.list" -o Dir::Etc::SourceParts=- -o "Dir::State::Lists=$folder/lists" \
        -o "Dir::State::Status=$folder/status" -o "Dir::Cache=$folder" -o APT::Sandbox::User=root \
        -o "APT::Architecture=${architectures%% *}" -o "APT::Architectures=${architectures// /,}" "$@" >/dev/null 2>"$folder/log" || {
        cat "$folder/log" >&2
        return 1
    }
}

# unpack ROOT ARCHITECTURE PACKAGE...: the files of packages, without running their scripts.
unpack() {
    local root="$1" architecture="$2" archives
    shift 2
    archives="$(mktemp -d)"
    if [[ "$architecture" == "$(dpkg --print-architecture)" ]]; then
        (cd "$archives" && apt-get download -qq "$@" >/dev/null 2>&1)
    else
        apt_elsewhere "$archives" bookworm "$architecture" update
        (cd "$archives" && apt_elsewhere "$archives" bookworm "$architecture" download "$@")
    fi || {
        echo "image: apt-get cannot download $*" >&2
        return 1
    }
    for package in "$archives"/*.deb; do dpkg-deb --extract "$package" "$root"; done
    rm -rf "$archives"
}

# make_rust ROOT [PACKAGE...]: Debian with a C compiler, these packages, and the toolchain of this machine.
make_rust() {
    local root="$1" toolchain packages
    shift
    packages="$(IFS=, && echo "gcc,libc6-dev,ca-certificates${*:+,$*}")"
    toolchain="$(rustc --print sysroot)"
    debootstrap --variant=minbase --include="$packages" bookworm "$root" "$(debian_site)" >"$root.log" 2>&1 || {
        tail -n 20 "$root.log" >&2
        return 1
    }
    rm -rf "$root.log" "$root"/var/cache/apt/archives/*.deb
    mkdir -p "$root/usr/local/cargo"
    # Its documentation is a third of it.
    tar -C "$toolchain" --exclude=./share -cf - . | tar -C "$root/usr/local" --no-same-owner -xf -
    # Whoever signs for the packages' registries here does so inside too.
    cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
}

# Rust for arm64 from an amd64 machine. Of the standard library for arm64 Debian has one that is new enough in its suite sid alone,
# for sid's compiler, which runs by the C library that it came with. What links is bookworm's: the image has bookworm's C library.
make_rust_cross() {
    local root="$1" sid="$1/opt/sid" archives
    make_rust "$root" gcc-aarch64-linux-gnu libc6-dev-arm64-cross
    archives="$(mktemp -d)"
    apt_elsewhere "$archives" sid "amd64 arm64" update
    apt_elsewhere "$archives" sid "amd64 arm64" install --yes --download-only --no-install-recommends rustc libstd-rust-dev:arm64
    mkdir "$sid"
    for package in "$archives"/archives/*.deb; do dpkg-deb --extract "$package" "$sid"; done
    rm -rf "$archives"
    rm -rf "$root"/usr/local/lib/rustlib "$root"/usr/local/lib/librustc_driver-* "$root"/usr/local/lib/libLLVM*
    # shellcheck disable=SC2016 # for the program that is written
    printf '#!/bin/sh\nexec %s --library-path %s %s --sysroot /opt/sid/usr "$@"\n' /opt/sid/usr/lib64/ld-linux-x86-64.so.2 \
        /opt/sid/usr/lib/x86_64-linux-gnu /opt/sid/usr/bin/rustc >"$root/usr/local/bin/rustc"
}

# make_runtime ROOT [ARCHITECTURE]
make_runtime() {
    local root="$1" architecture="${2:-amd64}"
    mkdir -p "$root"
    unpack "$root" "$architecture" base-files libc6 libgcc-s1 ca-certificates tzdata netbase
    mkdir -p "$root/etc/ssl/certs" "$root/tmp" "$root/data" "$root/home/nonroot"
    find "$root/usr/share/ca-certificates" -name '*.crt' -print0 | sort -z | xargs -0 cat >"$root/etc/ssl/certs/ca-certificates.crt"
    printf 'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:%s:%s:nonroot:/home/nonroot:/sbin/nologin\n' $NONROOT $NONROOT >"$root/etc/passwd"
    printf 'root:x:0:\nnonroot:x:%s:\n' $NONROOT >"$root/etc/group"
    chmod 1777 "$root/tmp"
    chown $NONROOT:$NONROOT "$root/data" "$root/home/nonroot"
    rm -rf "$root"/usr/share/{doc,man,locale,lintian,zoneinfo/right} "$root"/usr/lib/*/gconv
}

# As the official image is used: POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB, POSTGRES_INITDB_ARGS, PGDATA. Debian's version.
make_postgresql() {
    local root="$1"
    debootstrap --variant=minbase --include=postgresql,ca-certificates bookworm "$root" "$(debian_site)" >"$root.log" 2>&1 || {
        tail -n 20 "$root.log" >&2
        return 1
    }
    rm -rf "$root.log" "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/postgresql "$root"/usr/share/{doc,man,locale}
    sed -i '/^postgres:/d' "$root/etc/passwd"
    echo 'postgres:x:999:999::/var/lib/postgresql:/bin/sh' >>"$root/etc/passwd"
    mkdir -p "$root/var/lib/postgresql/data"
    chown -R 999:999 "$root/var/lib/postgresql" "$root/var/run/postgresql"
    for tool in postgres initdb pg_ctl pg_isready psql pg_dump pg_restore; do
        ln -sf "/usr/lib/postgresql/15/bin/$tool" "$root/usr/local/bin/$tool"
    done
    install -m 755 build-support/docker/postgresql-entrypoint.sh "$root/usr/local/bin/docker-entrypoint.sh"
}

# make_server ROOT PACKAGE: Debian with a server, which runs as whoever the image says.
make_server() {
    local root="$1"
    debootstrap --variant=minbase --include="$2" bookworm "$root" "$(debian_site)" >"$root.log" 2>&1 || {
        tail -n 20 "$root.log" >&2
        return 1
    }
    rm -rf "$root.log" "$root"/var/cache/apt/archives/*.deb "$root"/usr/share/{doc,man,locale}
    mkdir -p "$root/data"
    chown 999:999 "$root/data"
}

# The Consul that tests use: a program and the C library.
make_consul() {
    local root="$1"
    # shellcheck source=build-support/tools.sh
    source build-support/tools.sh
    tools_install consul >/dev/null
    make_runtime "$root"
    mkdir -p "$root/usr/bin" "$root/consul/data"
    cp -L "$(command -v consul)" "$root/usr/bin/consul"
}

base() {
    local name="$1" root
    buildah inspect --type image "$name" >/dev/null 2>&1 && return
    root="$(mktemp -d /tmp/weft-image.XXXXXX)"
    case "$name" in
    "$RUST_IMAGE")
        make_rust "$root"
        commit "$name" "$root" --env PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin --env CARGO_HOME=/usr/local/cargo
        ;;
    "$RUNTIME_IMAGE")
        make_runtime "$root"
        commit "$name" "$root" --user $NONROOT:$NONROOT --env SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
        ;;
    "$RUST_CROSS_IMAGE")
        make_rust_cross "$root"
        commit "$name" "$root" --env PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin --env CARGO_HOME=/usr/local/cargo
        ;;
    "$RUNTIME_ARM64_IMAGE")
        make_runtime "$root" arm64
        commit "$name" "$root" --arch arm64 --user $NONROOT:$NONROOT --env SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
        ;;
    "$POSTGRESQL_IMAGE")
        make_postgresql "$root"
        commit "$name" "$root" --entrypoint '["/usr/local/bin/docker-entrypoint.sh"]' --port 5432
        ;;
    "$REDIS_IMAGE")
        make_server "$root" redis-server
        commit "$name" "$root" --port 6379
        ;;
    "$CONSUL_IMAGE")
        make_consul "$root"
        commit "$name" "$root" --env PATH=/usr/bin --entrypoint '["/usr/bin/consul"]' --port 8500
        ;;
    "$PROMETHEUS_IMAGE")
        make_server "$root" prometheus
        commit "$name" "$root" --entrypoint '["/usr/bin/prometheus"]' --port 9090
        ;;
    *)
        echo "image: no recipe for $name" >&2
        exit 1
        ;;
    esac
    rm -rf "$root"
    echo "image: made $name"
}
