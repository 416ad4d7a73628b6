# After the DaemonSet was removed, pods that have hooks stop as before and run their poststop. So does a pod that is being
# stopped at that time. Later pods run without hooks.
# shellcheck shell=bash

deploy "$SHAPE"
run_pod old app
old=$(container_id old 0)
run_pod ending app
ending=$(container_id ending 0)
of_test delete pod ending --wait=false
undeploy
of_test wait --for=delete pod/ending --timeout="${LIMIT}s"

run_pod new app
new=$(container_id new 0)
delete_pod new
delete_pod old
snapshot
assert_ran "$old" prestart/default poststart/default poststop/default
assert_ran "$ending" prestart/default poststart/default poststop/default
assert_ran "$new"
