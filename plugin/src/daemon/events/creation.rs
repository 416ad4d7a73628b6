//! The decision about a container that is being created.

use std::fmt::Display;
use std::time::{Duration, Instant};

use containerd_nri::api::{Container, PodSandbox};
use containerd_nri::{Adjustment, Status};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::config::FailurePolicy;
use crate::daemon::OciHooks;
use crate::daemon::deliver::{DeliveryError, deliver, redelivered};
use crate::daemon::mark::{is_marked, mark};
use crate::daemon::subject::subject;
use crate::select::{Deadline, Selected};

/// The time before its event's deadline at which a container goes without hooks that are not decided, if
/// `failure_policy` is `"ignore"`.
const MARGIN: Duration = Duration::from_millis(100);

/// The time after a daemon has taken over in which the runtime may repeat a request: no runtime waits
/// longer.
const REPEAT_TIMEOUT: Duration = Duration::from_secs(10);

impl OciHooks {
    /// The adjustment of a container that is being created, decided within `time`.
    pub(super) fn hooks(
        &self,
        pod: &PodSandbox,
        container: &Container,
        time: Duration,
    ) -> Result<Adjustment, Status> {
        let creation = self.containers().map(|ours| (ours.creation(container), ours));
        let hooks = self.decided_hooks(pod, container, time);
        if let Some((creation, ours)) = creation
            && creation.end()
        {
            ours.forget(container);
            return Err(Status::failed_precondition(
                "nri-oci-hooks: the runtime has removed the container while this request waited",
            ));
        }
        hooks
    }

    fn decided_hooks(
        &self,
        pod: &PodSandbox,
        container: &Container,
        time: Duration,
    ) -> Result<Adjustment, Status> {
        if is_marked(container) {
            return Ok(Adjustment::new());
        }
        // The other half of the time is for the ledger.
        let deadline = Deadline::at(Instant::now() + time / 2);
        let applied = self.up_to_date()?;
        let selector = &applied.selector;
        let subject = subject(pod, container, selector.config());
        let delivered = |selected: Selected| match selected.resolved.is_empty() {
            true => Ok(None),
            false => deliver(subject.delivery, &selected.resolved, pod, container, &applied).map(Some),
        };
        let failed = |error: &dyn Display| Status::failed_precondition(format!("nri-oci-hooks: {error}"));
        let selected = selector.select(&subject, deadline);
        let has_hooks = selected
            .as_ref()
            .is_ok_and(|selected| !selected.resolved.is_empty());
        if !has_hooks && self.may_be_repeated() {
            // The configuration may have been another at the first request. An unreadable ledger does not
            // concern a container without hooks.
            if let Ok(Some(adjustment)) = redelivered(container, &applied) {
                return Ok(mark(adjustment, container));
            }
        }
        let selected = selected.map_err(|error| failed(&error))?;
        let may_ignore = selector.config().failure_policy == FailurePolicy::Ignore;
        let adjustment = delivered(selected).or_else(|error| match error {
            // The pod's selection may be the part that is too large; it must not cost the container its
            // other hooks.
            DeliveryError::TooLarge { .. } if may_ignore => {
                tracing::warn!(%error, "created without the hooks that its pod selects, because failure_policy is ignore");
                delivered(selector.select_without_annotation(&subject, deadline).map_err(|_| error)?)
            }
            error => Err(error),
        });
        let adjustment = match adjustment {
            Err(error) if may_ignore => {
                tracing::warn!(%error, "created without its hooks, because failure_policy is ignore");
                None
            }
            adjustment => adjustment.map_err(|error| failed(&error))?,
        };
        if adjustment.is_none() {
            self.decided_without(&applied, &container.id);
        }
        Ok(adjustment.unwrap_or_default())
    }

    /// The same, or no hooks if they are not decided shortly before the deadline.
    pub(super) async fn hooks_or_none(
        &self,
        pod: PodSandbox,
        container: Container,
        time: Duration,
    ) -> Result<Adjustment, Status> {
        let limit = time.saturating_sub(MARGIN);
        let deadline = Instant::now() + limit;
        let plugin = self.clone();
        let deciding = spawn_blocking(move || {
            let answer = plugin.hooks(&pod, &container, limit);
            if Instant::now() >= deadline
                && let Some(containers) = plugin.containers()
            {
                // The container was created without the hooks in its ledger record.
                containers.forget(&container);
                container
                    .id
                    .parse()
                    .into_iter()
                    .for_each(|id| containers.note_without(id));
            }
            answer
        });
        match timeout(limit, deciding).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => Err(Status::internal(format!("nri-oci-hooks: {error}"))),
            Err(_) => {
                tracing::warn!(
                    reason = format!("its hooks could not be selected within {limit:?}"),
                    "created without its hooks, because failure_policy is ignore"
                );
                Ok(Adjustment::new())
            }
        }
    }

    /// Whether a request may be a repeated one: an earlier daemon got it, and died before it answered.
    fn may_be_repeated(&self) -> bool {
        self.resumed
            .get()
            .is_some_and(|resumed| resumed.elapsed() < REPEAT_TIMEOUT)
    }
}
