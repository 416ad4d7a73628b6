# The addresses and names of a cluster. Its network is a namespace of its own, so they collide with nobody's.
# shellcheck shell=bash
# shellcheck disable=SC2034 # used by who sources this

readonly NODE_NAME=node
readonly NODE_ADDRESS=10.10.0.1
# The first address of the services is the API server's. The node has it as an address, since nothing translates any.
readonly SERVICES=10.96.0.0/16
readonly API_ADDRESS=10.96.0.1
readonly API_SERVER=https://$API_ADDRESS:443
readonly PODS=10.244.0.0/16
readonly REGISTRY_PORT=5000
# The socket that the kubelet uses, a link to that of the container runtime.
readonly RUNTIME_SOCKET=/run/runtime.sock
# How long anything may take to come up, in seconds.
readonly START_LIMIT=180

# Built by hack/build-runtimes.
readonly KUBERNETES=kubernetes-1.36
readonly ETCD=etcd-3.6
readonly CRI_TOOLS=cri-tools-1.37
readonly CNI=cni-1.9
