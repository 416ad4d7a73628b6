# An image brings hook programs to the node, and a container keeps the version that it was created with: by kustomize and
# by Helm.
# shellcheck shell=bash

[ -n "${HOOK_IMAGES:-}" ] || {
    not_tested "hook programs by image" "it takes HOOK_IMAGES, two versions of tests/kube/hook-image on the node"
    return
}
read -r FIRST SECOND <<<"$HOOK_IMAGES"
readonly IMAGES_DIRECTORY=$HOOK_DIRECTORY/images/kube

# image_spec: a hook-spec whose hooks run the program of the image.
image_spec() {
    recording_spec image | sed "s|$HOOK_DIRECTORY/kube-record|$IMAGES_DIRECTORY/current/record|g"
}

# component IMAGE: the component of kustomize, copied as the documentation says, with this image.
component() {
    mkdir -p "$WORK/hook-images"
    sed "s|localhost/nri-oci-hooks-example:1|$1|; s|hook-image-example|hook-image-kube|; s|--name=example|--name=kube|" \
        "$KUSTOMIZE/components/hook-images/kustomization.yaml" >"$WORK/hook-images/kustomization.yaml"
}

# deploy_image IMAGE: deploys the shape with the component.
deploy_image() {
    component "$1"
    COMPONENTS=$(realpath --relative-to="$KUSTOMIZE/components" "$WORK/hook-images") deploy "$SHAPE"
}

# current_is IMAGE: whether that is the current version on the node, whose program says so.
current_is() {
    node grep --quiet --fixed-strings "image-${1##*:}" "$IMAGES_DIRECTORY/current/record"
}

# by_kustomize: only for the shape full.
by_kustomize() {
    local old new
    deploy_image "$FIRST"
    set_file image.json "$(image_spec)"
    await "the first version" current_is "$FIRST"
    await "the hook-spec on the node" node test -e "$(node_file image.json)"
    [ "$(node stat --dereference --format '%U %a' "$IMAGES_DIRECTORY/current/record")" = "root 755" ]
    run_pod old app "$ANNOTATION: image"
    old=$(container_id old 0)
    deploy_image "$SECOND"
    await "the second version" current_is "$SECOND"
    run_pod new app "$ANNOTATION: image"
    new=$(container_id new 0)
    node "$RUNNER" status >"$WORK/status"
    grep --fixed-strings "of image kube, $SECOND, sha256:" "$WORK/status" ||
        complain "status does not name the image: $(cat "$WORK/status")"
    delete_pod old
    delete_pod new
    snapshot
    assert_ran "$old" prestart/{default,image-1} poststart/{default,image-1} poststop/{default,image-1}
    assert_ran "$new" prestart/{default,image-2} poststart/{default,image-2} poststop/{default,image-2}
    undeploy
}

# values IMAGE: those of the chart.
values() {
    chart_values
    printf 'hookImages: [{name: kube, image: "%s"}]\nspecs:\n  image: %s\n' "$1" "$(image_spec)"
}

# by_helm: each version serves the containers of its time.
by_helm() {
    local verb image
    chart_namespaces
    trap remove_chart EXIT
    for verb in install upgrade; do
        [ "$verb" = install ] && image=$FIRST || image=$SECOND
        values "$image" >"$WORK/values.yaml"
        chart "$verb" "$ROOT/deploy/helm/nri-oci-hooks" --values "$WORK/values.yaml" --wait
        await "the version $image" current_is "$image"
        run_pod "$verb" app "$ANNOTATION: image"
        container_id "$verb" 0 >"$WORK/life"
        delete_pod "$verb"
        snapshot
        assert_each "$WORK/life" prestart/{default,image-"${image##*:}"} poststart/{default,image-"${image##*:}"} \
            poststop/{default,image-"${image##*:}"}
    done
}

[ -z "$(deployed_shape)" ] || undeploy
# The component is only for that shape.
[ "$SHAPE" != full ] || by_kustomize
HELM=${HELM:-helm}
if command -v "$HELM" >/dev/null; then
    by_helm
else
    not_tested "hook programs by image, with the chart" "helm was not found: install it, or say HELM=/path/to/helm"
fi
