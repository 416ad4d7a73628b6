# A pod that is deleted by force, while it runs or in the middle of a prestart hook, gets its poststop, once.
# shellcheck shell=bash

# has_ended: whether the pod that was starting has its last hook on record.
has_ended() {
    snapshot
    new_ids "$WORK/forced" "$before"
    [[ " $(ran "$(cat "$WORK/forced")") " == *" poststop/slow "* ]]
}

deploy "$SHAPE"
set_file slow.json "{\"prestart\":[$(HOLD=8 hook prestart slow)],\"poststop\":[$(hook poststop slow)]}"
await "the slow hook-spec on the node" node test -e "$(node_file slow.json)"
run_pod running app
running=$(container_id running 0)
of_test delete pod running --grace-period=0 --force
await "poststop of what ran" has_run "$running" poststop/default
assert_ran "$running" prestart/default poststart/default poststop/default

before=$(wc -l <"$RECORDS")
make_pod starting app "$ANNOTATION: slow"
await "its prestart hook" hook_runs prestart slow
of_test delete pod starting --grace-period=0 --force
await "poststop of what was starting" has_ended
starting=$(cat "$WORK/forced")
# It may have started before it was stopped.
case " $(ran "$starting") " in
    *" poststart/"*) assert_ran "$starting" prestart/default prestart/slow poststart/default poststop/default poststop/slow ;;
    *) assert_ran "$starting" prestart/default prestart/slow poststop/default poststop/slow ;;
esac
