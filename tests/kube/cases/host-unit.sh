# With the daemon as a unit of the host, the first pod after a boot has its hooks. That also holds with an invalid file in a
# ConfigMap.
# The unit goes with the DaemonSet.
# shellcheck shell=bash

if [ "$SHAPE" != full ] || [ -z "${NODE_REBOOT:-}" ] || ! node test -d /run/systemd/system; then
    not_tested "a unit of the host" "it takes the full shape, systemd on the node, and NODE_REBOOT, which is to reboot it"
    return
fi

UNIT=nri-oci-hooks.service
hooks=(prestart/default prestart/extra poststart/default poststart/extra poststop/default poststop/extra)
COMPONENTS=host-unit deploy "$SHAPE"
node systemctl is-active "$UNIT"
ids=()
for name in one two three; do
    run_pod "$name" app "$ANNOTATION: extra"
    ids+=("$(container_id "$name" 0)")
done
for file in config.toml default.json extra.json; do
    set_file "$file" "$(invalid_text "$file")"
    await "$file to be refused" is_refused "$file"
    say "rebooting the node, with $file invalid"
    # shellcheck disable=SC2086 # a command of several words
    $NODE_REBOOT
    for name in one two three; do
        await "pod $name after the reboot" is_anew "$name" "${ids[*]}"
        ids+=("$(container_id "$name" 0)")
    done
    await "the daemon to be registered" metric_is_above nri_oci_hooks_registered 0
    metric_is nri_oci_hooks_containers_without_hooks 0 || complain "a container came up without its hooks"
    set_default_files
    await "$file to be valid again" is_taken "$file"
done
for name in one two three; do
    delete_pod "$name"
done
snapshot
for id in "${ids[@]}"; do
    assert_ran "$id" "${hooks[@]}"
done

undeploy
await "the removal to be arranged" node systemctl is-active nri-oci-hooks-removal.timer
say "the unit is to be removed: now, and not in 5 minutes"
node systemctl start nri-oci-hooks-removal.service
await "the unit to be gone" node test ! -e "/etc/systemd/system/$UNIT"
