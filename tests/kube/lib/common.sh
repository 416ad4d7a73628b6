# Shared by the cluster tests: messages, and waiting where there is no event.
# shellcheck shell=bash

# say TEXT: one line of progress, with the seconds since the command began.
say() {
    printf '[%4ds] %s\n' "$SECONDS" "$*"
}

# complain TEXT: says what is wrong, and fails.
complain() {
    printf 'wrong: %s\n' "$*" >&2
    return 1
}

# die TEXT: says what is missing and what to do, and ends the command.
die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# await WHAT COMMAND...: runs the command once a second until it succeeds, for at most $LIMIT seconds. It is only for
# changes without an event: elsewhere kubectl waits or watches.
await() {
    local what=$1 end=$((SECONDS + LIMIT))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || complain "$what: not within $LIMIT s" || return
        [ $(((end - SECONDS) % 10)) -ne 0 ] || say "awaiting: $what"
        sleep 1
    done
}
