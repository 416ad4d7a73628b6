//! How often files of hooks were read, and how they fared: counted over the life of the process,
//! whatever selector had them read.

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

/// How often files of one format were read since the process began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loads {
    /// Without an error in them.
    pub good: u64,
    /// With errors.
    pub bad: u64,
}

impl Loads {
    /// Of files written as `format`.
    pub fn of(format: Format) -> Loads {
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
