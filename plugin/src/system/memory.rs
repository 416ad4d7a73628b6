//! Memory that is free, given back to the node.

/// Larger blocks are the kernel's at once when they are freed: those of long messages.
#[cfg(target_env = "gnu")]
const LARGE: libc::c_int = 64 * 1024;

/// Has all threads share one heap, of which little is kept when it is free. To be called before there are threads.
///
/// The allocator gives each thread a heap of its own otherwise, and each keeps what its thread once needed.
pub fn share_heap() {
    #[cfg(target_env = "gnu")]
    for (parameter, value) in [
        (libc::M_ARENA_MAX, 1),
        (libc::M_MMAP_THRESHOLD, LARGE),
        (libc::M_TRIM_THRESHOLD, LARGE),
    ] {
        // SAFETY: mallopt takes two numbers and changes the allocator's own settings.
        unsafe {
            libc::mallopt(parameter, value);
        }
    }
}

/// Returns free heap memory to the kernel. The allocator keeps what a large message needed
/// (Synchronize of thousands of containers) for ever otherwise.
pub fn return_free_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim takes the allocator's own locks and touches free memory only.
    unsafe {
        libc::malloc_trim(0);
    }
}
