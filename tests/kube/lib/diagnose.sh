# What is written down when a case fails, and what is cleaned up in the end.
# shellcheck shell=bash

# keep FILE COMMAND...: what a command says goes to a file of the diagnostics; that it fails is no matter here.
keep() {
    local file=$1
    shift
    "$@" >"$file" 2>&1 || printf '(ended with %d)\n' $? >>"$file"
}

# diagnose FOLDER: all that tells what happened, from the cluster and from the node.
diagnose() {
    local folder=$1
    mkdir -p "$folder"
    say "writing diagnostics to $folder"
    keep "$folder/daemon.log" of_daemon logs --selector "$SELECTOR" --all-containers --prefix --tail=-1
    keep "$folder/daemon-before.log" of_daemon logs --selector "$SELECTOR" --previous --prefix --tail=-1
    keep "$folder/daemon.txt" of_daemon describe daemonset,pods,configmaps
    keep "$folder/daemon-events.txt" of_daemon get events --sort-by=.lastTimestamp
    keep "$folder/pods.txt" of_test describe pods
    keep "$folder/pods.yaml" of_test get pods --output yaml
    keep "$folder/pods-events.txt" of_test get events --sort-by=.lastTimestamp
    keep "$folder/nodes.txt" kubectl describe node "$NODE"
    keep "$folder/records.txt" node cat "$NODE_FOLDER/records"
    keep "$folder/configuration.txt" node sh -c "head -n 999 $CONFIG_FOLDER/*.* $CONFIG_FOLDER/specs/*"
    # In the full shape the program is on the node; in the other there is none to ask.
    keep "$folder/ps.txt" node "$RUNNER" ps
    keep "$folder/log.txt" node "$RUNNER" log
    keep "$folder/doctor.txt" node "$RUNNER" doctor
    keep "$folder/runtime.txt" node containerd --version
    keep "$folder/runc.txt" node runc --version
    keep "$folder/containerd.log" node journalctl --unit containerd --no-pager --lines 2000
    keep "$folder/kubelet.log" node journalctl --unit kubelet --no-pager --lines 1000
    cp "$WORK"/*.yaml "$folder" 2>/dev/null || true
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
    node rm -rf "$NODE_FOLDER" || true
}
