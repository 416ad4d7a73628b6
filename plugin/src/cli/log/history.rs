//! What happened to containers, event by event.

use serde::Serialize;

use crate::ledger::{
    EntryDirectory, Header, HookRun, Ledger, LedgerError, Line, Outcome, Output, Record, StageResult, Trigger,
};
use crate::model::{ContainerId, Stage, Timestamp};

/// One thing that happened to one container.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Event {
    /// When it was over; of a hook that still runs, when it began.
    pub(super) at: Timestamp,
    pub(super) namespace: String,
    pub(super) pod: String,
    pub(super) container: String,
    pub(super) id: ContainerId,
    pub(super) stage: Stage,
    #[serde(flatten)]
    pub(super) what: What,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(super) enum What {
    /// A hook ran, or runs.
    Hook {
        /// Its index in the stage's list, from 0.
        hook: usize,
        /// How many hooks the stage has.
        hooks: usize,
        path: String,
        /// The hook-spec, and the line of it on which the hook begins.
        file: String,
        line: usize,
        began: Timestamp,
        /// Absent while it runs.
        #[serde(flatten)]
        end: Option<Box<HookEnded>>,
    },
    /// A runner took the claim.
    Claimed { by: Trigger, runner: u32 },
    /// An event was answered before the stage was over.
    Late { by: Trigger, waited_ms: u64 },
    /// The container's start did not wait for the stage.
    NotHeld { reason: String },
    /// The stage was over.
    Stage {
        #[serde(flatten)]
        result: StageResult,
    },
}

/// How a hook ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct HookEnded {
    #[serde(flatten)]
    pub(super) outcome: Outcome,
    pub(super) duration_ms: f64,
    pub(super) stdout: Output,
    pub(super) stderr: Output,
}

/// Everything that the ledger tells of the containers that are `meant`, in order of time; and what
/// could not be read.
pub(super) fn read(
    ledger: &Ledger,
    meant: impl Fn(&ContainerId, &Header) -> bool,
) -> Result<(Vec<Event>, Vec<LedgerError>), LedgerError> {
    let (of_containers, errors) = of_each(ledger, meant, |id, directory, header| {
        of_container(id, directory, &header)
    })?;
    let mut events: Vec<Event> = of_containers.into_iter().flatten().collect();
    events.sort_by_key(|event| event.at);
    Ok((events, errors))
}

/// What `read` makes of each container that is `meant`, removed or not; and what could not be read.
pub(super) fn of_each<T>(
    ledger: &Ledger,
    meant: impl Fn(&ContainerId, &Header) -> bool,
    read: impl Fn(&ContainerId, &EntryDirectory, Header) -> Result<T, LedgerError>,
) -> Result<(Vec<T>, Vec<LedgerError>), LedgerError> {
    let (mut all, mut errors) = (Vec::new(), Vec::new());
    // First those that may be archived meanwhile: none is missed, and none is there twice. One of
    // which an earlier init's records are archived is there with both.
    let mut live = Vec::new();
    for id in ledger.live()? {
        live.extend(ledger.find(&id).transpose().map(|directory| (id, directory)));
    }
    let mut directories = ledger.past()?;
    directories.retain(|(_, archived)| !live.iter().any(|(_, tracked)| are_same(archived, tracked)));
    directories.extend(live);
    for (id, directory) in directories {
        let one = directory.and_then(|directory| {
            let header = directory.header()?;
            meant(&id, &header)
                .then(|| read(&id, &directory, header))
                .transpose()
        });
        match one {
            Ok(one) => all.extend(one),
            Err(error) => errors.push(error),
        }
    }
    Ok((all, errors))
}

/// Whether both are the same records, which were archived in between.
fn are_same(
    archived: &Result<EntryDirectory, LedgerError>,
    tracked: &Result<EntryDirectory, LedgerError>,
) -> bool {
    match (archived, tracked) {
        (Ok(archived), Ok(tracked)) => archived.is_same(tracked),
        _ => false,
    }
}

fn of_container(
    id: &ContainerId,
    directory: &EntryDirectory,
    header: &Header,
) -> Result<Vec<Event>, LedgerError> {
    let mut events = Vec::new();
    for stage in Stage::OF_RUNNER {
        // Without hooks there is only what runners settled among themselves.
        let Some(record) = directory.record(stage)?.filter(|_| header.count(stage) > 0) else {
            continue;
        };
        let identity = &header.identity;
        events.extend(of_stage(&record, header.count(stage)).map(|(at, what)| Event {
            at,
            namespace: identity.namespace.clone(),
            pod: identity.pod.clone(),
            container: identity.container.clone(),
            id: id.clone(),
            stage,
            what,
        }));
    }
    Ok(events)
}

fn of_stage(record: &Record, hooks: usize) -> impl Iterator<Item = (Timestamp, What)> {
    let lines = record.lines.iter().filter_map(|line| match line {
        Line::Claimed { by, runner, at } => Some((
            *at,
            What::Claimed {
                by: *by,
                runner: *runner,
            },
        )),
        Line::Late { by, waited_ms, at } => Some((
            *at,
            What::Late {
                by: *by,
                waited_ms: *waited_ms,
            },
        )),
        Line::NotHeld { reason, at } => Some((
            *at,
            What::NotHeld {
                reason: reason.clone(),
            },
        )),
        Line::Finished { result, at } => Some((
            *at,
            What::Stage {
                result: result.clone(),
            },
        )),
        _ => None,
    });
    let runs = record.runs().into_iter();
    lines.chain(runs.map(move |run| of_hook(&run, hooks)))
}

fn of_hook(run: &HookRun<'_>, hooks: usize) -> (Timestamp, What) {
    let end = run.ended.map(|end| {
        Box::new(HookEnded {
            outcome: end.outcome.clone(),
            duration_ms: end.at.since(run.began).as_secs_f64() * 1000.0,
            stdout: end.stdout.clone(),
            stderr: end.stderr.clone(),
        })
    });
    let what = What::Hook {
        hook: run.hook,
        hooks,
        path: run.path.to_owned(),
        file: run.file.to_owned(),
        line: run.line,
        began: run.began,
        end,
    };
    (run.ended.map_or(run.began, |end| end.at), what)
}
