# A poststop runs to its end, once, though its pod or the daemon's pod is deleted by force meanwhile, or the daemon is
# uninstalled.
# shellcheck shell=bash

all=(prestart/default poststart/default poststop/default poststop/slow poststop/last)

# stop_in_poststop NAME: has a pod live until its slow poststop hook runs; ID has its container.
stop_in_poststop() {
    run_pod "$1" app "$ANNOTATION: slow"
    ID=$(container_id "$1" 0)
    of_test delete pod "$1" --wait=false
    await "its poststop" hook_runs poststop slow
}

deploy "$SHAPE"
# containerd waits for 10 s.
set_file slow.json "{\"poststop\":[$(HOLD=7 hook poststop slow),$(hook poststop last)]}"
await "the slow hook-spec on the node" node test -e "$(node_file slow.json)"

stop_in_poststop pod-forced
of_test delete pod pod-forced --grace-period=0 --force
await "the end of its poststop" has_run "$ID" poststop/last
assert_ran "$ID" "${all[@]}"

stop_in_poststop daemon-forced
of_daemon delete pod "$(daemon_pod)" --grace-period=0 --force
await "the end of its poststop" has_run "$ID" poststop/last
assert_ran "$ID" "${all[@]}"
of_daemon rollout status "daemonset/$DAEMON" --timeout="${LIMIT}s"

stop_in_poststop uninstalled
undeploy
await "the end of its poststop" has_run "$ID" poststop/last
assert_ran "$ID" "${all[@]}"
of_test wait --for=delete pod/uninstalled --timeout="${LIMIT}s"
