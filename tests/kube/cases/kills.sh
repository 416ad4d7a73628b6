# The daemon is killed three times in a row, or KILLS times: its pod goes on, and containers that are created meanwhile
# have their hooks.
# shellcheck shell=bash

[ "$SHAPE" = full ] || {
    not_tested "kills of the daemon" "without a process namespace of the host nobody can find its process"
    return
}

# daemon_pid: the daemon's process.
daemon_pid() {
    node "$RUNNER" status --format json | sed -n 's/.*"pid": *\([0-9]*\).*/\1/p'
}

# is_another_process PID: whether the daemon is another process now, and registered.
is_another_process() {
    local now
    now=$(daemon_pid 2>/dev/null) && [ -n "$now" ] && [ "$now" != "$1" ] &&
        metric_is_above nri_oci_hooks_registered 0
}

# kill_daemon PID: kills it, and prints after how many milliseconds the next one answered.
kill_daemon() {
    # shellcheck disable=SC2016 # the node's shell expands it
    node sh -euc '
        began=$(date +%s%N)
        kill -KILL "$1"
        now=
        until [ -n "$now" ] && [ "$now" != "$1" ]; do
            now=$("$2" status --format json 2>/dev/null | sed -n "s/.*\"pid\": *\([0-9]*\).*/\1/p") || true
        done
        echo $((($(date +%s%N) - began) / 1000000))
    ' kill "$1" "$RUNNER"
}

deploy "$SHAPE"
life=$(daemon_life)
kills=${KILLS:-3}
# More than ten deaths in a minute are the kubelet's: many kills take their time, with five pods each.
pods=$((kills > 10 ? 5 : 1))
made=()
for round in $(seq "$kills"); do
    pid=$(daemon_pid)
    kill_daemon "$pid" >"$WORK/away" &
    for number in $(seq "$pods"); do
        run_pod "killed-$round-$number" app
        made+=("$(container_id "killed-$round-$number" 0)")
    done
    wait $! || complain "the daemon was not killed"
    say "killed the daemon, process $pid: the next one answered after $(cat "$WORK/away") ms"
    await "the next daemon" is_another_process "$pid"
done
[ "$(daemon_life)" = "$life" ] || complain "the pod was restarted: the kubelet makes the next one wait"
for round in $(seq "$kills"); do
    for number in $(seq "$pods"); do
        delete_pod "killed-$round-$number"
    done
done
snapshot
for id in "${made[@]}"; do
    assert_ran "$id" prestart/default poststart/default poststop/default
done
