//! Whether this process is in a pod.

/// Whether this process is in a pod, or was started in one: the kubelet gives every container the address of
/// the API server.
pub(crate) fn is_in_pod() -> bool {
    std::env::var_os("KUBERNETES_SERVICE_HOST").is_some()
}
