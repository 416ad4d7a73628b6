# After a reboot of the node, each container that started before the daemon is reported. With missed.action "restart" it
# is created again, and every container has its hooks. An invalid file and a reboot cost no later container its hooks.
# shellcheck shell=bash

if [ "$SHAPE" != full ] || [ -z "${NODE_REBOOT:-}" ]; then
    not_tested "a reboot" "it takes the full shape, and NODE_REBOOT, which is to reboot the node"
    return
fi

# containers: the ids of the containers that run now.
containers() {
    of_test get pods --selector app=many --field-selector status.phase=Running \
        --output jsonpath='{range .items[*].status.containerStatuses[?(@.ready==true)]}{.containerID}{"\n"}{end}' |
        sed 's,.*//,,'
}

# all_run: whether all of the pods do, after the boot.
all_run() {
    [ "$(containers | grep --count .)" = "$PODS" ]
}

# without_hooks: how many of the containers that run have no prestart on record.
without_hooks() {
    local id count=0
    snapshot
    while IFS= read -r id; do
        grep --quiet "stage=prestart.* id=$id " "$RECORDS" || count=$((count + 1))
    done < <(containers)
    printf '%d\n' "$count"
}

# all_have_hooks: whether each container that runs has them.
all_have_hooks() {
    all_run && [ "$(without_hooks)" = 0 ]
}

# reboot ACTION: has missed.action be so, reboots, and awaits that the daemon is registered.
reboot() {
    local config
    config=$(of_daemon get configmap "$DAEMON" --output jsonpath='{.data.config\.toml}')
    set_file config.toml "${config%%$'\n'\[missed\]*}"$'\n'"[missed]"$'\n'"action = \"$1\""$'\n'
    await "the action on the node" node grep --quiet --fixed-strings "action = \"$1\"" "$CONFIG_DIRECTORY/config.toml"
    say "rebooting the node, with missed.action = $1"
    # shellcheck disable=SC2086 # a command of several words
    $NODE_REBOOT
    await "the daemon to be registered" metric_is_above nri_oci_hooks_registered 0
}

PODS=${PODS:-6}
deploy "$SHAPE"
of_test apply --filename - <<YAML
apiVersion: apps/v1
kind: Deployment
metadata: {name: many, namespace: $TEST_NAMESPACE}
spec:
  replicas: $PODS
  selector: {matchLabels: {app: many}}
  template:
    metadata: {labels: {app: many}}
    spec:
      nodeName: $NODE
      terminationGracePeriodSeconds: 2
      automountServiceAccountToken: false
      containers:
        - {name: app, image: $WORKLOAD_IMAGE, imagePullPolicy: IfNotPresent, command: [sh, -c, '$WORKLOAD']}
YAML
await "the pods to run" all_run
for round in 1 2 3; do
    reboot report
    await "the pods to run after the reboot" all_run
    count=$(without_hooks)
    say "round $round: $count of $PODS containers came up without hooks"
    await "each of them to be reported" metric_is nri_oci_hooks_containers_without_hooks "$count"
done
for round in 1 2 3; do
    reboot restart
    await "every container to have its hooks" all_have_hooks
    say "round $round: all of $PODS containers have their hooks"
    await "nothing to be reported" metric_is nri_oci_hooks_containers_without_hooks 0
done
of_test delete deployment many --timeout="${LIMIT}s"

made=()
for file in config.toml default.json extra.json; do
    set_file "$file" "$(invalid_text "$file")"
    await "$file to be refused" is_refused "$file"
    say "rebooting the node, with $file invalid"
    # shellcheck disable=SC2086 # a command of several words
    $NODE_REBOOT
    await "the daemon to be registered" metric_is_above nri_oci_hooks_registered 0
    is_refused "$file" || complain "$file is not refused any more"
    run_pod "after-${file%.*}" app "$ANNOTATION: extra"
    made+=("$(container_id "after-${file%.*}" 0)")
    delete_pod "after-${file%.*}"
    set_default_files
    await "$file to be valid again" is_taken "$file"
done
snapshot
for id in "${made[@]}"; do
    assert_ran "$id" prestart/default prestart/extra poststart/default poststart/extra poststop/default poststop/extra
done
