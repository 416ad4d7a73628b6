# A daemon that hangs together with the front that looks after it is restarted by the kubelet's probes.
# shellcheck shell=bash

[ "$SHAPE" = full ] || {
    not_tested "a daemon that hangs" "without a process namespace of the host nobody can find its process"
    return
}
deploy "$SHAPE"
life=$(daemon_life)
daemon=$(node "$RUNNER" status --format json | sed -n 's/.*"pid": *\([0-9]*\).*/\1/p')
front=$(node sed -n 's/^PPid:[[:space:]]*//p' "/proc/$daemon/status")
say "stopping the daemon, process $daemon, and its front, process $front"
node kill -STOP "$front" "$daemon"
await "the next daemon" is_another_daemon "$life"
run_pod after app
after=$(container_id after 0)
delete_pod after
snapshot
assert_ran "$after" prestart/default poststart/default poststop/default
