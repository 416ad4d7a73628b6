# When containerd or the kubelet is killed in the middle of starts, each container that begins to run afterwards has its hooks,
# or is reported. Every init that had prestart gets its poststop, once, before its pod is deleted.
# shellcheck shell=bash

[ "$SHAPE" = full ] || {
    not_tested "starts that are cut off" "with direct delivery nobody but the OCI runtime runs poststop, and it is dead"
    return
}

# main_pid UNIT: the process of a unit of the node.
main_pid() {
    node systemctl show "$1" --property=MainPID | sed -n 's/^MainPID=//p'
}

# has_restarted UNIT PID: whether it is another process now.
has_restarted() {
    local now
    now=$(main_pid "$1") && [ "$now" != 0 ] && [ "$now" != "$2" ]
}

# current: the containers of the pods now.
current() {
    of_test get pods --output jsonpath='{range .items[*].status.containerStatuses[*]}{.containerID}{"\n"}{end}' |
        sed 's,.*//,,'
}

# are_over: whether each container with records that is no current one has its poststop.
are_over() {
    local id
    snapshot
    new_ids "$WORK/all" "$before"
    current >"$WORK/current"
    while IFS= read -r id; do
        [[ " $(ran "$id") " == *" poststop/slow "* ]] || return
    done < <(grep --invert-match --fixed-strings --line-regexp --file="$WORK/current" "$WORK/all")
}

deploy "$SHAPE"
set_file slow.json \
    "{\"prestart\":[$(HOLD=3 hook prestart slow)],\"poststart\":[$(HOLD=3 hook poststart slow)],\"poststop\":[$(hook poststop slow)]}"
await "the slow hook-spec on the node" node test -e "$(node_file slow.json)"
snapshot
before=$(wc -l <"$RECORDS")
for round in "$RUNTIME_UNIT prestart" "$RUNTIME_UNIT poststart" "kubelet prestart"; do
    read -r unit stage <<<"$round"
    for number in 1 2 3; do
        make_pod "$unit-$stage-$number" app "$ANNOTATION: slow"
    done
    await "a hook of $stage" hook_runs "$stage" slow
    pid=$(main_pid "$unit")
    say "killing $unit, process $pid, in $stage"
    node kill -KILL "$pid"
    await "$unit to run again" has_restarted "$unit" "$pid"
    for number in 1 2 3; do
        of_test wait --for=condition=Ready "pod/$unit-$stage-$number" --timeout="${LIMIT}s"
    done
    await "the daemon to be registered" metric_is_above nri_oci_hooks_registered 0
    await "poststop of the inits that were cut off" are_over
done
without=0
while IFS= read -r id; do
    [ -n "$(records_of_stage "$id" prestart)" ] || without=$((without + 1))
done <"$WORK/current"
say "$without of 9 containers were created before the daemon was connected again"
metric_is nri_oci_hooks_containers_without_hooks "$without" || complain "not each of them is reported"
of_test delete pods --all --timeout="${LIMIT}s"
await "every poststop" are_over
while IFS= read -r id; do
    all=$(ran "$id")
    case $all in
        # A hook during which its runner was killed is not repeated.
        "prestart/default prestart/slow poststart/default poststart/slow poststop/default poststop/slow") ;;
        "prestart/default prestart/slow poststart/default poststop/default poststop/slow") ;;
        "prestart/default prestart/slow poststop/default poststop/slow") ;;
        "prestart/default poststop/default poststop/slow") ;;
        *) complain "container $id: there ran $all" ;;
    esac
done <"$WORK/all"
