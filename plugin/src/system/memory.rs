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

/// Returns to the kernel what is not needed any more: free heap memory, which the allocator keeps for ever otherwise
/// after a large message (Synchronize of thousands of containers), and the pages of code that ran at the start alone.
pub fn return_free_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim takes the allocator's own locks and touches free memory only.
    unsafe {
        libc::malloc_trim(0);
    }
    unmap_code();
}

/// Unmaps the pages of this program's code. The kernel maps each again, from its cache of the file, when it is next
/// executed.
fn unmap_code() {
    unsafe extern "C" {
        // The linker's names of where the code ends, and of where the program's file begins.
        static __executable_start: u8;
        static etext: u8;
    }
    // SAFETY: it reads a number.
    let Ok(page) = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }) else {
        return;
    };
    let (start, end) = ((&raw const __executable_start).addr(), (&raw const etext).addr());
    // Whole pages: what lies behind the code in its last one may have been written to.
    let start = start.next_multiple_of(page);
    let Some(length) = (end / page * page).checked_sub(start) else {
        return;
    };
    // SAFETY: what is mapped there is the file itself, which nobody writes: read again it is the same. It fails, and
    // changes nothing, where it is not so.
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
    fn code_that_was_unmapped_runs_and_what_it_knows_is_the_same() {
        let before = format!("{:?} {}", std::env::current_exe(), f64::MAX);
        return_free_memory();
        assert_eq!(format!("{:?} {}", std::env::current_exe(), f64::MAX), before);
    }
}
