# The node: running something on it without standard input, its files, its clock.
# shellcheck shell=bash

# node COMMAND...: runs a command on the node. docker exec and nsenter pass its words as they are. ssh joins them for a
# shell that splits them again, so then they are quoted. The first call detects which.
node() {
    local words
    if [ -z "${NODE_REREADS:-}" ]; then
        # shellcheck disable=SC2086 # a prefix of several words
        case $($NODE_EXEC printf %s 'a  b' </dev/null) in
            'a  b') NODE_REREADS=no ;;
            ab | 'a b') NODE_REREADS=yes ;;
            *) die "NODE_EXEC=\"$NODE_EXEC\" does not run a command: try $NODE_EXEC uname -a" ;;
        esac
        export NODE_REREADS
    fi
    words=("$@")
    [ "$NODE_REREADS" = no ] || words=("${@@Q}")
    # shellcheck disable=SC2086 # a prefix of several words
    $NODE_EXEC "${words[@]}" </dev/null
}

# node_write FILE MODE: writes standard input of this command (not of the node's) to a file there, whole or not at all.
node_write() {
    local script
    # shellcheck disable=SC2016 # the node's shell expands it
    script='umask 022; mkdir -p "$(dirname "$1")"; echo "$3" | base64 -d >"$1.new"'
    # shellcheck disable=SC2016
    script+='; chmod "$2" "$1.new"; mv "$1.new" "$1"'
    node sh -euc "$script" write "$1" "$2" "$(base64 | tr -d '\n')"
}

# node_now: the node's clock, in nanoseconds: that by which hooks record.
node_now() {
    node date +%s%N
}

# node_hostname: the name that the node has for itself.
node_hostname() {
    node cat /proc/sys/kernel/hostname
}

# is_kind: whether the node is one of kind's.
is_kind() {
    node test -e "$KIND_HOOK"
}

# started PID: when init left its file, in nanoseconds. Read while it runs: the file goes with the container.
started() {
    local time
    time=$(node stat --format=%.9Y "/proc/$1/cwd/started") || return
    printf '%s\n' "${time/./}"
}

# program PID: the program that a process of the node runs now.
program() {
    node readlink "/proc/$1/exe" | tr ' \t' '__'
}

# require_node: says what the node lacks before anything is changed.
require_node() {
    local now
    # Here, and not in a subshell: what this first call finds out is for all.
    node true
    [ "$(node id -u)" = 0 ] || die "NODE_EXEC must run commands as root: append sudo to it"
    now=$(node_now)
    [[ $now =~ ^[0-9]{19}$ ]] || die "date on the node does not tell nanoseconds ($now): it needs GNU coreutils"
    node test -e "$NRI_SOCKET" || die "the node has no $NRI_SOCKET: switch NRI on, see deploy/containerd"
}
