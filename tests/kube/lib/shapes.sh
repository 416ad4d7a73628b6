# Deploying and removing the two shapes, full and least-privilege, from deploy/kustomize.
# shellcheck shell=bash

# The mark of a namespace that these tests have created: another one is never touched.
readonly OURS=tests.noderesource.dev/kube

# image_transformer IMAGE: kustomize's entry that has the manifests use the image.
image_transformer() {
    local name=${1%%@*} rest=
    printf '  - name: localhost/nri-oci-hooks\n'
    if [[ $1 == *@* ]]; then
        rest="digest: ${1#*@}"
    fi
    # After a colon in the last part of the path comes a tag, elsewhere a port.
    if [[ ${name##*/} == *:* ]]; then
        [ -n "$rest" ] || rest="newTag: \"${name##*:}\""
        name=${name%:*}
    fi
    printf '    newName: %s\n' "$name"
    [ -z "$rest" ] || printf '    %s\n' "$rest"
}

# overlay SHAPE DIRECTORY: writes a kustomization that has the shape use our image and hook-specs, on the node alone:
# other nodes have not the program of the hooks, so no container would start there. COMPONENTS names components to add.
overlay() {
    local hostname base image default extra failing component
    [ -e "$KUSTOMIZE/$1/kustomization.yaml" ] || complain "there is no shape $1 in $KUSTOMIZE" || return
    mkdir -p "$2"
    base=$(realpath --relative-to="$(realpath "$2")" "$KUSTOMIZE/$1")
    # shellcheck disable=SC2153 # one of the settings
    image=$(image_transformer "$IMAGE")
    default=$(recording_spec default)
    extra=$(recording_spec extra)
    failing=$(failing_spec)
    hostname=$(kubectl get node "$NODE" --output jsonpath='{.metadata.labels.kubernetes\.io/hostname}')
    cat >"$2/kustomization.yaml" <<YAML
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - $base
components: [$(for component in ${COMPONENTS:-}; do printf '%s/../components/%s,' "$base" "$component"; done)]
images:
$image
patches:
  - target: {kind: DaemonSet, name: $DAEMON}
    patch: |-
      apiVersion: apps/v1
      kind: DaemonSet
      metadata: {name: $DAEMON}
      spec:
        template:
          spec:
            nodeSelector: {kubernetes.io/hostname: "$hostname"}
            containers: [{name: daemon, imagePullPolicy: IfNotPresent}]
  - target: {kind: ConfigMap, name: $DAEMON}
    patch: |-
      apiVersion: v1
      kind: ConfigMap
      metadata: {name: $DAEMON}
      data:
        default.json: |
          $default
  - target: {kind: ConfigMap, name: $DAEMON-specs}
    patch: |-
      apiVersion: v1
      kind: ConfigMap
      metadata: {name: $DAEMON-specs}
      data:
        extra.json: |
          $extra
        failing.json: |
          $failing
YAML
}

# make_daemon_namespace: makes the daemon's namespace, marked as ours, unless somebody else has made it.
make_daemon_namespace() {
    local mark
    mark=$(kubectl get namespace "$NAMESPACE" --ignore-not-found \
        --output jsonpath='{.metadata.name}{" "}{.metadata.labels.tests\.noderesource\.dev/kube}')
    case $mark in
        '') ;;
        "$NAMESPACE yes") return ;;
        *) die "this cluster has a namespace $NAMESPACE that is not of these tests: remove it first" ;;
    esac
    # Not by apply: the manifests have the namespace too, and would take the mark away again.
    kubectl create namespace "$NAMESPACE"
    kubectl label namespace "$NAMESPACE" "$OURS=yes"
}

# deployed_shape: the shape that is deployed, or nothing.
deployed_shape() {
    cat "$WORK/shape" 2>/dev/null || true
}

# config_says TEXT: whether the node's copy of the default hook-spec contains it.
config_says() {
    node grep --quiet --fixed-strings "$1" "$CONFIG_DIRECTORY/default.json"
}

# touch_daemon_pod: has kubelet look at the pod, and so at its ConfigMaps, now and not within the minute.
touch_daemon_pod() {
    of_daemon annotate pod "$(daemon_pod)" "$OURS=$(date +%s%N)" --overwrite
}

# deploy SHAPE: deploys the unchanged shape in place of the current one, and awaits that it is active.
deploy() {
    local now
    now=$(deployed_shape)
    if [ -n "$now" ] && [ "$now" != "$1" ]; then
        undeploy
    fi
    say "deploying $1"
    make_daemon_namespace
    make_test_namespace
    overlay "$1" "$WORK/overlay"
    kubectl kustomize "$WORK/overlay" >"$WORK/manifests.yaml"
    kubectl apply --filename "$WORK/manifests.yaml"
    printf '%s\n' "$1" >"$WORK/shape"
    of_daemon rollout status "daemonset/$DAEMON" --timeout="${LIMIT}s"
    if ! config_says '"record","prestart","default"'; then
        touch_daemon_pod
        await "the default hook-spec on the node" config_says '"record","prestart","default"'
    fi
}

# undeploy: removes what deploy has deployed, and awaits that the daemon's pod is gone.
undeploy() {
    say "removing $(deployed_shape)"
    kubectl delete --filename "$WORK/manifests.yaml" --ignore-not-found --timeout="${LIMIT}s"
    kubectl delete namespace "$NAMESPACE" --ignore-not-found --timeout="${LIMIT}s"
    rm -f "$WORK/shape"
}
