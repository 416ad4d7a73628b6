# Containers of Jobs and of crash loops, which end by themselves, have each stage once.
# shellcheck shell=bash

# job NAME COMMAND: has a Job run the command, twice if it fails and four times if not.
job() {
    of_test apply --filename - <<YAML
apiVersion: batch/v1
kind: Job
metadata: {name: $1, namespace: $TEST_NAMESPACE}
spec:
  completions: 4
  parallelism: 2
  backoffLimit: 1
  template:
    spec:
      nodeName: $NODE
      restartPolicy: Never
      automountServiceAccountToken: false
      tolerations: [{operator: Exists}]
      containers:
        - {name: app, image: $WORKLOAD_IMAGE, imagePullPolicy: IfNotPresent, command: [sh, -c, $2]}
YAML
}

# has_crashed NUMBER: whether the crash loop has gone round so often.
has_crashed() {
    [ "$(of_test get pod crashing --output jsonpath='{.status.containerStatuses[0].restartCount}')" -ge "$1" ]
}

# is_over: whether no container of these is left, and every stage is on record.
is_over() {
    local id
    snapshot
    new_ids "$WORK/short" "$before"
    while IFS= read -r id; do
        grep --quiet "stage=poststop .*id=$id " "$RECORDS" || return
    done <"$WORK/short"
}

deploy "$SHAPE"
snapshot
before=$(wc -l <"$RECORDS")
job good 'exit 0'
job bad 'exit 1'
of_test wait --for=condition=Complete job/good --timeout="${LIMIT}s"
of_test wait --for=condition=Failed job/bad --timeout="${LIMIT}s"
pod crashing app | sed "s/'$(printf %s "$WORKLOAD" | sed 's/[&/\\]/\\&/g')'/exit 1/" | of_test apply --filename -
await "the third start of what crashes" has_crashed 2
of_test wait --for=jsonpath='{.status.containerStatuses[0].state.waiting.reason}'=CrashLoopBackOff pod/crashing \
    --timeout="${LIMIT}s"
of_test delete jobs --all --cascade=foreground --timeout="${LIMIT}s"
delete_pod crashing
await "every poststop" is_over
[ "$(wc -l <"$WORK/short")" -ge 9 ] || complain "there were $(wc -l <"$WORK/short") containers, and not 9"
assert_each "$WORK/short" prestart/default poststart/default poststop/default
