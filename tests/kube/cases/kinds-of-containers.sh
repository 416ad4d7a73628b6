# Init containers, sidecars and ephemeral containers have their hooks like any other, and so have static pods.
# shellcheck shell=bash

STATIC_PODS=${STATIC_PODS:-/etc/kubernetes/manifests}

deploy "$SHAPE"
of_test apply --filename - <<YAML
apiVersion: v1
kind: Pod
metadata: {name: kinds, namespace: $TEST_NAMESPACE}
spec:
  nodeName: $NODE
  terminationGracePeriodSeconds: 2
  automountServiceAccountToken: false
  tolerations: [{operator: Exists}]
  initContainers:
    - {name: init, image: $WORKLOAD_IMAGE, imagePullPolicy: IfNotPresent, command: [sh, -c, exit]}
    - name: sidecar
      image: $WORKLOAD_IMAGE
      imagePullPolicy: IfNotPresent
      restartPolicy: Always
      command: [sh, -c, '$WORKLOAD']
  containers:
    - {name: app, image: $WORKLOAD_IMAGE, imagePullPolicy: IfNotPresent, command: [sh, -c, '$WORKLOAD']}
YAML
of_test wait --for=condition=Ready pod/kinds --timeout="${LIMIT}s"
of_test debug kinds --profile=baseline --image="$WORKLOAD_IMAGE" --image-pull-policy=IfNotPresent \
    --container=debugger -- sh -c exit
of_test wait pod/kinds --timeout="${LIMIT}s" \
    --for=jsonpath='{.status.ephemeralContainerStatuses[0].state.terminated.reason}'=Completed
ids=("$(container_id kinds 0)" "$(id_in kinds initContainerStatuses sidecar)")
for list in initContainerStatuses ephemeralContainerStatuses; do
    ids+=("$(of_test get pod kinds --output jsonpath="{.status.${list}[0].state.terminated.containerID}" | sed 's,.*//,,')")
done
delete_pod kinds

if node test -d "$STATIC_PODS"; then
    pod static app "$ANNOTATION: extra" | node_write "$STATIC_PODS/static.yaml" 644
    trap 'node rm -f "$STATIC_PODS/static.yaml"' EXIT
    await "the static pod" is_there "pod/static-$NODE"
    of_test wait --for=condition=Ready "pod/static-$NODE" --timeout="${LIMIT}s"
    static=$(container_id "static-$NODE" 0)
    node rm "$STATIC_PODS/static.yaml"
    of_test wait --for=delete "pod/static-$NODE" --timeout="${LIMIT}s"
else
    not_tested "static pods" "the node has no $STATIC_PODS"
fi

snapshot
for id in "${ids[@]}"; do
    assert_ran "$id" prestart/default poststart/default poststop/default
done
[ -z "${static:-}" ] || assert_ran "$static" prestart/default prestart/extra poststart/default poststart/extra \
    poststop/default poststop/extra
