//! The runner, from its command line to its exit status.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::unistd::{getppid, setsid};
use thiserror::Error;

use super::call::{Call, WrongCall};
use super::container::Container;
use super::gate::Gate;
use super::state::{State, StateError};
use super::{holder, message, repeated, stages};
use crate::host::{self, HostError};
use crate::ledger::{Ledger, LedgerError, Record, StageResult, Trigger};
use crate::model::Stage;
use crate::system::{allow_waiting_for_children, close_descriptors_on_exec};

/// The maximum number of failed hooks that are printed; the ledger has all.
const MAX_REPORTED: usize = 20;

/// The maximum time for an init to end after its OCI runtime, which has not finished its creation.
const INIT_TIMEOUT: Duration = Duration::from_secs(1);

const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// The reason why a runner failed.
#[derive(Debug, Error)]
enum RunnerError {
    #[error(transparent)]
    Call(#[from] WrongCall),
    #[error(transparent)]
    State(#[from] StateError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Host(#[from] HostError),
    #[error("cannot keep descriptors from the hooks: {0}")]
    Descriptors(io::Error),
    #[error(
        "container {0} is not in the ledger {1}, so its prestart hooks cannot be run; delete its pod, \
         so that it is created again"
    )]
    NotEntered(String, String),
    #[error(
        "{0}: it was started before its prestart hooks had ended, so it is ended: with delivery events only \
         a daemon that is alive makes the runtime wait"
    )]
    StartedBefore(String),
}

/// Runs a stage, from the arguments after the word `stage` and the OCI state on stdin.
///
/// Exits 0 if the container may continue. Exits 1 if a prestart hook failed, or if it is unknown whether one
/// would have. Prints each failure as a line on stderr.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    // A signal to the caller's group is not meant for the hooks. Fails if this process already leads a group.
    let _ = setsid();
    allow_waiting_for_children();
    let call = match Call::parse(arguments) {
        Ok(call) => call,
        Err(error) => return report(Err(error.into()), None),
    };
    report(run(&call), Some(call.stage))
}

/// The lines to print: for prestart, why the container must not continue; otherwise the failures.
type Report = Result<Vec<String>, RunnerError>;

fn run(call: &Call) -> Report {
    let caller = getppid();
    if call.enter_host {
        host::enter()?;
    }
    close_descriptors_on_exec().map_err(RunnerError::Descriptors)?;
    let state = State::read(io::stdin().lock())?;
    let ledger = Ledger::open(&call.state_dir)?;
    let Some(directory) = ledger.find(&state.id)? else {
        return match call.stage {
            Stage::Prestart => Err(RunnerError::NotEntered(
                state.id.to_string(),
                ledger.root().display().to_string(),
            )),
            // Its poststop was run, and the container removed.
            _ => Ok(Vec::new()),
        };
    };
    let directory = repeated::of_this_init(&ledger, directory, &state, call)?;
    let is_before_start = call.stage == Stage::Prestart || is_early_poststart(call, &state);
    let container = Container::new(directory, state, call.trigger, is_before_start)?;
    if call.stage == Stage::Poststart && is_before_start {
        container.note_created(call.stage)?;
        hold(&container, call.trigger);
        return Ok(Vec::new());
    }
    let result = stages::run(&container, call.stage, call.trigger);
    if let Err(error) = &result
        && !error.is_damaged()
        && (call.stage, call.trigger) == (Stage::Poststop, Trigger::Oci)
    {
        // An OCI runtime does not run its poststop hooks again, and few people read its log of them.
        ledger.report_trouble(&container.header().identity.id, call.stage, error);
    }
    if call.stage == Stage::Prestart && call.trigger == Trigger::StartContainer {
        started_by_event(&container, &result)?;
    }
    if (call.stage, call.trigger) == (Stage::Prestart, Trigger::Oci) && getppid() != caller {
        cut_off(&container)?;
    }
    Ok(match result? {
        StageResult::Failed { message } => vec![message],
        StageResult::Skipped { reason } if call.stage == Stage::Prestart => {
            vec![format!(
                "{}: prestart hooks were skipped: {reason}",
                message::container(container.header())
            )]
        }
        StageResult::Skipped { .. } => Vec::new(),
        StageResult::Done if call.stage == Stage::Prestart => Vec::new(),
        StageResult::Done => failures(&container, call.stage)?,
    })
}

