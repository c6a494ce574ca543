#!/usr/bin/env bash
# Fails if a document shows commands that no test executes, and does not say what they need.
#
#   bash build-support/documents.sh
#
# A block of commands begins with "```sh NAME". NAME is that of a transcript, which a script in build-support runs as it stands in
# the document; or it says what a reader must have, such as "needs-kubernetes", and that no test executes it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

mapfile -t documents < <(git ls-files '*.md')
counted=0 wrong=0
while IFS=: read -r document line _ name; do
    counted=$((counted + 1))
    [[ "$name" != needs-* ]] || continue
    if [[ -z "$name" ]] || ! grep -rqs --include='*.sh' -e "$name" build-support; then
        echo "documents: $document:$line: a block of commands that no test executes, and that does not say what it needs" >&2
        wrong=$((wrong + 1))
    fi
done < <(awk '/^[ ]*```(sh|bash|console)( |$)/ && !fenced { print FILENAME ":" FNR ":" $1 ":" $2 }
    /^[ ]*```/ { fenced = !fenced }' "${documents[@]}")
echo "documents: $counted blocks of commands, $wrong of them neither executed nor marked"
[[ $wrong -eq 0 && $counted -gt 0 ]]
