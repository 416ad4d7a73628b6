# Installed, upgraded, rolled back and uninstalled with Helm, the daemon gives the hooks that the values have.
# shellcheck shell=bash

HELM=${HELM:-helm}
command -v "$HELM" >/dev/null || {
    not_tested "the Helm chart" "helm was not found: install it, or say HELM=/path/to/helm"
    return
}

# chart VERB [ARGUMENT...]: helm, in the daemon's namespace.
chart() {
    "$HELM" "$1" "$DAEMON" "${@:2}" --namespace "$NAMESPACE" --timeout "${LIMIT}s"
}

# values: those of the chart.
values() {
    local name=${IMAGE%%@*}
    cat <<YAML
shape: $SHAPE
image: {repository: "${name%:*}", tag: "${name##*:}", digest: "$([[ $IMAGE != *@* ]] || echo "${IMAGE#*@}")"}
nodeSelector: {kubernetes.io/hostname: "$(kubectl get node "$NODE" --output jsonpath='{.metadata.labels.kubernetes\.io/hostname}')"}
hookSpec: $(recording_spec default)
specs:
  extra: $(recording_spec extra)
YAML
}

# life NAME: a pod that selects lives; writes down the id of its container.
life() {
    run_pod "$1" app "$ANNOTATION: extra"
    container_id "$1" 0 >>"$WORK/lives"
    delete_pod "$1"
}

[ -z "$(deployed_shape)" ] || undeploy
make_test_namespace
make_daemon_namespace
kubectl label namespace "$NAMESPACE" pod-security.kubernetes.io/enforce=privileged
values >"$WORK/values.yaml"
: >"$WORK/lives"
trap 'chart uninstall --ignore-not-found --wait; kubectl delete namespace "$NAMESPACE" --timeout="${LIMIT}s"' EXIT
chart install "$ROOT/deploy/helm/nri-oci-hooks" --values "$WORK/values.yaml" --wait
life installed
run_pod old app
old=$(container_id old 0)
chart upgrade "$ROOT/deploy/helm/nri-oci-hooks" --values "$WORK/values.yaml" --set podAnnotations.round=two --wait
life upgraded
chart rollback --wait
life rolled-back
chart uninstall --wait
run_pod new app
new=$(container_id new 0)
delete_pod new
delete_pod old
snapshot
assert_each "$WORK/lives" prestart/default prestart/extra poststart/default poststart/extra poststop/default poststop/extra
assert_ran "$old" prestart/default poststart/default poststop/default
assert_ran "$new"
