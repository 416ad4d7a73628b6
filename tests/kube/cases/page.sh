# The commands of docs/kubernetes.md, typed as the page has them, install the daemon by kustomize and by Helm. They show the
# hooks of a pod, and uninstall the daemon.
# shellcheck shell=bash

if [ "$SHAPE $IMAGE" != "full localhost/nri-oci-hooks:0.1.0" ]; then
    not_tested "the page about Kubernetes" "it deploys the full shape, of the image that hack/image makes"
    return
fi

# typed HEADING: the commands of the section.
typed() {
    awk -v heading="## $1" '/^## / { here = $0 == heading }
        /^```/ { block = (block == "") ? substr($0, 4) : ""; next }
        here && block == "sh" && NF' "$ROOT/docs/kubernetes.md"
}

# type_section HEADING [PATTERN]: types its commands, those that match, in the checkout; POD is the daemon's pod.
type_section() {
    local command commands
    commands=$(typed "$1" | grep -E -- "${2:-.}")
    while IFS= read -r command; do
        say "the page says: $command"
        [[ $command != *POD* ]] || command=${command//POD/$(daemon_pod)}
        (cd "$WORK/checkout" && eval "$command") <&3
    done 3</dev/null <<<"$commands"
}

# nri-oci-hooks ARGUMENT...: on the node.
nri-oci-hooks() {
    node "$RUNNER" "$@"
}

# helm ARGUMENT...
helm() {
    command "$HELM" "$@"
}

[ -z "$(deployed_shape)" ] || undeploy
make_daemon_namespace
mkdir -p "$WORK/checkout"
ln -sfn "$ROOT/deploy" "$WORK/checkout/deploy"
TEST_NAMESPACE=default pod web app >"$WORK/checkout/pod.yaml"
trap 'kubectl delete namespace "$NAMESPACE" --ignore-not-found --timeout="${LIMIT}s"' EXIT

type_section "2. The daemon, by kustomize"
# The page leaves the hook-spec and the pod to the reader.
set_file default.json "$(recording_spec default)"
await "the hook-spec on the node" config_says '"record","prestart","default"'
TEST_NAMESPACE=default run_pod web app
web=$(TEST_NAMESPACE=default container_id web 0)
# The last command of the section is for the other shape.
type_section "3. Hooks" '^nri-oci-hooks |--namespace nri-oci-hooks (annotate|get|logs)|/usr/local/bin/nri-oci-hooks' >"$WORK/said"
grep -F "kube-record" "$WORK/said"
TEST_NAMESPACE=default delete_pod web
snapshot
assert_ran "$web" prestart/default poststart/default poststop/default
type_section Uninstalling '^kubectl delete -k'
HELM=${HELM:-helm}
type -P "$HELM" >/dev/null || {
    not_tested "the page about Kubernetes, with the chart" "helm was not found: install it, or say HELM=/path/to/helm"
    return
}
type_section "2. The daemon, by Helm"
type_section Uninstalling '^(helm uninstall|kubectl delete namespace)'
