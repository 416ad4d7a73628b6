//! The counts of a soak.

use std::fmt;

/// The counts of a soak so far.
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
    /// How many runners were killed.
    pub runners_killed: usize,
    /// How many holders of a start were killed.
    pub holders_killed: usize,
    /// How many shims were killed.
    pub shims_killed: usize,
    /// Containers that were refused, or for which a stage did not run, because what served them was killed.
    pub cost_by_kills: usize,
    /// Containers whose prestart ran, once.
    pub prestart: usize,
    /// Containers whose poststart ran, once.
    pub poststart: usize,
    /// Containers whose poststart is recorded as skipped.
    pub poststart_skipped: usize,
    /// Containers whose poststop ran, once.
    pub poststop: usize,
    /// The faults, a sentence each.
    pub faults: Vec<String>,
}

impl Tally {
    /// How many processes were killed that serve one container.
    fn kills(&self) -> usize {
        self.runners_killed + self.holders_killed + self.shims_killed
    }

    /// Adds the fault that shows only when all containers are checked: each kill can have cost one container a stage.
    pub(super) fn close(&mut self) {
        let (cost, kills) = (self.cost_by_kills, self.kills());
        if cost > kills {
            let fault = format!(
                "{cost} containers lack a stage or were refused, but only {kills} kills explain that"
            );
            self.faults.push(fault);
        }
    }
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
            "killed besides: {} runners, {} holders, {} shims; that cost {} containers a stage or their start",
            self.runners_killed, self.holders_killed, self.shims_killed, self.cost_by_kills
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
