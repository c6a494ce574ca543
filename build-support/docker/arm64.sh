#!/usr/bin/env bash
# Builds the image for arm64 on an amd64 machine, and places the README's first orders with what is in it, by emulation: with the
# image's own binary and C library, on an emulated processor.
#
#   arm64.sh         needs root, and Debian's buildah, debootstrap and qemu-user-static (tools.sh)
#
# What it prints of time and memory is the emulator's.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot

command -v qemu-aarch64-static >/dev/null || { echo "arm64: qemu-aarch64-static is missing; run: bash build-support/tools.sh emulator" >&2; exit 1; }
name=docker.io/library/weft:dev-arm64
folder="$(mktemp -d /tmp/weft-arm64.XXXXXX)"
container=""
finish() {
    [[ -z "$container" ]] || buildah rm "$container" >/dev/null
    rm -rf "$folder"
}
trap finish EXIT

bash build-support/docker/image.sh arm64 "$name"
container="$(buildah from --pull-never "$name")"
root="$(buildah mount "$container")"
architecture="$(buildah inspect --type image --format '{{.OCIv1.Architecture}}' "$name")"
[[ "$architecture" == arm64 ]] || { echo "arm64: the image says that it is for $architecture" >&2; exit 1; }
# shellcheck disable=SC2016 # for the program that is written
printf '#!/bin/sh\nexec qemu-aarch64-static -L %s %s/usr/local/bin/weft "$@"\n' "$root" "$root" >"$folder/weft"
chmod +x "$folder/weft"
WEFT_BINARY="$folder/weft" bash build-support/scenarios/first-order.sh sqlite
