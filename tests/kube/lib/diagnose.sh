# The diagnostics of a failed case, and the clean-up at the end.
# shellcheck shell=bash

# keep FILE COMMAND...: what a command says goes to a file of the diagnostics; that it fails is no matter here.
keep() {
    local file=$1
    shift
    "$@" >"$file" 2>&1 || printf '(ended with %d)\n' $? >>"$file"
}

# diagnose DIRECTORY: collects all diagnostics of the cluster and the node.
diagnose() {
    local directory=$1
    mkdir -p "$directory"
    say "writing diagnostics to $directory"
    keep "$directory/daemon.log" of_daemon logs --selector "$SELECTOR" --all-containers --prefix --tail=-1
    keep "$directory/daemon-before.log" of_daemon logs --selector "$SELECTOR" --previous --prefix --tail=-1
    keep "$directory/daemon.txt" of_daemon describe daemonset,pods,configmaps
    keep "$directory/daemon-events.txt" of_daemon get events --sort-by=.lastTimestamp
    keep "$directory/pods.txt" of_test describe pods
    keep "$directory/pods.yaml" of_test get pods --output yaml
    keep "$directory/pods-events.txt" of_test get events --sort-by=.lastTimestamp
    keep "$directory/nodes.txt" kubectl describe node "$NODE"
    keep "$directory/records.txt" node cat "$NODE_DIRECTORY/records"
    keep "$directory/configuration.txt" node sh -c "head -n 999 $CONFIG_DIRECTORY/*.* $CONFIG_DIRECTORY/specs/*"
    # In the full shape the program is on the node; in the other there is none to ask.
    keep "$directory/ps.txt" node "$RUNNER" ps
    keep "$directory/log.txt" node "$RUNNER" log
    keep "$directory/doctor.txt" node "$RUNNER" doctor
    keep "$directory/runtime.txt" node "$RUNTIME_UNIT" --version
    keep "$directory/runc.txt" node runc --version
    keep "$directory/runtime.log" node journalctl --unit "$RUNTIME_UNIT" --no-pager --lines 2000
    keep "$directory/kubelet.log" node journalctl --unit kubelet --no-pager --lines 1000
    cp "$WORK"/*.yaml "$directory" 2>/dev/null || true
}

# clean_up: removes what the tests have made in the cluster and on the node. The hooks' program stays: containers that
# others have made meanwhile may have it among their hooks.
clean_up() {
    say "cleaning up"
    kubectl delete namespace "$TEST_NAMESPACE" --ignore-not-found --timeout="${LIMIT}s" || true
    if [ -n "$(deployed_shape)" ]; then
        undeploy || true
    fi
    # It is ours: run goes no further than where it finds another.
    kubectl delete namespace "$NAMESPACE" --ignore-not-found --timeout="${LIMIT}s" || true
    node rm -rf "$NODE_DIRECTORY" || true
}
