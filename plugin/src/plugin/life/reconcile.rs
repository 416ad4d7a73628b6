//! NRI Synchronize: what the ledger says is owed, held against what the runtime has.

use std::collections::HashMap;
use std::time::Duration;

use containerd_nri::api::{Container, ContainerState};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tracing::Instrument;

use super::containers::{Containers, Entered};
use super::stopping::{RARELY, is_damaged};
use crate::ledger::{Boot, ContainerId, Moment, Trigger};
use crate::runner::Init;
use crate::spec::Stage;

/// How many runners are at work at once: after a reboot every container of the node may be owed
/// one.
const AT_ONCE: usize = 8;

/// How long a container that was entered may take to be known to its runtime. Between the two the
/// runtime may have lost its connection to one instance of this plugin and found another.
const ENTERED: Duration = RARELY;

/// How long it may take to enter a container: longer than its runtime waits for it.
const ENTERING: Duration = Duration::from_secs(3);

impl Containers {
    /// Keeps of the containers that the runtime lists those in the ledger, which alone
    /// [`Containers::reconcile`] looks at: the others are not to be held in memory.
    pub(in crate::plugin) fn retain_entered(&self, listed: &mut Vec<Container>) {
        // All of them, if it cannot be told: to be missing means to be gone.
        let Ok(ids) = self.ledger().live() else { return };
        listed.retain(|container| ids.binary_search_by(|id| id.as_str().cmp(&container.id)).is_ok());
        listed.shrink_to_fit();
    }

    /// Pays what is owed to the containers in the ledger, of which the runtime lists `listed`:
    /// poststart to those that run, poststop to those that are gone. Returns at once; the work is
    /// done behind. Those of which it cannot be told yet whether they are gone are looked at again
    /// later: no event may ever come for them.
    pub(in crate::plugin) fn reconcile(&self, listed: Vec<Container>) {
        let ids = match self.ledger().live() {
            Ok(ids) => ids,
            Err(error) => return tracing::warn!(%error, "what is owed to containers cannot be told"),
        };
        let containers = self.clone();
        tokio::spawn(async move {
            let mut lost = containers.pay(ids, listed).await;
            while !lost.is_empty() {
                sleep(RARELY).await;
                lost = containers.pay(lost, Vec::new()).await;
            }
        });
    }

    /// Returns those that are not `listed` and still in the ledger.
    async fn pay(&self, ids: Vec<ContainerId>, listed: Vec<Container>) -> Vec<ContainerId> {
        let listed: HashMap<&str, &Container> = listed.iter().map(|it| (it.id.as_str(), it)).collect();
        let mut runners = JoinSet::new();
        let (mut lost, mut damaged) = (Vec::new(), Vec::new());
        for id in ids {
            let container = listed.get(id.as_str()).copied();
            match self.owed(&id, container) {
                Ok(Some((entered, stage))) => {
                    if runners.len() == AT_ONCE {
                        runners.join_next().await;
                    }
                    let containers = self.clone();
                    let span = entered.span();
                    let pay = async move { containers.pay_one(entered, stage).await };
                    runners.spawn(pay.instrument(span));
                }
                Ok(None) if container.is_none() => lost.push(id),
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(%id, %error, "what is owed to it cannot be told");
                    if is_damaged(&error) && container.is_none() {
                        damaged.push(id);
                    }
                }
            }
            // Events come in meanwhile.
            tokio::task::yield_now().await;
        }
        runners.join_all().await;
        if !damaged.is_empty() {
            // Another instance of this plugin may have been about to enter them.
            sleep(ENTERING).await;
            damaged.retain(|id| self.find(id.as_str()).is_err_and(|error| error.is_damaged()));
            damaged.iter().for_each(|id| self.archive(id));
        }
        lost.retain(|id| self.ledger().find(id).is_ok_and(|found| found.is_some()));
        lost
    }

    async fn pay_one(&self, entered: Entered, stage: Stage) {
        match self.start(&entered, stage, Trigger::Synchronize) {
            Ok(running) => {
                running.end().await;
                tracing::info!(%stage, "paid what was owed from before this connection");
            }
            Err(error) => tracing::warn!(%stage, %error, "cannot start a runner"),
        }
        if stage == Stage::Poststop && self.is_still_owed(&entered).unwrap_or(true) {
            self.settle_behind(entered, None, Duration::ZERO);
        }
    }

    /// What is owed to a container that the runtime lists as `container`, or does not list.
    fn owed(
        &self,
        id: &ContainerId,
        container: Option<&Container>,
    ) -> anyhow::Result<Option<(Entered, Stage)>> {
        let Some(entered) = self.find(id.as_str())? else {
            return Ok(None);
        };
        let _about = entered.span().entered();
        let Some(container) = container else {
            return self.owed_to_unlisted(entered);
        };
        let runs = container.state.enum_value() == Ok(ContainerState::CONTAINER_RUNNING);
        let owes = runs && entered.created(container, true)?.is_some() && entered.owes(Stage::Poststart)?;
        Ok(owes.then_some((entered, Stage::Poststart)))
    }

    fn owed_to_unlisted(&self, entered: Entered) -> anyhow::Result<Option<(Entered, Stage)>> {
        let is_of_this_boot = entered.header.boot == Boot::current()?;
        let Some(created) = entered.folder.created()? else {
            if !is_of_this_boot || Moment::now().since(entered.header.at) > ENTERED {
                self.archive(&entered.id);
            }
            return Ok(None);
        };
        let is_alive = is_of_this_boot && Init::of(&created).is_some_and(Init::is_alive);
        if is_alive {
            // It is being created, or its runtime has lost it; its end will tell.
            return Ok(None);
        }
        if self.owes_poststop(&entered)? {
            return Ok(Some((entered, Stage::Poststop)));
        }
        self.archive(&entered.id);
        Ok(None)
    }
}
