//! Counters of the reads of hook files, and of their results, over the life of the process and for all
//! selectors.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Format;

static HOOK_SPECS: Counts = Counts::new();
static HOOKS_D: Counts = Counts::new();

struct Counts {
    good: AtomicU64,
    bad: AtomicU64,
}

impl Counts {
    const fn new() -> Counts {
        Counts {
            good: AtomicU64::new(0),
            bad: AtomicU64::new(0),
        }
    }

    fn of(format: Format) -> &'static Counts {
        match format {
            Format::HookSpec => &HOOK_SPECS,
            Format::HooksD => &HOOKS_D,
        }
    }
}

/// The numbers of reads of files of one format since the start of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Loads {
    /// Valid files.
    pub(crate) good: u64,
    /// Invalid files.
    pub(crate) bad: u64,
}

impl Loads {
    /// The numbers for files of this `format`.
    pub(crate) fn of(format: Format) -> Loads {
        let counts = Counts::of(format);
        Loads {
            good: counts.good.load(Ordering::Relaxed),
            bad: counts.bad.load(Ordering::Relaxed),
        }
    }
}

pub(super) fn count(format: Format, is_good: bool) {
    let counts = Counts::of(format);
    let count = if is_good { &counts.good } else { &counts.bad };
    count.fetch_add(1, Ordering::Relaxed);
}
