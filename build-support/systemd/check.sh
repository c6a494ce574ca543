#!/usr/bin/env bash
# Fails if the unit gives a process more of the machine than it needs: systemd's own measure, from 0 (nothing) to 100.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
command -v systemd-analyze >/dev/null || { echo "systemd: systemd-analyze is missing; run: bash build-support/tools.sh systemd" >&2; exit 1; }
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
cp weft@.service "$folder/weft@orders.service"
systemd-analyze security --offline=yes --no-pager --threshold=15 "$folder/weft@orders.service" | tail -n 1
# What it calls is installed on the VM and not here; everything else must be in order.
wrong="$(systemd-analyze verify --man=no "$folder/weft@orders.service" 2>&1 | grep -v '/usr/local/bin/weft is not executable' || true)"
[[ -z "$wrong" ]] || { echo "$wrong" >&2; exit 1; }
