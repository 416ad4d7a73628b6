# Where the runtime requires the daemon, a container has its hooks or is not created, while the daemon is away and after a
# reboot.
# shellcheck shell=bash

[ "$SHAPE" = full ] || {
    not_tested "required plugins" "the switch takes the full shape"
    return
}
case $RUNTIME_UNIT in
    crio) DROP_IN=/etc/crio/crio.conf.d/51-nri-oci-hooks-required.conf ;;
    *) DROP_IN=/etc/containerd/conf.d/nri-oci-hooks-required.toml ;;
esac
if [ "$RUNTIME_UNIT" = containerd ] && ! node sh -c 'containerd --version | grep -q " v\?2\.\([2-9]\|[1-9][0-9]\)\."'; then
    not_tested "required plugins" "it takes containerd 2.2 or later"
    return
fi

# restart_runtime: so that it reads the drop-in, and the daemon is there again.
restart_runtime() {
    node systemctl restart "$RUNTIME_UNIT"
    await "the daemon to be registered" metric_is_above nri_oci_hooks_registered 0
}

COMPONENTS=required-plugins deploy "$SHAPE"
trap 'node rm -f "$DROP_IN"; node systemctl restart "$RUNTIME_UNIT"' EXIT
await "the drop-in on the node" node test -e "$DROP_IN"
restart_runtime
run_pod with app
ids=("$(container_id with 0)")

of_daemon delete daemonset "$DAEMON" --cascade=foreground --timeout="${LIMIT}s"
make_pod without app
message=$(await_event without "required plugin")
say "the event: $message"
kubectl apply --filename "$WORK/manifests.yaml"
of_test wait --for=condition=Ready pod/without --timeout="${LIMIT}s"
ids+=("$(container_id without 0)")

if [ -n "${NODE_REBOOT:-}" ]; then
    # shellcheck disable=SC2086 # a command of several words
    $NODE_REBOOT
    for name in with without; do
        await "pod $name after the reboot" is_anew "$name" "${ids[*]}"
        ids+=("$(container_id "$name" 0)")
    done
    await "the daemon to be registered" metric_is_above nri_oci_hooks_registered 0
    metric_is nri_oci_hooks_containers_without_hooks 0 || complain "a container came up without its hooks"
else
    not_tested "required plugins after a reboot" "it takes NODE_REBOOT, which is to reboot the node"
fi
delete_pod with
delete_pod without
snapshot
for id in "${ids[@]}"; do
    assert_ran "$id" prestart/default poststart/default poststop/default
done

deploy "$SHAPE"
await "the drop-in to be gone" node test ! -e "$DROP_IN"
