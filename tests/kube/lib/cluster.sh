# The cluster: pods under test, the daemon's pod, and what is awaited of them.
# shellcheck shell=bash

# of_test ARGUMENT...: kubectl in the namespace of the pods under test.
of_test() {
    kubectl --namespace "$TEST_NAMESPACE" "$@"
}

# of_daemon ARGUMENT...: kubectl in the namespace of the daemon.
of_daemon() {
    kubectl --namespace "$NAMESPACE" "$@"
}

# find_node: the name of the node that NODE_EXEC reaches, if it is not given.
find_node() {
    local hostname name
    [ -z "${NODE:-}" ] || return 0
    hostname=$(node_hostname)
    NODE=$(kubectl get nodes --output jsonpath='{.items[*].metadata.name}')
    [[ $NODE == *" "* ]] || return 0
    for name in $NODE; do
        if [ "$name" = "$hostname" ] || [ "${name%%.*}" = "$hostname" ]; then
            NODE=$name
            return
        fi
    done
    die "which of these nodes is it that NODE_EXEC reaches ($hostname)? Say NODE=... : $NODE"
}

# make_test_namespace: makes the namespace of the pods under test.
make_test_namespace() {
    kubectl apply --filename - <<YAML
apiVersion: v1
kind: Namespace
metadata:
  name: $TEST_NAMESPACE
  labels: {hook-spec.noderesource.dev/allowed: "true", pod-security.kubernetes.io/enforce: baseline}
YAML
}

# pod NAME CONTAINERS [KEY: VALUE]...: the manifest of a pod on the node, with these annotations. Its containers wait
# to be stopped. RESTART has its restart policy, Always unless it is set.
pod() {
    local name=$1 containers=$2 container annotation
    shift 2
    cat <<YAML
apiVersion: v1
kind: Pod
metadata:
  name: $name
  namespace: $TEST_NAMESPACE
YAML
    [ $# -eq 0 ] || printf '  annotations:\n'
    for annotation in "$@"; do
        printf '    %s\n' "$annotation"
    done
    cat <<YAML
spec:
  nodeName: $NODE
  restartPolicy: ${RESTART:-Always}
  terminationGracePeriodSeconds: 10
  automountServiceAccountToken: false
  tolerations: [{operator: Exists}]
  containers:
YAML
    for container in $containers; do
        cat <<YAML
    - name: $container
      image: $WORKLOAD_IMAGE
      imagePullPolicy: IfNotPresent
      command: ["sh", "-c", '$WORKLOAD']
YAML
    done
}

# make_pod NAME CONTAINERS [KEY: VALUE]...: makes it, and awaits nothing.
make_pod() {
    pod "$@" | of_test apply --filename -
}

# run_pod NAME CONTAINERS [KEY: VALUE]...: makes it and awaits that it is ready.
run_pod() {
    make_pod "$@"
    of_test wait --for=condition=Ready "pod/$1" --timeout="${LIMIT}s"
}

# delete_pod NAME: deletes it and awaits that the object is gone.
delete_pod() {
    of_test delete pod "$1" --timeout="${LIMIT}s"
}

# container_id POD INDEX: the id in the runtime of a container of a pod; kubelet sorts them by name.
container_id() {
    local id state
    for state in containerID state.terminated.containerID lastState.terminated.containerID; do
        id=$(of_test get pod "$1" --output jsonpath="{.status.containerStatuses[$2].$state}")
        [ -z "$id" ] || break
    done
    [ -n "$id" ] || complain "container $2 of pod $1 has no id" || return
    printf '%s\n' "${id##*://}"
}

# id_in POD LIST NAME: the id in the runtime of the container NAME of a list of the pod's status.
id_in() {
    local id
    id=$(of_test get pod "$1" --output jsonpath="{.status.$2[?(@.name==\"$3\")].containerID}")
    [ -n "$id" ] || complain "container $3 of pod $1 has no id" || return
    printf '%s\n' "${id##*://}"
}

# is_anew POD IDS: whether the pod is ready, with a container that is none of these.
is_anew() {
    local id
    of_test wait --for=condition=Ready "pod/$1" --timeout=1s >/dev/null 2>&1 || return
    id=$(container_id "$1" 0) && [[ " $2 " != *" $id "* ]]
}

# is_there KIND/NAME: whether the object is there, in the namespace of the pods under test.
is_there() {
    [ -n "$(of_test get "$1" --ignore-not-found --output name)" ]
}

# await_event POD TEXT: awaits an event of the pod whose message contains the text, and prints the message.
await_event() {
    local watch fd line end=$((SECONDS + LIMIT)) found=no
    exec {fd}< <(exec kubectl --namespace "$TEST_NAMESPACE" get events --watch \
        --field-selector "involvedObject.kind=Pod,involvedObject.name=$1" \
        --output jsonpath='{.reason}{": "}{.message}{"\n"}')
    watch=$!
    while [ "$SECONDS" -lt "$end" ] && IFS= read -r -t $((end - SECONDS)) -u "$fd" line; do
        if [[ $line == *"$2"* ]]; then
            printf '%s\n' "$line"
            found=yes
            break
        fi
    done
    kill "$watch" 2>/dev/null || true
    exec {fd}<&-
    [ "$found" = yes ] || complain "pod $1 has no event with \"$2\" within $LIMIT s"
}

# daemon_pod: the name of the daemon's pod on the node, the newer one during an upgrade.
daemon_pod() {
    of_daemon get pods --selector "$SELECTOR" --field-selector "spec.nodeName=$NODE,status.phase=Running" \
        --sort-by=.metadata.creationTimestamp --output jsonpath='{.items[-1:].metadata.name}'
}

# daemon_life: what changes when the daemon's pod is replaced or its container restarted.
daemon_life() {
    of_daemon get pod "$(daemon_pod)" \
        --output jsonpath='{.metadata.uid}{" restarts "}{.status.containerStatuses[0].restartCount}'
}

# metric NAME: what the daemon's metrics say, through the API server.
metric() {
    of_daemon get --raw "/api/v1/namespaces/$NAMESPACE/pods/$(daemon_pod):$PORT/proxy/metrics" |
        awk -v name="$1" '$1 == name { printf "%d\n", $2; found = 1 } END { exit !found }'
}

# metric_is NAME VALUE: whether the metric can be read and is that.
metric_is() {
    local now
    now=$(metric "$1" 2>/dev/null) && [ "$now" -eq "$2" ]
}

# metric_is_above NAME VALUE: whether the metric can be read and is greater.
metric_is_above() {
    local now
    now=$(metric "$1" 2>/dev/null) && [ "$now" -gt "$2" ]
}
