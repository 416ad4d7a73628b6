# Each stage runs once and at its moment, the default hooks before those that the pod's annotation selects. A pod without
# the annotation has only the default hooks.
# shellcheck shell=bash

deploy "$SHAPE"
run_pod plain app
run_pod picking app "$ANNOTATION: extra"

# prestart and poststart are over when kubelet reports the container as running.
snapshot
plain=$(container_id plain 0)
picking=$(container_id picking 0)
assert_ran "$plain" prestart/default poststart/default
assert_ran "$picking" prestart/default prestart/extra poststart/default poststart/extra

# The files of a container are there as long as it runs.
plain_pid=$(pid_of "$plain")
picking_pid=$(pid_of "$picking")
plain_started=$(started "$plain_pid")
picking_started=$(started "$picking_pid")
program=$(program "$picking_pid")

# And when the pod is gone, poststop is over.
delete_pod picking
picking_gone=$(node_now)
delete_pod plain
plain_gone=$(node_now)
snapshot
assert_ran "$plain" prestart/default poststart/default poststop/default
assert_ran "$picking" prestart/default prestart/extra poststart/default poststart/extra poststop/default poststop/extra
assert_stages "$SHAPE" "$plain" "$plain_started" "$program" "$plain_gone"
assert_stages "$SHAPE" "$picking" "$picking_started" "$program" "$picking_gone"
