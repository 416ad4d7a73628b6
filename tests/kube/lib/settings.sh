# The settings from outside, and the names in the manifests.
# shellcheck shell=bash
# shellcheck disable=SC2034 # used by who sources this

# The image of the daemon; it must be on the node already, or in a registry that the node reaches.
IMAGE=${IMAGE:-localhost/nri-oci-hooks:0.1.0}
# The image of the pods under test: anything with sh, sleep and a root that can be written to.
WORKLOAD_DIGEST=sha256:9db7b59979c38555a39def84a31fb98b5296952f9e3afd4f6f11f05b07adfab0
WORKLOAD_IMAGE=${WORKLOAD_IMAGE:-docker.io/library/busybox:1.37.0@$WORKLOAD_DIGEST}
# Where the two shapes are, full and least-privilege.
KUSTOMIZE=${KUSTOMIZE:-$ROOT/deploy/kustomize}
# The namespace of the pods under test.
TEST_NAMESPACE=${TEST_NAMESPACE:-nri-oci-hooks-test}
# For how many seconds anything is awaited.
LIMIT=${LIMIT:-180}
# Where diagnostics go when a case fails.
ARTIFACTS=${ARTIFACTS:-$ROOT/target/kube}

# On the node: where the hook program goes (a directory that least-privilege mounts), its records, and the
# configuration.
HOOK_DIRECTORY=${HOOK_DIRECTORY:-/usr/local/lib/nri-oci-hooks}
NODE_DIRECTORY=${NODE_DIRECTORY:-/var/lib/nri-oci-hooks-kube}
CONFIG_DIRECTORY=${CONFIG_DIRECTORY:-/etc/nri-oci-hooks}
NRI_SOCKET=${NRI_SOCKET:-/var/run/nri/nri.sock}
# The unit of the node's container runtime: containerd or crio.
RUNTIME_UNIT=${RUNTIME_UNIT:-containerd}
# The hook that every container on a node of kind's has, from the base runtime spec.
KIND_HOOK=${KIND_HOOK:-/kind/bin/mount-product-files.sh}
# How long each hook takes, in seconds: what comes too early or too late is seen.
HOLD=${HOLD:-0.3}

# Names of the manifests.
NAMESPACE=nri-oci-hooks
DAEMON=nri-oci-hooks
SELECTOR=app.kubernetes.io/name=nri-oci-hooks,app.kubernetes.io/component=daemon
PORT=9790
ANNOTATION=hook-spec.noderesource.dev
# Where the full shape puts the program on the node.
RUNNER=${RUNNER:-/usr/local/bin/nri-oci-hooks}

# The program of a container under test: it leaves a file whose time says when it began, and ends on SIGTERM.
WORKLOAD=': > started; trap "exit 0" TERM; sleep 2147483647 & wait'
