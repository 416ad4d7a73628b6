# A container that is created while no daemon is there has no hooks, and the next daemon reports it until it is gone.
# shellcheck shell=bash

[ "$SHAPE" = full ] || {
    not_tested "that a container without hooks is reported" "it takes a ledger, which direct delivery has not"
    return
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
node "$RUNNER" ps | grep --quiet meanwhile || complain "ps does not list it"
[ "$(metric nri_oci_hooks_containers_without_hooks)" = 1 ] || complain "others are counted too"

delete_pod meanwhile
await "the report to end with the container" metric_is nri_oci_hooks_containers_without_hooks 0
delete_pod before
snapshot
assert_ran "$before" prestart/default poststart/default poststop/default
assert_ran "$meanwhile"
