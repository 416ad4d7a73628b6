#!/bin/sh
# Keeps one node of the tests: its namespaces live as long as standard input stays open. Then, also when the
# test was killed, everything in them is killed by the kernel and what they leave on the machine is removed.
#
# usage: keeper.sh DIRECTORY CGROUP CGROUP2 PATH...
#   DIRECTORY   the node's directory, removed in the end
#   CGROUP   name of the control group of its pods, below the root of every hierarchy; removed in the end
#   CGROUP2  "yes" if the node must see the unified hierarchy at /sys/fs/cgroup where the machine has it elsewhere
#   PATH     what the node needs of the machine's files; they may lie on any file system
set -u
directory=$1 group=$2 cgroup2=$3
shift 3

# In the node, first: of the machine's mounts only those that it needs. The others come and go, and a copy keeps them
# busy. A mount hidden below another cannot be unmounted by its path; nobody sees it either.
# Then: private /run (shims and OCI runtimes have fixed paths there) and /var/log (where a plugin that a runtime
# launches has its log). Then init, which reaps what is orphaned until standard input ends.
# shellcheck disable=SC2016 # the shell inside expands these
unshare --mount --pid --fork --mount-proc --propagation private sh -euc '
    cgroup2=$1
    shift
    awk "
        BEGIN { while (ARGC > 1) needed[ARGV[--ARGC]] }
        {
            mount = \$5
            gsub(/\\\\040/, \" \", mount)
            keep = mount ~ \"^/[^/]*\$\" || mount ~ \"^/(proc|sys|dev|etc)/\"
            for (path in needed) keep = keep || index(path \"/\", mount \"/\") == 1
            if (!keep) unneeded[++count] = mount
        }
        END { for (; count; count--) print unneeded[count] }
    " "$@" </proc/self/mountinfo | xargs --no-run-if-empty --delimiter="\n" umount --lazy || true
    mount -t tmpfs -o mode=755 tmpfs /run
    mount -t tmpfs -o mode=755 tmpfs /var/log
    if [ "$cgroup2" = yes ]; then mount -t cgroup2 cgroup2 /sys/fs/cgroup; fi
    exec 3<&0
    cat <&3 >/dev/null &
    echo ready
    wait $!
' node "$cgroup2" "$directory" "$@"

awk '$3 == "cgroup" || $3 == "cgroup2" { print $2 }' /proc/self/mounts | (
    status=0
    while read -r hierarchy; do
        if [ -d "$hierarchy/$group" ]; then
            find "$hierarchy/$group" -depth -type d -exec rmdir {} + || status=1
        fi
    done
    exit $status
)
groups=$?
rm -rf --one-file-system "$directory" || exit
exit $groups
