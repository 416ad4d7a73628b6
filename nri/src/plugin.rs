//! The trait that makes a type an NRI plugin.

use std::future::{Future, ready};

use crate::adjustment::Adjustment;
use crate::context::{Configuration, Context};
use crate::error::Error;
use crate::event;
use crate::events::EventMask;
use crate::implemented::NotImplemented;
use crate::status::Status;
use crate::subscription::Subscription;
use crate::updates::{Updates, Verdict};

/// A plugin: one method per event. Implement those of the events that the plugin needs, as `async fn`; the others
/// need not be written, and the plugin does not subscribe to them.
///
/// The runtime calls one plugin after the other, one event at a time for the whole node, and waits. So answer
/// fast. The crate gives every answer in time. If a handler still runs at [`Context::deadline`], the crate
/// answers with [`Code::DeadlineExceeded`]; if it panics, with [`Code::Internal`]. Both count as errors,
/// which matters: an error fails the creation of the container, while without an answer the runtime creates
/// it without the plugin. Handlers may block their thread; see [handlers that
/// block](crate#handlers-that-block).
///
/// Runtimes before NRI 0.12 deliver most events in another form; the methods are the same.
///
/// # Not for `dyn`
/// The methods are `async fn`, so there is no `dyn Plugin`: it would take a box for every event of every plugin. Few
/// programs choose a plugin while they run. Such a program can implement the trait for an enum of its plugins.
///
/// [`Code::DeadlineExceeded`]: crate::Code::DeadlineExceeded
/// [`Code::Internal`]: crate::Code::Internal
#[allow(unused_variables, reason = "the names of the parameters are documentation")]
pub trait Plugin: Send + Sync + Sized + 'static {
    /// The first event on every connection: the runtime, and its configuration for the plugin.
    ///
    /// Returns the events to subscribe to, and a [failure policy](crate::FailurePolicy) if the plugin wants one:
    /// `Ok(EventMask::CREATE_CONTAINER.into())`, or a [`Subscription`]. By default these are the events whose methods
    /// the plugin implements, [`EventMask::implemented_by`]. A subscription to an event whose method is not implemented
    /// is logged as a warning.
    ///
    /// Events that the runtime does not know are left out; an empty set is an error, since NRI reads it as all events.
    /// An error makes the runtime close the connection.
    fn configure(
        &self,
        ctx: &Context,
        configuration: Configuration,
    ) -> impl Future<Output = Result<Subscription, Status>> + Send {
        ready(Ok(EventMask::implemented_by::<Self>().into()))
    }

    /// Removes the pods and containers of a Synchronize that [`Plugin::synchronize`] does not need. Called
    /// for each of its messages, as soon as it arrives, so that the state of a full node is never in memory
    /// at once. By default, nothing is removed.
    fn filter_synchronize(&self, part: &mut event::Synchronize) {}

    /// The second event: all pods and containers of the runtime. Returns updates to make.
    fn synchronize(
        &self,
        ctx: &Context,
        event: event::Synchronize,
    ) -> impl Future<Output = Result<Updates, Status>> + Send {
        NotImplemented::new()
    }

    /// A pod was started. An error fails it.
    fn run_pod_sandbox(
        &self,
        ctx: &Context,
        event: event::RunPodSandbox,
    ) -> impl Future<Output = Result<(), Status>> + Send {
        NotImplemented::new()
    }

    /// The resources of a pod are being changed (NRI 0.10).
    fn update_pod_sandbox(
        &self,
        ctx: &Context,
        event: event::UpdatePodSandbox,
    ) -> impl Future<Output = Result<(), Status>> + Send {
        NotImplemented::new()
    }

    /// The resources of a pod were changed (NRI 0.10).
    fn post_update_pod_sandbox(
        &self,
        ctx: &Context,
        event: event::PostUpdatePodSandbox,
    ) -> impl Future<Output = Result<(), Status>> + Send {
        NotImplemented::new()
    }

    /// A pod is stopped.
    fn stop_pod_sandbox(
        &self,
        ctx: &Context,
        event: event::StopPodSandbox,
    ) -> impl Future<Output = Result<(), Status>> + Send {
        NotImplemented::new()
    }

    /// A pod is removed.
    fn remove_pod_sandbox(
        &self,
        ctx: &Context,
        event: event::RemovePodSandbox,
    ) -> impl Future<Output = Result<(), Status>> + Send {
        NotImplemented::new()
    }

    /// A container is being created; no part of it exists yet. Returns the changes to it. An error fails the
    /// creation.
    fn create_container(
        &self,
        ctx: &Context,
        event: event::CreateContainer,
    ) -> impl Future<Output = Result<Adjustment, Status>> + Send {
        NotImplemented::new()
    }

    /// A container was created.
    fn post_create_container(
        &self,
        ctx: &Context,
        event: event::PostCreateContainer,
    ) -> impl Future<Output = Result<(), Status>> + Send {
        NotImplemented::new()
    }

    /// A container is being started: its init process exists, but does not run its program yet. An error fails the
    /// start on containerd; CRI-O only warns.
    fn start_container(
        &self,
        ctx: &Context,
        event: event::StartContainer,
    ) -> impl Future<Output = Result<(), Status>> + Send {
        NotImplemented::new()
    }

    /// A container was started. If its program ended at once, [`Plugin::stop_container`] may have come before.
    fn post_start_container(
        &self,
        ctx: &Context,
        event: event::PostStartContainer,
    ) -> impl Future<Output = Result<(), Status>> + Send {
        NotImplemented::new()
    }

    /// The resources of a container are being changed. Returns changes to that, and to other containers. An error
    /// fails the update.
    fn update_container(
        &self,
        ctx: &Context,
        event: event::UpdateContainer,
    ) -> impl Future<Output = Result<Updates, Status>> + Send {
        NotImplemented::new()
    }

    /// The resources of a container were changed.
    fn post_update_container(
        &self,
        ctx: &Context,
        event: event::PostUpdateContainer,
    ) -> impl Future<Output = Result<(), Status>> + Send {
        NotImplemented::new()
    }

    /// A container has stopped, on request or by itself. Returns updates for those that remain.
    fn stop_container(
        &self,
        ctx: &Context,
        event: event::StopContainer,
    ) -> impl Future<Output = Result<Updates, Status>> + Send {
        NotImplemented::new()
    }

    /// A container is removed. It may never have been started.
    fn remove_container(
        &self,
        ctx: &Context,
        event: event::RemoveContainer,
    ) -> impl Future<Output = Result<(), Status>> + Send {
        NotImplemented::new()
    }

    /// Checks the changes of all plugins together to a container (NRI 0.10). An error, as a rejection, fails
    /// the creation.
    fn validate_container_adjustment(
        &self,
        ctx: &Context,
        event: event::ValidateContainerAdjustment,
    ) -> impl Future<Output = Result<Verdict, Status>> + Send {
        NotImplemented::new()
    }

    /// The runtime no longer wants the plugin. No known runtime sends this event; they just close the
    /// connection.
    fn shutdown(
        &self,
        ctx: &Context,
        event: event::Shutdown,
    ) -> impl Future<Output = Result<(), Status>> + Send {
        NotImplemented::new()
    }

    /// The connection on which the plugin was configured has ended. From here on containers are created
    /// without it, until it is synchronized again. The next connection waits for the return of this method,
    /// for at most 2 s.
    fn disconnected(&self, reason: &Error) {}
}
