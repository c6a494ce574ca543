# shellcheck shell=bash
# Runs named steps, times each, goes on after a failure, and closes with a table: what test.sh and .ci/run are made of.
#
#   source build-support/steps.sh
#   step "unit tests" cargo test
#   steps_close               prints the table; fails if a step failed

steps_names=()
steps_outcomes=()
steps_seconds=()

# step NAME COMMAND...: runs a command as a step of that name. A failure is remembered and the next step runs.
step() {
    local name="$1" started=$SECONDS outcome=passed
    shift
    printf '\n=== %s\n' "$name"
    "$@" || outcome=FAILED
    steps_names+=("$name")
    steps_outcomes+=("$outcome")
    steps_seconds+=($((SECONDS - started)))
    printf '=== %s: %s after %d s\n' "$name" "$outcome" $((SECONDS - started))
}

steps_close() {
    local index passed=0 failed=0
    printf '\n'
    for index in "${!steps_names[@]}"; do
        printf '%-8s %5d s  %s\n' "${steps_outcomes[index]}" "${steps_seconds[index]}" "${steps_names[index]}"
        if [[ "${steps_outcomes[index]}" == passed ]]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
    done
    printf '%d steps passed, %d failed\n' "$passed" "$failed"
    [[ $failed -eq 0 && $passed -gt 0 ]]
}
