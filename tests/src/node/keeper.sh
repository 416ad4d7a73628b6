#!/bin/sh
# Keeps one node of the tests: its namespaces live as long as standard input stays open. Then, also when the
# test was killed, everything in them is killed by the kernel and what they leave on the machine is removed.
#
# usage: keeper.sh FOLDER CGROUP CGROUP2
#   FOLDER   the node's folder, removed in the end
#   CGROUP   name of the control group of its pods, below the root of every hierarchy; removed in the end
#   CGROUP2  "yes" if the node must see the unified hierarchy at /sys/fs/cgroup where the machine has it elsewhere
set -u

# In the node: private /run (shims and OCI runtimes have fixed paths there) and /var/log (where a plugin that a runtime
# launches has its log), then process 1, which reaps what is orphaned until standard input ends.
# shellcheck disable=SC2016 # the shell inside expands these
unshare --mount --pid --fork --mount-proc --propagation slave sh -euc '
    mount -t tmpfs -o mode=755 tmpfs /run
    mount -t tmpfs -o mode=755 tmpfs /var/log
    if [ "$1" = yes ]; then mount -t cgroup2 cgroup2 /sys/fs/cgroup; fi
    exec 3<&0
    cat <&3 >/dev/null &
    echo ready
    wait $!
' node "$3"

awk '$3 == "cgroup" || $3 == "cgroup2" { print $2 }' /proc/self/mounts | (
    status=0
    while read -r hierarchy; do
        if [ -d "$hierarchy/$2" ]; then
            find "$hierarchy/$2" -depth -type d -exec rmdir {} + || status=1
        fi
    done
    exit $status
)
groups=$?
rm -rf --one-file-system "$1" || exit
exit $groups
