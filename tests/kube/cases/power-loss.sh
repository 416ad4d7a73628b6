# The node is switched off in the middle of hooks. After the boot each container from before gets its poststop, once, while
# its pod goes on.
# shellcheck shell=bash

if [ "$SHAPE" != full ] || [ -z "${NODE_REBOOT:-}" ]; then
    not_tested "a loss of power in the middle of hooks" "it takes the full shape, and NODE_REBOOT, which is to reboot the node"
    return
fi

# all_run: whether a hook of each stage runs.
all_run() {
    hook_runs prestart slow && hook_runs poststart slow && hook_runs poststop slow
}

# are_over: whether each container with records from before the boot has its poststop.
are_over() {
    local id
    snapshot
    while IFS= read -r id; do
        [[ " $(ran "$id") " == *" poststop/last "* ]] || return
    done <"$WORK/from-before"
}

deploy "$SHAPE"
set_file slow.json "{\"prestart\":[$(HOLD=15 hook prestart slow)],\"poststart\":[$(HOLD=15 hook poststart slow)]}"
set_file stop.json "{\"poststop\":[$(HOLD=15 hook poststop slow),$(hook poststop last)]}"
await "the hook-specs on the node" node test -e "$(node_file slow.json)" -a -e "$(node_file stop.json)"
snapshot
before=$(wc -l <"$RECORDS")
run_pod stopping app "$ANNOTATION: stop"
run_pod running app "$ANNOTATION: stop"
make_pod in-poststart app "$ANNOTATION: slow,stop"
await "its poststart" hook_runs poststart slow
make_pod in-prestart app "$ANNOTATION: slow,stop"
of_test delete pod stopping --wait=false
await "a hook of each stage to run" all_run
snapshot
new_ids "$WORK/from-before" "$before"
[ "$(wc -l <"$WORK/from-before")" = 4 ] || complain "not four containers: $(cat "$WORK/from-before")"
say "switching the node off"
# shellcheck disable=SC2086 # a command of several words
$NODE_REBOOT
await "every poststop" are_over
while IFS= read -r id; do
    # Hooks that were interrupted are not repeated.
    case $(ran "$id") in
        "prestart/default poststart/default poststop/default poststop/last") ;;
        "prestart/default poststart/default poststop/default poststop/slow poststop/last") ;;
        "prestart/default prestart/slow poststart/default poststop/default poststop/slow poststop/last") ;;
        "prestart/default poststop/default poststop/slow poststop/last") ;;
        *) complain "container $id: there ran $(ran "$id")" ;;
    esac
done <"$WORK/from-before"
