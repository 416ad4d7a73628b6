# The hook-specs under test, and the program that their hooks run, on the node.
# shellcheck shell=bash

# hook STAGE NAME [VARIABLE]: one hook of a hook-spec, which records.
hook() {
    printf '{"path":"%s","args":["record","%s","%s"],"env":["PATH=%s","RECORDS=%s","HOLD=%s"%s],"timeout":20}' \
        "$HOOK_DIRECTORY/kube-record" "$1" "$2" /usr/sbin:/usr/bin:/sbin:/bin "$NODE_DIRECTORY/records" "$HOLD" \
        "${3:+,\"$3\"}"
}

# recording_spec NAME: a hook-spec with a hook for each stage.
recording_spec() {
    printf '{"prestart":[%s],"poststart":[%s],"poststop":[%s]}\n' \
        "$(hook prestart "$1")" "$(hook poststart "$1")" "$(hook poststop "$1")"
}

# Why the hook of failing_spec fails, in its own words.
# shellcheck disable=SC2034 # used by cases
REASON='no licence left'

# failing_spec: a hook-spec whose prestart hook fails.
failing_spec() {
    printf '{"prestart":[%s]}\n' "$(hook prestart failing "FAIL=$REASON")"
}

# hook_runs STAGE NAME: whether a hook runs on the node now.
hook_runs() {
    # shellcheck disable=SC2016 # the node's shell expands it
    node sh -c 'cat /proc/[0-9]*/cmdline 2>/dev/null | tr "\0" " "' |
        grep --fixed-strings "kube-record $1 $2 " >/dev/null
}

# install_hook: puts the program on the node, and clears what it has recorded.
install_hook() {
    node_write "$HOOK_DIRECTORY/kube-record" 755 <"$KUBE/hook/record"
    node rm -rf "$NODE_DIRECTORY"
    node mkdir -p "$NODE_DIRECTORY"
    node touch "$NODE_DIRECTORY/records"
}
