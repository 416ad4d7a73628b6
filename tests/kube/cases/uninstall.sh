# After the DaemonSet was removed, pods that have hooks stop as before and run their poststop; pods made later run
# without hooks.
# shellcheck shell=bash

deploy "$SHAPE"
run_pod old app
old=$(container_id old 0)
undeploy

run_pod new app
new=$(container_id new 0)
delete_pod new
delete_pod old
snapshot
assert_ran "$old" prestart/default poststart/default poststop/default
assert_ran "$new"
