//! The container of a runner: its data in the ledger, and the state from the caller.

use std::cell::{Cell, RefCell};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::guard::{self, Left};
use super::state::{EXIT_CODE, State, identity_annotations};
use super::supervisor;
use crate::ledger::{
    Claimed, Created, Entry, EntryDirectory, Header, InitEnd, LedgerError, Outcome, Trigger,
};
use crate::model::{Program, ResolvedHook, Stage};
use crate::process::cgroup::GroupName;
use crate::process::{Init, process};

/// The time within which a waiting daemon records the exit code of init.
const EXIT_LIMIT: Duration = Duration::from_millis(200);

const POLL_INTERVAL: Duration = Duration::from_millis(2);

/// The container of a runner.
#[derive(Debug)]
pub(super) struct Container {
    pub(super) directory: EntryDirectory,
    header: Header,
    /// The rest of the entry after its header, until that is read.
    entry: RefCell<Option<Entry>>,
    /// The creation as it was noted first, or else as in the caller's state.
    created: Created,
    is_noted: Cell<bool>,
    /// The program of its init before the start, if a runner saw it.
    program_before: Option<Program>,
    said: State,
    by: Trigger,
    /// The leftover processes of its hooks.
    left: RefCell<Vec<Left>>,
}

impl Container {
    /// Combines the ledger with the caller's state, for a runner with the trigger `by`. `is_before_start`:
    /// its init does not execute the container's own program yet.
    ///
    /// # Errors
    /// The container's files are damaged.
    pub(super) fn new(
        directory: EntryDirectory,
        said: State,
        by: Trigger,
        is_before_start: bool,
    ) -> Result<Container, LedgerError> {
        let entry = directory.entry()?;
        let noted = directory.created()?;
        let is_noted = noted.is_some();
        let noted = noted.unwrap_or_default();
        let process = noted
            .process
            .or_else(|| said.pid.filter(|pid| *pid > 0).and_then(process));
        // The current program may already be the container's own.
        let seen_before = noted.program;
        let mut created = Created { process, ..noted };
        if created.program.is_none() {
            created.program = Init::of(&created).and_then(Init::program);
        }
        if !said.bundle.is_empty() {
            created.bundle.get_or_insert(said.bundle.clone());
        }
        if created.annotations.is_empty() {
            created.annotations = said.annotations.clone();
        }
        Ok(Container {
            directory,
            header: entry.header.clone(),
            entry: RefCell::new(Some(entry)),
            is_noted: Cell::new(is_noted),
            program_before: seen_before.or(created.program.filter(|_| is_before_start)),
            created,
            said,
            by,
            left: RefCell::default(),
        })
    }

    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    /// Notes in the record of `stage` that the container was created, unless that is noted already.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn note_created(&self, stage: Stage) -> Result<(), LedgerError> {
        if !self.is_noted.get() {
            self.directory.note_created(stage, &self.created)?;
            self.is_noted.set(true);
        }
        Ok(())
    }

    /// Notes that nothing is pending until the container stops, unless the daemon must watch its init.
    pub(super) fn note_start_is_over(&self) {
        if self.header.injected {
            // Without the note, the entry is only read once more.
            let _ = self.directory.note_start_is_over();
        }
    }

    /// Takes the claim of `stage`, and ends the leftover processes of an interrupted hook, whose runner and
    /// supervisor have died.
    ///
    /// # Errors
    /// The record cannot be read or written.
    pub(super) fn claim(&self, stage: Stage, by: Trigger) -> Result<Claimed, LedgerError> {
        let claimed = self.directory.claim(stage, by)?;
        if let Claimed::Ours(claim) = &claimed
            && let Some(run) = claim.record().last_run()
            && run.ended.is_some_and(|end| *end.outcome == Outcome::Interrupted)
        {
            supervisor::end_interrupted(self.group(stage, run.hook));
        }
        Ok(claimed)
    }

    /// Adds the leftover processes of a hook.
    pub(super) fn leave(&self, left: Option<Left>) {
        self.left.borrow_mut().extend(left);
    }

    /// Enforces the limits of the hooks on their leftover processes. Call it without a claim: a forked child
    /// would hold that.
    pub(super) fn guard_left(&self) {
        guard::detach(self.left.take());
    }

    /// The name of the control group of the hook number `index` of `stage`.
    pub(super) fn group(&self, stage: Stage, index: usize) -> GroupName {
        let created = self.header.at.unix_nanos();
        GroupName::new(self.header.identity.id.as_str(), stage, index, created)
    }

    /// Its init, if known.
    pub(super) fn init(&self) -> Option<Init> {
        Init::of(&self.created)
    }

    /// The program of its init before the start; `None` if no runner saw it.
    pub(super) fn program_before(&self) -> Option<Program> {
        self.program_before
    }

    /// Its bundle; empty if unknown.
    pub(super) fn bundle(&self) -> &str {
        self.created.bundle.as_deref().unwrap_or_default()
    }

    pub(super) fn hooks(&self, stage: Stage) -> Result<Vec<ResolvedHook>, LedgerError> {
        match self.entry.take() {
            Some(entry) => entry.hooks(stage),
            None => self.directory.hooks(stage),
        }
    }

    /// The exit code of its init, if a daemon has seen it. A daemon that is about to record it is waited for.
    fn exit_code(&self) -> Option<i32> {
        let give_up = Instant::now() + EXIT_LIMIT;
        loop {
            match self.directory.init_end() {
                InitEnd::Exited(code) => return Some(code),
                InitEnd::Awaited if Instant::now() < give_up => sleep(POLL_INTERVAL),
                _ => return None,
            }
        }
    }

    /// The state for hooks of `stage`. Status and process of the caller's state are not passed on: runtimes
    /// differ in them, and events come after the fact.
    ///
    /// The runtime's annotations take precedence over those of the pod; neither can hide the identity of the
    /// container.
    ///
    /// # Errors
    /// The entry is damaged.
    pub(super) fn state_for(&self, stage: Stage) -> Result<State, LedgerError> {
        let pid = self.init().and_then(Init::pid);
        let status = match stage {
            Stage::Poststart if pid.is_some() => "running",
            Stage::Poststart | Stage::Poststop => "stopped",
            // The OCI runtime runs prestart during create, even if it reports another status (crun).
            _ if self.by == Trigger::Oci => "creating",
            _ => "created",
        };
        let mut annotations = self.directory.entry()?.annotations()?;
        annotations.extend(self.created.annotations.clone());
        annotations.extend(identity_annotations(&self.header.identity));
        // Where it is not known, it is not what a pod says either.
        annotations.remove(EXIT_CODE);
        if stage == Stage::Poststop
            && let Some(code) = self.exit_code()
        {
            annotations.insert(EXIT_CODE.to_owned(), code.to_string());
        }
        Ok(State {
            oci_version: self.said.oci_version.clone(),
            id: self.said.id.clone(),
            status: status.into(),
            pid: pid.filter(|_| stage != Stage::Poststop),
            bundle: self.bundle().into(),
            annotations,
        })
    }
}
