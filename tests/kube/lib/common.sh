# What the cluster tests share: what they say, and how they await what no event tells.
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

# await WHAT COMMAND...: runs the command once a second until it succeeds, for $LIMIT seconds at the most. For what
# nobody tells: where kubectl can wait or watch, that is used instead.
await() {
    local what=$1 end=$((SECONDS + LIMIT))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || complain "$what: not within $LIMIT s" || return
        [ $(((end - SECONDS) % 10)) -ne 0 ] || say "awaiting: $what"
        sleep 1
    done
}
