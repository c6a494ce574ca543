#!/usr/bin/env bash
# Compares the contracts with those of an earlier commit (the one before, unless another is given) and fails if a client that
# was built against the earlier ones would break.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=build-support/tools.sh
source build-support/tools.sh

against="${1:-HEAD~1}"
if ! commit="$(git rev-parse --quiet --verify "$against^{commit}")"; then
    echo "breaking: nothing to compare with, $against does not exist in this clone"
elif [[ -z "$(git ls-tree -r --name-only "$commit" -- proto buf.yaml)" ]]; then
    echo "breaking: nothing to compare with, $against has no contracts"
else
    # The rules and folders of today hold for both.
    buf breaking --against ".git#ref=$commit" --against-config buf.yaml
    echo "breaking: nothing that $against promised is broken"
fi
