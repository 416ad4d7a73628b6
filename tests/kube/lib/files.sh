# The daemon's files: invalid ones in the ConfigMaps, and what the node has of them.
# shellcheck shell=bash

# config_map FILE: the ConfigMap that has the file.
config_map() {
    case $1 in
        config.toml | default.json) printf '%s\n' "$DAEMON" ;;
        *) printf '%s\n' "$DAEMON-specs" ;;
    esac
}

# node_file FILE: where the node has the file.
node_file() {
    case $1 in
        config.toml | default.json) printf '%s\n' "$CONFIG_DIRECTORY/$1" ;;
        *) printf '%s\n' "$CONFIG_DIRECTORY/specs/$1" ;;
    esac
}

# set_file FILE TEXT: has the ConfigMap hold the text as the file, and kubelet read it now.
set_file() {
    local text=${2//\\/\\\\}
    text=${text//\"/\\\"}
    text=${text//$'\n'/\\n}
    of_daemon patch configmap "$(config_map "$1")" --type merge --patch "{\"data\":{\"$1\":\"$text\"}}"
    touch_daemon_pod
}

# invalid_text FILE: what the daemon refuses as the file, by one wrong letter or one relative path.
invalid_text() {
    case $1 in
        config.toml) printf '%s\n' 'hook_sepc = "/etc/nri-oci-hooks/default.json"' ;;
        *) printf '%s\n' '{"prestart":[{"path":"relative"}]}' ;;
    esac
}

# set_default_files: has the ConfigMaps hold what deploy has put there, and kubelet read it now.
set_default_files() {
    kubectl apply --filename "$WORK/manifests.yaml"
    touch_daemon_pod
}

# is_refused FILE: whether the node has the file as one that the daemon refuses, beside the one that it goes by.
is_refused() {
    node test -e "$(node_file "$1").refused"
}

# is_taken FILE: whether it does not, or no longer.
is_taken() {
    node test ! -e "$(node_file "$1").refused"
}

# is_another_daemon LIFE: whether another daemon than the one of that life is registered.
is_another_daemon() {
    local now
    now=$(daemon_life 2>/dev/null) && [ "$now" != "$1" ] && metric_is_above nri_oci_hooks_registered 0
}