/// Whether poststart is requested before init runs its program: by the daemon at NRI StartContainer, and by
/// OCI runtimes that run it during `create`. One that runs it during `start` may still call the container
/// created (gVisor).
fn is_early_poststart(call: &Call, state: &State) -> bool {
    let is_early = match call.trigger {
        Trigger::Oci => ["creating", "created"].contains(&&*state.status) && !is_requested_by("start"),
        by => by == Trigger::StartContainer,
    };
    call.stage == Stage::Poststart && is_early
}

/// Whether the caller is an OCI runtime that was given this command.
fn is_requested_by(command: &str) -> bool {
    let caller = fs::read(format!("/proc/{}/cmdline", getppid())).unwrap_or_default();
    caller
        .split(|byte| *byte == 0)
        .any(|word| word == command.as_bytes())
}

/// Has a detached child of this process run poststart at the right time.
fn hold(container: &Container, by: Trigger) {
    let stage = Stage::Poststart;
    let is_taken = || container.directory.is_claimed(stage).unwrap_or(false);
    if container.header().count(stage) == 0 || is_taken() {
        // The runner of another daemon holds it already.
        return;
    }
    let gate = container.init().and_then(Gate::of);
    if gate.is_none() && by == Trigger::StartContainer {
        // NRI PostStartContainer comes at the right time, and can wait.
        return;
    }
    if let Err(error) = holder::detach(container, by, gate.as_ref()) {
        // The container starts without waiting; the next runner finds the stage pending.
        let container_name = message::container(container.header());
        let _ = writeln!(
            io::stderr(),
            "nri-oci-hooks: {container_name}: its poststart cannot be run: {error}"
        );
    }
}

/// The steps after a prestart for which no OCI runtime waits. If the container must not continue, it is
/// ended, because not every runtime obeys the answer to the event. Otherwise its poststart is prepared.
///
/// Fails if the container was started meanwhile, because no daemon was left to make the runtime wait.
fn started_by_event(
    container: &Container,
    result: &Result<StageResult, LedgerError>,
) -> Result<(), RunnerError> {
    let Some(init) = container.init() else {
        return Ok(());
    };
    let before = container.program_before();
    match result {
        Ok(StageResult::Done) if before.is_some() && init.program() != before => {
            init.kill();
            Err(RunnerError::StartedBefore(message::container(container.header())))
        }
        Ok(StageResult::Done) => {
            hold(container, Trigger::StartContainer);
            Ok(())
        }
        _ => {
            init.kill();
            Ok(())
        }
    }
}

/// The OCI runtime was killed during prestart: its start was cancelled, or the runtime died. If that has ended
/// the init, nobody else runs poststop before the container is removed.
fn cut_off(container: &Container) -> Result<(), LedgerError> {
    let Some(init) = container.init() else {
        return Ok(());
    };
    let give_up = Instant::now() + INIT_TIMEOUT;
    while init.is_alive() {
        if Instant::now() > give_up {
            return Ok(());
        }
        sleep(POLL_INTERVAL);
    }
    stages::run(container, Stage::Poststop, Trigger::Oci).map(drop)
}

fn failures(container: &Container, stage: Stage) -> Result<Vec<String>, LedgerError> {
    let record: Record = container.directory.record(stage)?.unwrap_or_default();
    let mut lines = message::failures(container.header(), stage, &record);
    if lines.len() > MAX_REPORTED {
        let more = lines.len() - MAX_REPORTED;
        lines.truncate(MAX_REPORTED);
        let container_name = message::container(container.header());
        lines.push(format!(
            "{container_name}: {more} more of its {stage} hooks failed; nri-oci-hooks log has them"
        ));
    }
    Ok(lines)
}

/// Prints the result on stderr, and returns whether the container may continue. It may not if the stage is
/// unknown.
fn report(result: Report, stage: Option<Stage>) -> ExitCode {
    let lines = match result {
        Ok(lines) => lines,
        Err(error) => vec![format!("nri-oci-hooks: {error}")],
    };
    for line in &lines {
        // The caller may have ended.
        let _ = writeln!(io::stderr(), "{line}");
    }
    match stage {
        None | Some(Stage::Prestart) if !lines.is_empty() => ExitCode::FAILURE,
        _ => ExitCode::SUCCESS,
    }
}
