//! The plugin, with each event timed and counted.

use std::sync::Arc;
use std::time::{Duration, Instant};

use containerd_nri::{
    Adjustment, Configuration, Context, Error, Plugin, Status, Subscription, Updates, event,
};

use super::metrics::EventResult;
use super::{Endpoint, Observer};

/// The default time that a runtime waits for an answer.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// The plugin, observed. It has the plugin's subscriptions, and changes no answer.
#[derive(Debug)]
pub(crate) struct Observed {
    observer: Arc<Observer>,
    endpoint: Arc<Endpoint>,
}

impl Observed {
    /// The plugin of `observer`, which reports at `endpoint`.
    pub(crate) fn new(observer: Arc<Observer>, endpoint: Arc<Endpoint>) -> Observed {
        Observed { observer, endpoint }
    }

    /// The result of handling `event`, which is timed and counted.
    async fn timed<T>(
        &self,
        ctx: &Context,
        event: &'static str,
        handling: impl Future<Output = Result<T, Status>>,
    ) -> Result<T, Status> {
        let mut timer = Timer {
            observer: &self.observer,
            event,
            began: Instant::now(),
            result: EventResult::Dropped,
        };
        let answer = handling.await;
        self.report_missed(ctx, event, timer.began);
        timer.result = match &answer {
            Ok(_) => EventResult::Ok,
            Err(status) => {
                self.observer.failed(&format!("{event}: {status}"));
                EventResult::Error
            }
        };
        answer
    }

    /// Logs an event that the daemon may not have answered in time. It cannot know when the event was sent,
    /// but for how long it read nothing.
    fn report_missed(&self, ctx: &Context, event: &'static str, began: Instant) {
        let limit = ctx.runtime().request_timeout.unwrap_or(REQUEST_TIMEOUT);
        let waited = self.observer.stalls().waited(began, Instant::now());
        if let Some(waited) = waited.filter(|waited| *waited >= limit) {
            let milliseconds = waited.as_millis();
            tracing::warn!(
                event,
                milliseconds,
                "the daemon did not run while this request may have waited: the runtime may not have its answer"
            );
        }
    }
}

/// Counts an event when it is dropped, which also happens if the handler panics or times out.
struct Timer<'o> {
    observer: &'o Observer,
    event: &'static str,
    began: Instant,
    result: EventResult,
}

impl Drop for Timer<'_> {
    fn drop(&mut self) {
        self.observer
            .handled(self.event, self.result, self.began.elapsed());
    }
}

impl Plugin for Observed {
    async fn configure(&self, ctx: &Context, configuration: Configuration) -> Result<Subscription, Status> {
        let runtime = configuration.runtime.clone();
        let configured = self.observer.plugin().configure(ctx, configuration);
        let subscription = self.timed(ctx, "Configure", configured).await?;
        self.observer.configured(&runtime, subscription.failure_policy);
        // The runtime may have sent another configuration.
        self.endpoint.refresh(&self.observer);
        Ok(subscription)
    }

    fn filter_synchronize(&self, part: &mut event::Synchronize) {
        self.observer.plugin().filter_synchronize(part);
    }

    async fn synchronize(&self, ctx: &Context, event: event::Synchronize) -> Result<Updates, Status> {
        let synchronized = self.observer.plugin().synchronize(ctx, event);
        let updates = self.timed(ctx, "Synchronize", synchronized).await?;
        self.observer.synchronized();
        Ok(updates)
    }

    async fn create_container(
        &self,
        ctx: &Context,
        event: event::CreateContainer,
    ) -> Result<Adjustment, Status> {
        let created = self.observer.plugin().create_container(ctx, event);
        self.timed(ctx, "CreateContainer", created).await
    }

    async fn start_container(&self, ctx: &Context, event: event::StartContainer) -> Result<(), Status> {
        let started = self.observer.plugin().start_container(ctx, event);
        self.timed(ctx, "StartContainer", started).await
    }

    async fn post_start_container(
        &self,
        ctx: &Context,
        event: event::PostStartContainer,
    ) -> Result<(), Status> {
        let started = self.observer.plugin().post_start_container(ctx, event);
        self.timed(ctx, "PostStartContainer", started).await
    }

    async fn stop_container(&self, ctx: &Context, event: event::StopContainer) -> Result<Updates, Status> {
        let stopped = self.observer.plugin().stop_container(ctx, event);
        self.timed(ctx, "StopContainer", stopped).await
    }

    async fn remove_container(&self, ctx: &Context, event: event::RemoveContainer) -> Result<(), Status> {
        let removed = self.observer.plugin().remove_container(ctx, event);
        self.timed(ctx, "RemoveContainer", removed).await
    }

    fn disconnected(&self, reason: &Error) {
        self.observer.plugin().disconnected(reason);
        self.observer.disconnected(reason);
    }
}
