# However a container ends, it has each stage once: its program does not exist, it is out of memory, its probe fails, its
# deadline passes, it ignores SIGTERM, it is resized with a restart.
# shellcheck shell=bash

# of_pod NAME CONTAINER [SPEC...]: the manifest of a pod with these fields of its container and of its spec.
of_pod() {
    cat <<YAML
---
apiVersion: v1
kind: Pod
metadata: {name: $1, namespace: $TEST_NAMESPACE}
spec:
  nodeName: $NODE
  terminationGracePeriodSeconds: 2
  automountServiceAccountToken: false
  tolerations: [{operator: Exists}]
  containers: [{name: app, image: $WORKLOAD_IMAGE, imagePullPolicy: IfNotPresent, $2}]
$(printf '  %s\n' "${@:3}")
YAML
}

# waits COMMAND: the field of a container with this command of the shell.
waits() {
    printf 'command: [sh, -c, %s]' "'$1'"
}

deploy "$SHAPE"
{
    of_pod no-program 'command: [/no-such-program]' 'restartPolicy: Never'
    of_pod memory "$(waits 'tail /dev/zero'), resources: {limits: {memory: 20Mi}}" 'restartPolicy: Never'
    of_pod probe "$(waits "$WORKLOAD"), livenessProbe: {exec: {command: [\"false\"]}, periodSeconds: 1, failureThreshold: 1}"
    of_pod deadline "$(waits "$WORKLOAD")" 'activeDeadlineSeconds: 3'
    of_pod term "$(waits 'trap "" TERM; while :; do sleep 1; done'), lifecycle: {preStop: {exec: {command: [sleep, \"1\"]}}}"
    of_pod resize "$(waits "$WORKLOAD"), resizePolicy: [{resourceName: memory, restartPolicy: RestartContainer}],
      resources: {requests: {memory: 10Mi}, limits: {memory: 40Mi}}"
    of_pod shared "$(waits "$WORKLOAD")" 'shareProcessNamespace: true'
} >"$WORK/ends.yaml"
snapshot
before=$(wc -l <"$RECORDS")
of_test apply --filename "$WORK/ends.yaml"
for name in no-program memory deadline; do
    of_test wait --for=jsonpath='{.status.phase}'=Failed "pod/$name" --timeout="${LIMIT}s"
done
of_test wait --for=jsonpath='{.status.containerStatuses[0].restartCount}'=1 pod/probe --timeout="${LIMIT}s"
for name in term resize shared; do
    of_test wait --for=condition=Ready "pod/$name" --timeout="${LIMIT}s"
done
no_program=$(container_id no-program 0)
first=$(container_id resize 0)
of_test patch pod resize --subresource resize \
    --patch '{"spec":{"containers":[{"name":"app","resources":{"limits":{"memory":"50Mi"}}}]}}' ||
    not_tested "a resize with a restart" "it takes Kubernetes 1.33"
of_test get pod resize --output jsonpath='{.spec.containers[0].resources.limits.memory}' | grep --quiet 40Mi ||
    await "the resized container" is_anew resize "$first"
of_test delete pods --all --timeout="${LIMIT}s"
snapshot
new_ids "$WORK/ended" "$before"
[ "$(wc -l <"$WORK/ended")" -ge 8 ] || complain "there were $(wc -l <"$WORK/ended") containers, and not 8"
sed -i "/^$no_program\$/d" "$WORK/ended"
assert_each "$WORK/ended" prestart/default poststart/default poststop/default
# The OCI runtime finds that out when prestart has run.
assert_ran "$no_program" prestart/default poststop/default
