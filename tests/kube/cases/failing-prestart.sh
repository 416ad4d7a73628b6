# A prestart hook that fails keeps its container from starting, and the pod's events say why; poststop follows.
# shellcheck shell=bash

deploy "$SHAPE"
RESTART=Never make_pod broken app "$ANNOTATION: failing"
of_test wait --for=jsonpath='{.status.phase}'=Failed pod/broken --timeout="${LIMIT}s"
message=$(await_event broken "$REASON")
say "the event: $message"
of_test describe pod broken | grep --fixed-strings "$REASON" >/dev/null || complain "kubectl describe does not say why"
if [ "$SHAPE" = full ]; then
    for text in "prestart hook 2 of 2" "$HOOK_DIRECTORY/kube-record" "failing.json" "exited with status 3: $REASON"; do
        [[ $message == *"$text"* ]] || complain "the event does not say \"$text\""
    done
fi

id=$(container_id broken 0)
delete_pod broken
if [ "$SHAPE" = full ]; then
    # With crun it is run when the container is removed, which kubelet does at its leisure.
    await "poststop" has_run "$id" poststop/default
fi
snapshot
if [ "$SHAPE" = full ] || [ "$(ran "$id")" != "prestart/default prestart/failing" ]; then
    assert_ran "$id" prestart/default prestart/failing poststop/default
else
    say "poststop: this OCI runtime does not run it after a failed prestart (crun), as documented for direct"
fi
assert_in_order "$id"
