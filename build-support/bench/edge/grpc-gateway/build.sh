#!/usr/bin/env bash
# Builds the gateway made of grpc-gateway: `bench-grpc-gateway` in the tools' bin folder. What is generated stays there too.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(cd "$here/../../../.." && pwd)"
# shellcheck source=build-support/tools.sh
source "$root/build-support/tools.sh"

tools_install buf
tools_need go "bench-grpc-gateway"
work="$tools_folder/bench-grpc-gateway"
rm -rf "$work/source"
mkdir -p "$work/source/echo" "$work/source/proto" "$work/bin"
cp "$here"/{go.mod,go.sum,main.go,buf.gen.yaml} "$work/source/"
cp -r "$here/../proto/weft" "$root/proto/google" "$work/source/proto/"
cd "$work/source"
GOBIN="$work/bin" go install tool
PATH="$work/bin:$PATH" buf generate --template buf.gen.yaml --path proto/weft proto
go build -o "$tools_folder/bin/bench-grpc-gateway" .
echo "tools: built bench-grpc-gateway"
