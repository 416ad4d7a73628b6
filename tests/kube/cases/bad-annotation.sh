# An annotation that names no hook-spec fails the container that it is about, and no other; the pod's events say why.
# shellcheck shell=bash

deploy "$SHAPE"
make_pod mixed "fine picky" "$ANNOTATION/container.picky: no-such-spec"
of_test wait --for=jsonpath='{.status.containerStatuses[1].state.waiting.reason}'=CreateContainerError pod/mixed \
    --timeout="${LIMIT}s"
message=$(await_event mixed "no-such-spec: no such hook-spec")
say "the event: $message"
[[ $message == *"$ANNOTATION/container.picky"* ]] || complain "the event does not name the annotation"

of_test wait --for=jsonpath='{.status.containerStatuses[0].ready}'=true pod/mixed --timeout="${LIMIT}s"
fine=$(container_id mixed 0)
snapshot
assert_ran "$fine" prestart/default poststart/default
delete_pod mixed
snapshot
assert_ran "$fine" prestart/default poststart/default poststop/default
