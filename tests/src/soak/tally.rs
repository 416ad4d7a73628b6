//! What a soak has seen.

use std::fmt;

/// What a soak has seen so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Containers that were made, lived and were removed.
    pub lives: usize,
    /// Those of them that were created without hooks, as no plugin was there.
    pub without_hooks: usize,
    /// Those that got hooks and were never started.
    pub never_started: usize,
    /// Those that got hooks and whose prestart failed, as it should.
    pub refused: usize,
    /// Creates and starts that were cut off by the end of the runtime.
    pub cut_off: usize,
    /// How often the plugin was killed.
    pub plugin_killed: usize,
    /// How often the runtime was ended and started again.
    pub runtime_restarted: usize,
    /// Containers whose prestart ran, once.
    pub prestart: usize,
    /// Containers whose poststart ran, once.
    pub poststart: usize,
    /// Containers whose poststart is recorded as skipped.
    pub poststart_skipped: usize,
    /// Containers whose poststop ran, once.
    pub poststop: usize,
    /// What should not have been, a sentence each.
    pub faults: Vec<String>,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} lives; the plugin was killed {} times, the runtime restarted {} times, {} calls cut off",
            self.lives, self.plugin_killed, self.runtime_restarted, self.cut_off
        )?;
        writeln!(
            f,
            "{} containers got no hooks as no plugin was there; {} with hooks were never started, {} refused by prestart",
            self.without_hooks, self.never_started, self.refused
        )?;
        write!(
            f,
            "ran exactly once: prestart of {}, poststart of {} ({} more recorded as skipped), poststop of {}",
            self.prestart, self.poststart, self.poststart_skipped, self.poststop
        )?;
        for fault in &self.faults {
            write!(f, "\nFAULT: {fault}")?;
        }
        Ok(())
    }
}
