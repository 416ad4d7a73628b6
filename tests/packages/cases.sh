# Cases in bash: each is a function whose name says what it proves, and fails if one of its commands does.
# shellcheck shell=bash

passed=0 failed=0

# fail TEXT: counts a failure.
fail() {
    failed=$((failed + 1))
    printf 'FAILED  %s\n' "$1"
}

# check FUNCTION: runs a case; its output is shown if it fails.
check() {
    local output status=0
    output=$(mktemp)
    # In a process of its own, for `set -e` is off in what a condition calls.
    set +e
    (
        set -e
        "$1"
    ) >"$output" 2>&1
    status=$?
    set -e
    if [ "$status" -eq 0 ]; then
        passed=$((passed + 1))
        printf 'passed  %s\n' "${1//_/ }"
    else
        fail "${1//_/ }"
        sed 's/^/    /' "$output"
    fi
    rm -f "$output"
}

# end: prints the count; fails if a case did.
end() {
    printf '%d passed, %d failed\n' "$passed" "$failed"
    [ "$failed" -eq 0 ]
}
