# shellcheck shell=bash
# Runs named steps, times each, goes on after a failure, and closes with a table: what test.sh and .ci/run are made of.
#
#   source build-support/steps.sh
#   step "unit tests" cargo test
#   steps_close               prints the table, and how the output of what failed ended; fails if a step failed

steps_names=()
steps_outcomes=()
steps_seconds=()
# How the output of the steps that failed ended: whoever sees the end of a long log only must see why, too.
steps_failures=""
steps_last_lines=12

# step NAME COMMAND...: runs a command as a step of that name. A failure is remembered and the next step runs.
step() {
    local name="$1" started=$SECONDS outcome=passed output
    shift
    printf '\n=== %s\n' "$name"
    output="$(mktemp /tmp/weft-step.XXXXXX)"
    # Not a pipeline, which would wait for servers that a step leaves behind.
    "$@" > >(exec tee "$output") 2>&1 || outcome=FAILED
    # What was said last is still on its way through `tee`.
    sleep 0.2
    if [[ "$outcome" == FAILED ]]; then
        steps_failures+="$(printf '\n--- %s\n' "$name" && tail -n "$steps_last_lines" "$output" | cut -c 1-300)"$'\n'
    fi
    rm -f "$output"
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
    printf '%s' "$steps_failures"
    printf '%d steps passed, %d failed\n' "$passed" "$failed"
    [[ $failed -eq 0 && $passed -gt 0 ]]
}
