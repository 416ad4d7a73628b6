# A container that is created while no daemon is there has no hooks. The next daemon reports it until it is gone, and so does
# each daemon that its front starts in place of that one.
# shellcheck shell=bash

# daemon_process: the daemon's process on the node: the one whose parent is its front.
daemon_process() {
    # shellcheck disable=SC2016 # the node's shell expands it
    node sh -c '
        for process in /proc/[0-9]*; do
            parent=$(sed -n "s/^PPid:[[:space:]]*//p" "$process/status" 2>/dev/null)
            for one in "$process" "/proc/$parent"; do
                tr "\0" " " <"$one/cmdline" 2>/dev/null | grep --quiet "^[^ ]*/nri-oci-hooks run " || continue 2
            done
            echo "${process#/proc/}"
        done'
}

# is_replaced PID: whether the daemon is another process now.
is_replaced() {
    local now
    now=$(daemon_process) && [ -n "$now" ] && [ "$now" != "$1" ]
}

deploy "$SHAPE"
run_pod before app
before=$(container_id before 0)
of_daemon delete daemonset "$DAEMON" --cascade=foreground --timeout="${LIMIT}s"
run_pod meanwhile app
meanwhile=$(container_id meanwhile 0)
kubectl apply --filename "$WORK/manifests.yaml"
of_daemon rollout status "daemonset/$DAEMON" --timeout="${LIMIT}s"
await "the container without hooks to be counted" metric_is_above nri_oci_hooks_containers_without_hooks 0
[ "$SHAPE" != full ] || node "$RUNNER" ps | grep --quiet meanwhile || complain "ps does not list it"
[ "$(metric nri_oci_hooks_containers_without_hooks)" = 1 ] || complain "others are counted too"

process=$(daemon_process)
say "killing the daemon, process $process"
node kill -KILL "$process"
await "the next daemon" is_replaced "$process"
await "the daemon to be registered" metric_is_above nri_oci_hooks_registered 0
await "the next daemon to report it" metric_is nri_oci_hooks_containers_without_hooks 1

delete_pod meanwhile
await "the report to end with the container" metric_is nri_oci_hooks_containers_without_hooks 0
delete_pod before
snapshot
assert_ran "$before" prestart/default poststart/default poststop/default
assert_ran "$meanwhile"
