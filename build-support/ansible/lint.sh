#!/usr/bin/env bash
# Ansible's own linter over the playbook and its roles, with the syntax check that it does first. Needs no network.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=build-support/tools.sh
source ../tools.sh
command -v ansible-lint >/dev/null || { echo "ansible: ansible-lint is missing; run: bash build-support/tools.sh ansible" >&2; exit 1; }
# It calls programs of ansible-core that stand beside it.
PATH="$tools_folder/ansible-lint-$ANSIBLE_LINT_VERSION/bin:$PATH"
ansible-lint --offline --strict --profile production site.yaml
