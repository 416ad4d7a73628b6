# An edit of the ConfigMap becomes active for later containers, without a restart of the daemon. Earlier containers keep
# their hooks.
# shellcheck shell=bash

deploy "$SHAPE"
run_pod before app
before=$(container_id before 0)
life=$(daemon_life)

edited=$(recording_spec edited)
of_daemon patch configmap "$DAEMON" --type merge --patch "{\"data\":{\"default.json\":\"${edited//\"/\\\"}\"}}"
touch_daemon_pod
await "the edit to reach the node" config_says '"record","prestart","edited"'

run_pod after app
after=$(container_id after 0)
delete_pod after
delete_pod before
snapshot
assert_ran "$after" prestart/edited poststart/edited poststop/edited
assert_ran "$before" prestart/default poststart/default poststop/default
[ "$(daemon_life)" = "$life" ] || complain "the daemon was restarted"
