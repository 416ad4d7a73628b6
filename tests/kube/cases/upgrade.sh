# While the DaemonSet is rolled over, no container goes without its hooks, and none gets them twice.
# shellcheck shell=bash

# churn NUMBER: creates pods one after the other until stop_churn, and records the ids of their containers.
churn() {
    local name count=0
    until [ -e "$WORK/enough" ]; do
        count=$((count + 1))
        name=churn-$1-$count
        run_pod "$name" app "$ANNOTATION: extra"
        container_id "$name" 0 >>"$WORK/churned"
        delete_pod "$name"
    done >/dev/null
}

# stop_churn: ends it, also when the case fails, and fails if a pod had an error.
stop_churn() {
    local child failed=0
    touch "$WORK/enough"
    for child in "${churners[@]}"; do
        wait "$child" || failed=1
    done
    churners=()
    return "$failed"
}

# churned_more_than NUMBER: whether more pods than that have lived.
churned_more_than() {
    [ "$(wc -l <"$WORK/churned")" -gt "$1" ]
}

deploy "$SHAPE"
rm -f "$WORK/enough"
: >"$WORK/churned"
churners=()
trap 'stop_churn || true' EXIT
for number in 1 2 3; do
    churn "$number" &
    churners+=($!)
done
await "pods to live before the upgrade" churned_more_than 2

first=$(daemon_life)
for round in 1 2; do
    before=$(wc -l <"$WORK/churned")
    say "rolling the DaemonSet over, round $round"
    of_daemon rollout restart "daemonset/$DAEMON"
    of_daemon rollout status "daemonset/$DAEMON" --timeout="${LIMIT}s"
    await "pods to live after round $round" churned_more_than $((before + 3))
done
stop_churn || complain "a pod was not made or not removed, see above"
[ "$(daemon_life)" != "$first" ] || complain "the daemon's pod is the same as before"

snapshot
assert_each "$WORK/churned" prestart/default prestart/extra poststart/default poststart/extra \
    poststop/default poststop/extra
