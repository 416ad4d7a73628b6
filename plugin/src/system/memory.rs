//! Memory that is free, given back to the node.

/// Returns free heap memory to the kernel. The allocator keeps what a large message needed
/// (Synchronize of thousands of containers) for ever otherwise.
pub fn return_free_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim takes the allocator's own locks and touches free memory only.
    unsafe {
        libc::malloc_trim(0);
    }
}
