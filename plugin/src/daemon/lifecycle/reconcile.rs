//! NRI Synchronize: compares the pending stages in the ledger with the containers of the runtime.

use std::collections::HashMap;
use std::time::Duration;

use containerd_nri::api::{Container, ContainerState};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::Instrument;

use super::containers::{Containers, Registered};
use super::stopping::LONG_RETRY;
use crate::bounded::within;
use crate::ledger::{BootId, LedgerError, Trigger};
use crate::model::{ContainerId, Stage, Timestamp};
use crate::process::Init;

/// The maximum number of runners at once: after a reboot every container of the node may have a pending
/// poststop.
const MAX_RUNNERS: usize = 8;

/// The maximum time until the runtime knows a registered container. Meanwhile the runtime may have lost its
/// connection to one instance of this plugin and found another.
const CREATE_TIMEOUT: Duration = LONG_RETRY;

/// The maximum time to register a container: longer than its runtime waits for it.
const REGISTER_TIMEOUT: Duration = Duration::from_secs(3);

/// The maximum time for which the runtime's list of containers waits for the ledger's.
const LIST_TIMEOUT: Duration = Duration::from_millis(500);

/// The pending work for a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pending {
    /// A stage of a container that its runtime has.
    Stage(Stage),
    /// All pending stages of a container that its runtime no longer has; then its records are archived.
    OfGone,
}

impl Containers {
    /// Reduces the listed containers to those in the ledger. [`Containers::reconcile`] looks only at them,
    /// and the others should not stay in memory.
    pub(in crate::daemon) fn retain_registered(&self, listed: &mut Vec<Container>) {
        // All of them if the ledger gives no list: a missing container counts as gone.
        let ledger = self.ledger().clone();
        let Some(Ok(ids)) = within(LIST_TIMEOUT, move || ledger.tracked()) else {
            return;
        };
        listed.retain(|container| ids.binary_search_by(|id| id.as_str().cmp(&container.id)).is_ok());
        listed.shrink_to_fit();
    }

    /// Runs the pending stages of the containers in the ledger: poststart of running ones, poststop of those
    /// that are gone. `listed` are the containers that the runtime lists. Returns at once; the work is done
    /// in the background. If it is unknown whether a container is gone, it is checked again later: no event
    /// may ever come for it.
    pub(in crate::daemon) fn reconcile(&self, listed: Vec<Container>) {
        let containers = self.clone();
        self.behind(async move {
            let ids = loop {
                match containers.ledger().tracked() {
                    Ok(ids) => break ids,
                    Err(error) => tracing::warn!(%error, "cannot read which hooks are pending; trying again"),
                }
                sleep(LONG_RETRY).await;
            };
            let mut lost = containers.reconcile_each(ids, listed).await;
            while !lost.is_empty() {
                sleep(LONG_RETRY).await;
                lost = containers.reconcile_each(lost, Vec::new()).await;
            }
        });
    }

    /// Takes over the connection of a daemon that died: no event was missed, and the runtime lists nothing.
    /// Containers whose init has ended are handled as in [`Containers::reconcile`]; for the others an event
    /// will come.
    pub(in crate::daemon) fn resume(&self) {
        let containers = self.clone();
        self.behind(async move {
            let ids = match containers.ledger().tracked() {
                Ok(ids) => ids,
                Err(error) => return tracing::warn!(%error, "cannot read which hooks are pending"),
            };
            let mut ended = Vec::new();
            for id in ids {
                match containers.has_ended(&id) {
                    Ok(true) => ended.push(id),
                    Ok(false) => {}
                    Err(error) => {
                        tracing::warn!(%id, %error, "cannot read which hooks of this container are pending")
                    }
                }
                tokio::task::yield_now().await;
            }
            containers.reconcile_each(ended, Vec::new()).await;
        });
    }

    /// Whether init of a container has ended. An init that still runs is watched.
    fn has_ended(&self, id: &ContainerId) -> Result<bool, LedgerError> {
        let Some(registered) = self.find(id.as_str())? else {
            return Ok(false);
        };
        let Some(created) = registered.files.created()? else {
            return Ok(false);
        };
        let init = Init::of(&created).filter(|init| init.is_alive());
        self.watch(&registered, init);
        Ok(init.is_none())
    }

