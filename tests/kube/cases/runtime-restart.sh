# When the node's container runtime and kubelet are restarted, the daemon connects again by itself: containers made later have
# their hooks, and those made before get their poststop, once.
# shellcheck shell=bash

deploy "$SHAPE"
run_pod before app
before=$(container_id before 0)
life=$(daemon_life)
connections=$(metric nri_oci_hooks_connections_total)

say "restarting $RUNTIME_UNIT on the node"
node systemctl restart "$RUNTIME_UNIT"
await "the daemon to connect again" metric_is_above nri_oci_hooks_connections_total "$connections"
await "the daemon to be registered" metric_is_above nri_oci_hooks_registered 0
[ "$(daemon_life)" = "$life" ] || complain "the daemon was restarted: it did not connect by itself"

say "restarting the kubelet on the node"
node systemctl restart kubelet
run_pod after app
after=$(container_id after 0)
snapshot
assert_ran "$before" prestart/default poststart/default
assert_ran "$after" prestart/default poststart/default
delete_pod before
delete_pod after
snapshot
assert_ran "$before" prestart/default poststart/default poststop/default
assert_ran "$after" prestart/default poststart/default poststop/default
