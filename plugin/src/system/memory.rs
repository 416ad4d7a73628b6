//! Returns free memory to the node.

/// Larger blocks, of long messages, are returned to the kernel as soon as they are freed.
#[cfg(target_env = "gnu")]
const LARGE: libc::c_int = 64 * 1024;

/// Makes all threads share one heap, which retains little free memory. Call this before there are threads.
///
/// Otherwise the allocator gives each thread a heap of its own, and each retains its peak.
pub(crate) fn share_heap() {
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

/// Returns unused memory to the kernel: free heap memory, and the pages of code that ran only at the start.
/// Otherwise the allocator retains the memory of a large message (Synchronize of thousands of containers)
/// forever.
pub(crate) fn return_free_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim takes the allocator's own locks and touches free memory only.
    unsafe {
        libc::malloc_trim(0);
    }
    unmap_code();
}

/// Unmaps the pages of this program's code. When code is executed next, the kernel maps its page again from
/// the cache of the file.
fn unmap_code() {
    unsafe extern "C" {
        // The linker's names for the end of the code, and for the start of the program's file.
        static __executable_start: u8;
        static etext: u8;
    }
    // SAFETY: it reads a number.
    let Ok(page) = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }) else {
        return;
    };
    let (start, end) = ((&raw const __executable_start).addr(), (&raw const etext).addr());
    // Only whole pages: the data after the code in its last page may have been written to.
    let start = start.next_multiple_of(page);
    let Some(length) = (end / page * page).checked_sub(start) else {
        return;
    };
    // SAFETY: these pages map the file itself, which is never written: read again, it is the same. If that is
    // not so, the call fails and changes nothing.
    unsafe {
        libc::madvise(
            std::ptr::without_provenance_mut(start),
            length,
            libc::MADV_DONTNEED,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_that_was_unmapped_runs_with_the_same_data() {
        let before = format!("{:?} {}", std::env::current_exe(), f64::MAX);
        return_free_memory();
        assert_eq!(format!("{:?} {}", std::env::current_exe(), f64::MAX), before);
    }
}
