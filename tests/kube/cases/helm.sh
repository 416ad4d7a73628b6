# Installed, upgraded, rolled back and uninstalled with Helm, the daemon gives the hooks that the values have.
# shellcheck shell=bash

HELM=${HELM:-helm}
command -v "$HELM" >/dev/null || {
    not_tested "the Helm chart" "helm was not found: install it, or say HELM=/path/to/helm"
    return
}

# values: those of the chart.
values() {
    chart_values
    printf 'specs:\n  extra: %s\n' "$(recording_spec extra)"
}

# life NAME: a pod that selects lives; writes down the id of its container.
life() {
    run_pod "$1" app "$ANNOTATION: extra"
    container_id "$1" 0 >>"$WORK/lives"
    delete_pod "$1"
}

[ -z "$(deployed_shape)" ] || undeploy
chart_namespaces
values >"$WORK/values.yaml"
: >"$WORK/lives"
trap remove_chart EXIT
chart install "$ROOT/deploy/helm/nri-oci-hooks" --values "$WORK/values.yaml" --wait
life installed
run_pod old app
old=$(container_id old 0)
chart upgrade "$ROOT/deploy/helm/nri-oci-hooks" --values "$WORK/values.yaml" --set podAnnotations.round=two --wait
life upgraded
chart rollback --wait
life rolled-back
chart uninstall --wait
run_pod new app
new=$(container_id new 0)
delete_pod new
delete_pod old
snapshot
assert_each "$WORK/lives" prestart/default prestart/extra poststart/default poststart/extra poststop/default poststop/extra
assert_ran "$old" prestart/default poststart/default poststop/default
assert_ran "$new"
