#!/usr/bin/env bash
# Builds the image without an engine, by buildah, and tells its size.
#
#   image.sh build [NAME [BINARY]]  build NAME (default: docker.io/library/weft:dev) and write it to IMAGE_FOLDER; with a BINARY
#                               that this machine has compiled already, without compiling another
#   image.sh arm64 [NAME]           the same for arm64, from an amd64 machine: default docker.io/library/weft:dev-arm64
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
# shellcheck source=build-support/docker/bases.sh
source build-support/docker/bases.sh

for tool in buildah debootstrap; do
    command -v "$tool" >/dev/null || {
        echo "image: $tool is missing; run: apt-get install buildah debootstrap" >&2
        exit 1
    }
done

# archive NAME: writes an image where those who import it find it, and prints the file's name.
archive() {
    local file
    file="$folder/$(tr '/:' '__' <<<"$1").tar"
    mkdir -p "$folder"
    rm -f "$file"
    buildah push --quiet "$1" "docker-archive:$file:$1" >/dev/null
    echo "$file"
}

# bud NAME OPTION...: builds by the Dockerfile, and writes what came of it.
bud() {
    local name="$1" file size pulled
    shift
    mkdir -p "$folder"
    buildah bud --quiet --pull-never --layers=false "$@" --file build-support/docker/Dockerfile --tag "$name" . >"$folder/build.log" 2>&1 || {
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

build() {
    local name="$1" binary="${2:-}" given=()
    if [[ -n "$binary" ]]; then
        [[ -x "$binary" ]] || { echo "image: there is no program $binary" >&2; exit 1; }
        given=(--volume "$(realpath "$binary"):/given/weft:ro")
    fi
    base "$RUST_IMAGE"
    base "$RUNTIME_IMAGE"
    bud "$name" "${given[@]}"
}

arm64() {
    base "$RUST_CROSS_IMAGE"
    base "$RUNTIME_ARM64_IMAGE"
    bud "$1" --build-arg TARGETARCH=arm64 --build-arg "RUST_IMAGE=$RUST_CROSS_IMAGE" --build-arg "RUNTIME_IMAGE=$RUNTIME_ARM64_IMAGE"
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
arm64) arm64 "${2:-docker.io/library/weft:dev-arm64}" ;;
build) build "${2:-docker.io/library/weft:dev}" "${3:-}" ;;
base)
    base "$2"
    archive "$2"
    ;;
compose)
    for name in "$POSTGRESQL_IMAGE" "$REDIS_IMAGE" "$CONSUL_IMAGE" "$PROMETHEUS_IMAGE"; do base "$name"; done
    ;;
*)
    sed -n '2,15s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
    exit 2
    ;;
esac
