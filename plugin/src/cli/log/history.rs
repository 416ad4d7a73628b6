//! The events of containers, in order of time.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use crate::cli::ledger::is_meant;
use crate::ledger::{
    ArchivedContainer, EntryDirectory, HookRun, Identity, Ledger, LedgerError, Line, Outcome, Output, Record,
    StageResult, Trigger,
};
use crate::model::{ContainerId, Stage, Timestamp};

/// One event of one container.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Event {
    /// The end of the event; for a hook that still runs, its beginning.
    pub(super) at: Timestamp,
    pub(super) namespace: String,
    pub(super) pod: String,
    pub(super) container: String,
    pub(super) id: ContainerId,
    pub(super) stage: Stage,
    #[serde(flatten)]
    pub(super) what: What,
}

/// The kinds of event.
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
        /// The hook-spec, and the line on which the hook begins in it.
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
    EventTimedOut { by: Trigger, waited_ms: u64 },
    /// The container's start did not wait for the stage.
    NotHeld { reason: String },
    /// The stage has ended.
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

/// The ledger's events of containers, in order of time. Only the events of one instant are held in memory,
/// however many containers there are.
pub(super) struct History {
    containers: Vec<Tracked>,
    /// The time of the first event at a stage of the container with this index.
    stages: Vec<(Timestamp, usize, Stage)>,
}

impl History {
    pub(super) fn of(
        ledger: &Ledger,
        containers: Vec<Tracked>,
        complain: &mut dyn FnMut(&LedgerError),
    ) -> History {
        let mut stages = Vec::new();
        for (index, container) in containers.iter().enumerate() {
            for stage in Stage::OF_RUNNER {
                match container.events(ledger, stage) {
                    Ok(events) => stages.extend(
                        events
                            .iter()
                            .map(|event| event.at)
                            .min()
                            .map(|at| (at, index, stage)),
                    ),
                    Err(error) => complain(&error),
                }
            }
        }
        stages.sort();
        History { containers, stages }
    }

    pub(super) fn each(
        self,
        ledger: &Ledger,
        mut print: impl FnMut(&Event) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let mut waiting: BTreeMap<(Timestamp, usize), Event> = BTreeMap::new();
        let mut count = 0;
        for (at, index, stage) in self.stages {
            while let Some(first) = waiting.first_entry().filter(|first| first.key().0 < at) {
                print(&first.remove())?;
            }
            // Errors of reading have been printed already.
            for event in self.containers[index].events(ledger, stage).unwrap_or_default() {
                count += 1;
                waiting.insert((event.at, count), event);
            }
        }
        waiting.values().try_for_each(print)
    }
}

/// A matching container in the ledger, removed or not.
pub(super) struct Tracked {
    id: ContainerId,
    /// Present if it was removed.
    archived: Option<ArchivedContainer>,
    /// The time of its creation.
    pub(super) at: Timestamp,
}

impl Tracked {
    /// Its files; `None` if they are gone.
    pub(super) fn open(&self, ledger: &Ledger) -> Result<Option<EntryDirectory>, LedgerError> {
        let open = |archived: &ArchivedContainer| ledger.open_archived(archived);
        match &self.archived {
            Some(removed) => open(removed),
            // It may have been removed since.
            None => match ledger.find(&self.id)? {
                None => ledger.find_archived(&self.id),
                found => Ok(found),
            },
        }
    }

    fn events(&self, ledger: &Ledger, stage: Stage) -> Result<Vec<Event>, LedgerError> {
        let Some(directory) = self.open(ledger)? else {
            return Ok(Vec::new());
        };
        let header = directory.header()?;
        // Without hooks, the record is only for the runners.
        let Some(record) = directory.record(stage)?.filter(|_| header.count(stage) > 0) else {
            return Ok(Vec::new());
        };
        let Identity {
            namespace,
            pod,
            container,
            ..
        } = &header.identity;
        let events = of_stage(&record, header.count(stage)).map(|(at, what)| Event {
            at,
            namespace: namespace.clone(),
            pod: pod.clone(),
            container: container.clone(),
            id: self.id.clone(),
            stage,
            what,
        });
        Ok(events.collect())
    }
}

/// The containers in the ledger that match `wanted`, in order of creation. If an earlier init's records of a
/// container are archived, both are listed. Containers excluded by the name of their directory are not
/// opened.
pub(super) fn containers(
    ledger: &Ledger,
    wanted: Option<&str>,
    complain: &mut dyn FnMut(&LedgerError),
) -> Result<Vec<Tracked>, LedgerError> {
    let mut found = Vec::new();
    let mut inodes = HashSet::new();
    // First those that may be archived meanwhile: so none is missed, and none is listed twice.
    let tracked = ledger.tracked()?.into_iter().map(|id| (id, None));
    let archived = ledger.archived()?;
    let archived = archived
        .into_iter()
        .filter(|archived| wanted.is_none_or(|wanted| may_be(wanted, archived)));
    for (id, archived) in tracked
        .into_iter()
        .chain(archived.map(|archived| (archived.id.clone(), Some(archived))))
    {
        let mut container = Tracked {
            id,
            archived,
            at: Timestamp::now(),
        };
        let opened = container.open(ledger).and_then(|directory| {
            let Some(directory) = directory else {
                return Ok(None);
            };
            Ok(Some((directory.header()?, directory.inode())))
        });
        match opened {
            Ok(Some((header, inode))) => {
                let is_new = inode.is_none_or(|inode| inodes.insert(inode));
                if is_new && wanted.is_none_or(|wanted| is_meant(wanted, &container.id, &header)) {
                    container.at = header.at;
                    found.push(container);
                }
            }
            Ok(None) => {}
            Err(error) => complain(&error),
        }
    }
    found.sort_by_key(|container| container.at);
    Ok(found)
}

/// Whether a removed container may match the argument.
fn may_be(wanted: &str, archived: &ArchivedContainer) -> bool {
    // NAMESPACE/POD or NAMESPACE/POD/CONTAINER, or a name alone.
    let name = wanted.split('/').nth(1).unwrap_or(wanted);
    archived.id.as_str().starts_with(wanted) || archived.may_be_called(name)
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
        Line::EventTimedOut { by, waited_ms, at } => Some((
            *at,
            What::EventTimedOut {
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
