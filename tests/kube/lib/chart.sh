# The chart, for the cases that install it.
# shellcheck shell=bash

# chart VERB [ARGUMENT...]: helm, in the daemon's namespace.
chart() {
    "$HELM" "$1" "$DAEMON" "${@:2}" --namespace "$NAMESPACE" --timeout "${LIMIT}s"
}

# chart_namespaces: makes both namespaces; the daemon's with the label that its pod needs.
chart_namespaces() {
    make_test_namespace
    make_daemon_namespace
    kubectl label namespace "$NAMESPACE" pod-security.kubernetes.io/enforce=privileged --overwrite
}

# remove_chart: uninstalls it, and removes the daemon's namespace.
remove_chart() {
    chart uninstall --ignore-not-found --wait
    kubectl delete namespace "$NAMESPACE" --timeout="${LIMIT}s"
}

# chart_values: values that have the chart use our image and the default hook-spec, on the node alone.
chart_values() {
    local name=${IMAGE%%@*}
    cat <<YAML
shape: $SHAPE
image: {repository: "${name%:*}", tag: "${name##*:}", digest: "$([[ $IMAGE != *@* ]] || echo "${IMAGE#*@}")"}
nodeSelector: {kubernetes.io/hostname: "$(kubectl get node "$NODE" --output jsonpath='{.metadata.labels.kubernetes\.io/hostname}')"}
hookSpec: $(recording_spec default)
YAML
}
