#!/usr/bin/env bash
# Builds the image without an engine, by buildah, and tells its size.
#
#   image.sh build [NAME [BINARY]]  build NAME (default: docker.io/library/weft:dev) and write it to IMAGE_FOLDER; with a BINARY
#                               that this machine has compiled already, without compiling another
#   image.sh previous           build the image of the release before, by its commit (PREVIOUS_RELEASE), unless it is there
#   image.sh base NAME          make a base image from Debian's packages under its usual name, unless it is there, and write it
#   image.sh compose            make what compose.yaml stands on, of what Debian has
#
# Where a registry can be reached `docker build` does the same. Here base images are made from Debian's packages and the
# Rust toolchain of this machine: what differs from the published ones is who packed the same files. Needs root, and Debian's
# buildah and debootstrap. IMAGE_FOLDER (default: a folder of the user's cache) gets NAME as a docker-archive.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=build-support/tools.env
source build-support/tools.env

folder="${IMAGE_FOLDER:-${XDG_CACHE_HOME:-$HOME/.cache}/weft/images}"
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
RUST_IMAGE="$(sed -n 's/^ARG RUST_IMAGE=//p' build-support/docker/Dockerfile)"
RUNTIME_IMAGE="$(sed -n 's/^ARG RUNTIME_IMAGE=//p' build-support/docker/Dockerfile)"
POSTGRESQL_IMAGE=docker.io/library/postgres:16
# What compose.yaml names beside it.
REDIS_IMAGE=docker.io/library/redis:7
CONSUL_IMAGE="$(sed -n 's/^ *image: \(.*consul.*\)$/\1/p' build-support/docker/compose.yaml)"
PROMETHEUS_IMAGE="$(sed -n 's/^ *image: \(.*prometheus.*\)$/\1/p' build-support/docker/compose.yaml)"
# Pods and containers run as this user.
NONROOT=65532

for tool in buildah debootstrap; do
    command -v "$tool" >/dev/null || {
        echo "image: $tool is missing; run: apt-get install buildah debootstrap" >&2
        exit 1
    }
done

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

# unpack ROOT PACKAGE...: the files of packages, without running their scripts.
unpack() {
    local root="$1" archives
    shift
    archives="$(mktemp -d)"
    (cd "$archives" && apt-get download -qq "$@" >/dev/null 2>&1) || {
        echo "image: apt-get cannot download $*" >&2
        return 1
    }
    for package in "$archives"/*.deb; do dpkg-deb --extract "$package" "$root"; done
    rm -rf "$archives"
}

make_rust() {
    local root="$1" toolchain
    toolchain="$(rustc --print sysroot)"
    debootstrap --variant=minbase --include=gcc,libc6-dev,ca-certificates bookworm "$root" "$(debian_site)" >"$root.log" 2>&1 || {
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

make_runtime() {
    local root="$1"
    mkdir -p "$root"
    unpack "$root" base-files libc6 libgcc-s1 ca-certificates tzdata netbase
    mkdir -p "$root/etc/ssl/certs" "$root/tmp" "$root/data" "$root/home/nonroot"
    find "$root/usr/share/ca-certificates" -name '*.crt' -print0 | sort -z | xargs -0 cat >"$root/etc/ssl/certs/ca-certificates.crt"
    printf 'root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:%s:%s:nonroot:/home/nonroot:/sbin/nologin\n' $NONROOT $NONROOT >"$root/etc/passwd"
    printf 'root:x:0:\nnonroot:x:%s:\n' $NONROOT >"$root/etc/group"
    chmod 1777 "$root/tmp"
    chown $NONROOT:$NONROOT "$root/data" "$root/home/nonroot"
    rm -rf "$root"/usr/share/{doc,man,locale,lintian,zoneinfo/right} "$root"/usr/lib/x86_64-linux-gnu/gconv
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

# archive NAME: writes an image where those who import it find it, and prints the file's name.
archive() {
    local file
    file="$folder/$(tr '/:' '__' <<<"$1").tar"
    mkdir -p "$folder"
    rm -f "$file"
    buildah push --quiet "$1" "docker-archive:$file:$1" >/dev/null
    echo "$file"
}

build() {
    local name="$1" binary="${2:-}" file size pulled given=()
    if [[ -n "$binary" ]]; then
        [[ -x "$binary" ]] || { echo "image: there is no program $binary" >&2; exit 1; }
        given=(--volume "$(realpath "$binary"):/given/weft:ro")
    fi
    base "$RUST_IMAGE"
    base "$RUNTIME_IMAGE"
    mkdir -p "$folder"
    buildah bud --quiet --pull-never --layers=false "${given[@]}" --file build-support/docker/Dockerfile --tag "$name" . >"$folder/build.log" 2>&1 || {
        tail -n 40 "$folder/build.log" >&2
        exit 1
    }
    file="$(archive "$name")"
    size="$(stat --format=%s "$file")"
    # Registries keep and send layers so.
    pulled="$(gzip --stdout "$file" | wc --bytes)"
    echo "image: $name is $((pulled / 1000000)) MB to pull and $((size / 1000000)) MB unpacked, in $file"
    if ((size > 60000000)); then
        echo "image: it is to stay under 60 MB" >&2
        exit 1
    fi
}

# Its binary, packed as this tree packs.
previous() {
    local name="docker.io/library/weft:$PREVIOUS_RELEASE" tree target
    [[ ! -f "$folder/$(tr '/:' '__' <<<"$name").tar" ]] || return 0
    tree="$(mktemp -d /tmp/weft-previous.XXXXXX)"
    target="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/weft/target}"
    git archive "$PREVIOUS_RELEASE" | tar -x -C "$tree"
    (cd "$tree" && CARGO_TARGET_DIR="$target" cargo build --locked --release --package weft-bin)
    build "$name" "$target/release/weft"
    rm -rf "$tree"
}

case "${1:-}" in
previous) previous ;;
build) build "${2:-docker.io/library/weft:dev}" "${3:-}" ;;
base)
    base "$2"
    archive "$2"
    ;;
compose)
    for name in "$POSTGRESQL_IMAGE" "$REDIS_IMAGE" "$CONSUL_IMAGE" "$PROMETHEUS_IMAGE"; do base "$name"; done
    ;;
*)
    sed -n '2,14s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit 2
    ;;
esac
