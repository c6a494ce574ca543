#!/usr/bin/env bash
# Inside the build stage of the image: compiles the binary for an architecture and writes it with its bill of materials.
#
#   compile.sh amd64|arm64 TARGET_FOLDER OUT_FOLDER
#
# A binary that is mounted at /given/weft is taken instead of compiling one: CI has built it, for the builder's own architecture.
set -euo pipefail
# shellcheck source=build-support/tools.env
source "$(dirname "${BASH_SOURCE[0]}")/../tools.env"

case "$1" in
amd64) triple=x86_64-unknown-linux-gnu compiler=x86_64-linux-gnu-gcc package=gcc ;;
arm64) triple=aarch64-unknown-linux-gnu compiler=aarch64-linux-gnu-gcc package=gcc-aarch64-linux-gnu ;;
*)
    echo "compile: there is no image for the architecture $1" >&2
    exit 1
    ;;
esac
export CARGO_TARGET_DIR="$2"
out="$3"

# The builder's own architecture needs nothing more than the base image has.
if [[ "$(rustc -vV | sed -n 's/^host: //p')" != "$triple" ]]; then
    [[ -d "$(rustc --print target-libdir --target "$triple")" ]] || rustup target add "$triple"
    command -v "$compiler" >/dev/null || { apt-get update -qq && apt-get install -y -qq --no-install-recommends "$package" libc6-dev-arm64-cross; }
    variable="${triple//-/_}"
    export "CARGO_TARGET_${variable^^}_LINKER=$compiler" "CC_$variable=$compiler"
fi

# What reads a bill of materials finds one beside the binary (CycloneDX 1.5).
tools="$CARGO_TARGET_DIR/tools"
PATH="$tools/bin:$PATH"
command -v cargo-cyclonedx >/dev/null ||
    CARGO_TARGET_DIR="$tools/target" cargo install --locked --root "$tools" --version "$CARGO_CYCLONEDX_VERSION" cargo-cyclonedx
binary=/given/weft
if [[ ! -x "$binary" ]]; then
    cargo build --release --locked --package weft-bin --target "$triple"
    binary="$CARGO_TARGET_DIR/$triple/release/weft"
fi
cargo cyclonedx --manifest-path services/weft/Cargo.toml --format json --spec-version 1.5 --target "$triple" --override-filename weft.cdx
mkdir -p "$out"
mv services/weft/weft.cdx.json "$out/weft.cdx.json"
# Names of functions are a fifth of it, and say nothing that a panic's file and line do not.
"${compiler%gcc}strip" --strip-all -o "$out/weft" "$binary"
