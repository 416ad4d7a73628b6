# A hook that the node's base runtime spec gives to every container is kept, and ours are beside it. Only kind's nodes
# have one.
# shellcheck shell=bash

# hooks_of ID STAGE: the programs of a container's OCI hooks.
hooks_of() {
    # shellcheck disable=SC2016 # the node's shell expands it
    node sh -c 'crictl inspect "$1" | jq -r ".info.runtimeSpec.hooks.$2[]?.path"' hooks "$1" "$2"
}

if ! is_kind; then
    not_tested "that kind's own hook is kept" "$NODE is no node of kind's"
    return
fi
deploy "$SHAPE"
run_pod web app
id=$(container_id web 0)
own=$(hooks_of "$id" createContainer)
ours=$(hooks_of "$id" prestart)
say "createContainer: ${own//$'\n'/ }; prestart: ${ours//$'\n'/ }"
grep -qxF "$KIND_HOOK" <<<"$own" || complain "kind's own hook is gone"
if [ "$SHAPE" = full ]; then
    grep -qxF "$RUNNER" <<<"$ours" || complain "the runner is not there"
else
    grep -qxF "$HOOK_DIRECTORY/kube-record" <<<"$ours" || complain "our hook is not there"
fi
delete_pod web
