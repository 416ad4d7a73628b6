# A file of a ConfigMap that becomes invalid, and a rollout after it, cost no container its hooks: the daemon goes by
# the last valid one, and by the ConfigMap's again when that is fixed.
# shellcheck shell=bash

deploy "$SHAPE"
hooks=(prestart/default prestart/extra poststart/default poststart/extra poststop/default poststop/extra)
made=()
for file in config.toml default.json extra.json; do
    say "$file is invalid"
    set_file "$file" "$(invalid_text "$file")"
    await "$file to be refused" is_refused "$file"

    life=$(daemon_life)
    of_daemon rollout restart "daemonset/$DAEMON"
    await "the next daemon" is_another_daemon "$life"
    run_pod "after-${file%.*}" app "$ANNOTATION: extra"
    made+=("$(container_id "after-${file%.*}" 0)")
    await "$file to be refused by the next daemon too" is_refused "$file"

    set_default_files
    await "$file to be valid again" is_taken "$file"
    of_daemon rollout status "daemonset/$DAEMON" --timeout="${LIMIT}s"
done
for file in config default extra; do
    delete_pod "after-$file"
done
snapshot
for id in "${made[@]}"; do
    assert_ran "$id" "${hooks[@]}"
done
