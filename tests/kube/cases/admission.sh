# With the admission policies only labelled namespaces may select hook-specs, and a workload is refused for its template.
# shellcheck shell=bash

# select_in NAMESPACE: asks whether a pod there may select a hook-spec, and prints the answer.
select_in() {
    kubectl --namespace "$1" run try --image=try --annotations="$ANNOTATION=extra" --dry-run=server 2>&1
}

is_refused_in_default() {
    ! select_in default >/dev/null
}

deploy "$SHAPE"
kubectl apply --kustomize "$ROOT/deploy/admission"
trap 'kubectl delete --kustomize "$ROOT/deploy/admission" --timeout="${LIMIT}s"' EXIT
await "the policies to be in force" is_refused_in_default
message=$(select_in default) || true
[[ $message == *"$ANNOTATION"*"kubectl label namespace default"* ]] || complain "it does not name the label: $message"
kubectl --namespace default run try --image=try --dry-run=server
template='{"spec":{"template":{"metadata":{"annotations":{"'$ANNOTATION'":"extra"}}}}}'
kubectl --namespace default create deployment try --image=try --dry-run=client --output yaml |
    kubectl patch --local --filename - --patch "$template" --output yaml >"$WORK/deployment.yaml"
! kubectl --namespace default apply --filename "$WORK/deployment.yaml" --dry-run=server ||
    complain "a deployment may select"

run_pod selecting app "$ANNOTATION: extra"
id=$(container_id selecting 0)
delete_pod selecting
snapshot
assert_ran "$id" prestart/default prestart/extra poststart/default poststart/extra poststop/default poststop/extra