    /// Returns the containers that are not `listed` and still in the ledger.
    async fn reconcile_each(&self, ids: Vec<ContainerId>, listed: Vec<Container>) -> Vec<ContainerId> {
        let listed: HashMap<&str, &Container> = listed.iter().map(|it| (it.id.as_str(), it)).collect();
        // A node has many containers, and reading their files takes long.
        let starting = match self.deletes_at_end() {
            true => self.ledger().starting().ok(),
            // Every init is watched.
            false => None,
        };
        let needs_nothing = |id: &ContainerId| {
            starting
                .as_ref()
                .is_some_and(|ids| ids.binary_search(id).is_err())
        };
        let mut runners = JoinSet::new();
        let (mut lost, mut damaged) = (Vec::new(), Vec::new());
        for id in ids {
            let container = listed.get(id.as_str()).copied();
            if container.is_some() && needs_nothing(&id) {
                continue;
            }
            match self.pending(&id, container) {
                Ok(Some((registered, work))) => {
                    if runners.len() == MAX_RUNNERS {
                        runners.join_next().await;
                    }
                    let containers = self.clone();
                    let span = registered.span();
                    let run = async move { containers.run_pending(registered, work).await };
                    runners.spawn(run.instrument(span));
                }
                Ok(None) if container.is_none() => lost.push(id),
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(%id, %error, "cannot read which hooks of this container are pending");
                    if error.is_damaged() && container.is_none() {
                        damaged.push(id);
                    }
                }
            }
            // Events may be handled meanwhile.
            tokio::task::yield_now().await;
        }
        runners.join_all().await;
        if !damaged.is_empty() {
            // Another instance of this plugin may have been about to register them.
            sleep(REGISTER_TIMEOUT).await;
            damaged.retain(|id| self.find(id.as_str()).is_err_and(|error| error.is_damaged()));
            damaged.iter().for_each(|id| self.archive(id));
        }
        lost.retain(|id| self.ledger().find(id).is_ok_and(|found| found.is_some()));
        lost
    }

    async fn run_pending(&self, registered: Registered, work: Pending) {
        let stage = match work {
            Pending::OfGone => return self.resolve(registered, Trigger::Synchronize).await,
            Pending::Stage(stage) => stage,
        };
        let created = registered.files.created().ok().flatten().unwrap_or_default();
        match self.start(&registered, stage, Trigger::Synchronize, &created) {
            Ok(running) => drop(running.end().await),
            Err(error) => tracing::warn!(%stage, %error, "cannot start a runner"),
        }
    }

    /// The pending work for a container, which the runtime lists as `container`, or does not list.
    fn pending(
        &self,
        id: &ContainerId,
        container: Option<&Container>,
    ) -> Result<Option<(Registered, Pending)>, LedgerError> {
        let Some(registered) = self.find(id.as_str())? else {
            return Ok(None);
        };
        let _about = registered.span().entered();
        let Some(container) = container else {
            return self.pending_of_unlisted(registered);
        };
        let runs = container.state.enum_value() == Ok(ContainerState::CONTAINER_RUNNING);
        let is_injected = registered.header.injected;
        let created = match runs && !is_injected {
            true => registered.created(container, true)?,
            false => registered.files.created()?,
        };
        if runs && created.is_none() && self.starts_early(&registered) {
            tracing::error!("it runs without its hooks: its OCI runtime did not start the runner");
        }
        let init = created.as_ref().and_then(Init::of);
        if !runs && self.was_cut_off(&registered, init)? {
            return Ok(Some((registered, Pending::Stage(Stage::Poststop))));
        }
        self.watch(&registered, init);
        if !registered.header.injected && self.lost_prestart(&registered)? {
            tracing::error!("its init is killed, because its prestart hooks began and did not end");
            init.into_iter().for_each(Init::kill);
            return Ok(None);
        }
        let is_pending = runs
            && created.is_some()
            && registered.is_pending(Stage::Poststart)?
            && !registered.files.is_claimed(Stage::Poststart)?;
        Ok(is_pending.then_some((registered, Pending::Stage(Stage::Poststart))))
    }

    /// Whether the start of a container ended with its init, and its poststop is pending: the node was
    /// switched off, or the runtime died. A runtime that still lists it as created sends no event about that
    /// until the container is removed.
    fn was_cut_off(&self, registered: &Registered, init: Option<Init>) -> Result<bool, LedgerError> {
        let is_of_this_boot = registered.header.boot == BootId::current()?;
        let has_ended = match init {
            Some(init) => !(is_of_this_boot && init.is_alive()),
            None => !is_of_this_boot,
        };
        Ok(has_ended && self.has_pending(registered)?)
    }

    /// Whether a runner of an injected container is started before or when its program runs.
    pub(super) fn starts_early(&self, registered: &Registered) -> bool {
        let counts = |stage| registered.header.count(stage) > 0;
        let counts_before = Stage::BEFORE_START.into_iter().any(counts);
        let is_early = counts_before || counts(Stage::Poststart) || !self.deletes_at_end();
        registered.header.injected && is_early
    }

    /// Whether prestart began and neither daemon nor runner is left to end it: both died. The runtime no
    /// longer waited for it.
    fn lost_prestart(&self, registered: &Registered) -> Result<bool, LedgerError> {
        let files = &registered.files;
        for stage in Stage::BEFORE_START {
            let has_begun = files.record(stage)?.is_some_and(|record| record.next() > 0);
            if has_begun && registered.is_pending(stage)? && !files.is_claimed(stage)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn pending_of_unlisted(
        &self,
        registered: Registered,
    ) -> Result<Option<(Registered, Pending)>, LedgerError> {
        let is_of_this_boot = registered.header.boot == BootId::current()?;
        let Some(created) = registered.files.created()? else {
            if !is_of_this_boot || Timestamp::now().since(registered.header.at) > CREATE_TIMEOUT {
                self.archive(&registered.id);
            }
            return Ok(None);
        };
        let init = Init::of(&created).filter(|init| is_of_this_boot && init.is_alive());
        // A poststop that has begun was requested by a removal.
        let is_removed = registered
            .files
            .record(Stage::Poststop)?
            .is_some_and(|record| record.next() > 0);
        if let (Some(init), false) = (init, is_removed) {
            // It is being created, or its runtime has lost it; its end will decide.
            self.watch_lost(&registered, init);
            return Ok(None);
        }
        if self.has_pending(&registered)? {
            return Ok(Some((registered, Pending::OfGone)));
        }
        self.archive(&registered.id);
        Ok(None)
    }
}
