//! The events with an empty answer, in either form of the protocol.

use tracing::Instrument;
use ttrpc::r#async::TtrpcContext;

use super::Adapter;
use super::span::about;
use crate::api::{Container, Event, MessageField, PodSandbox};
use crate::context::Context;
use crate::event;
use crate::plugin::Plugin;

impl<P: Plugin> Adapter<P> {
    /// Passes the plugin an event with an empty answer, in either form of the protocol.
    pub(super) async fn notify(
        &self,
        rpc: &TtrpcContext,
        event: Event,
        pod: MessageField<PodSandbox>,
        container: MessageField<Container>,
    ) -> ttrpc::Result<()> {
        let Some(method) = method_of(event) else {
            tracing::debug!(
                ?event,
                "ignoring an event that has its own call, or is not an event"
            );
            return Ok(());
        };
        let ctx = match event {
            Event::START_CONTAINER => self.context(rpc),
            _ => self.context_of_event(rpc),
        };
        let (pod, container) = (pod.unwrap_or_default(), container.unwrap_or_default());
        let span = about(&pod, &container);
        let handler = async move |plugin: &P, ctx: &Context| match event {
            Event::RUN_POD_SANDBOX => plugin.run_pod_sandbox(ctx, event::RunPodSandbox::new(pod)).await,
            Event::POST_UPDATE_POD_SANDBOX => {
                plugin
                    .post_update_pod_sandbox(ctx, event::PostUpdatePodSandbox::new(pod))
                    .await
            }
            Event::STOP_POD_SANDBOX => {
                plugin
                    .stop_pod_sandbox(ctx, event::StopPodSandbox::new(pod))
                    .await
            }
            Event::REMOVE_POD_SANDBOX => {
                plugin
                    .remove_pod_sandbox(ctx, event::RemovePodSandbox::new(pod))
                    .await
            }
            Event::POST_CREATE_CONTAINER => {
                plugin
                    .post_create_container(ctx, event::PostCreateContainer::new(pod, container))
                    .await
            }
            Event::START_CONTAINER => {
                plugin
                    .start_container(ctx, event::StartContainer::new(pod, container))
                    .await
            }
            Event::POST_START_CONTAINER => {
                plugin
                    .post_start_container(ctx, event::PostStartContainer::new(pod, container))
                    .await
            }
            Event::POST_UPDATE_CONTAINER => {
                plugin
                    .post_update_container(ctx, event::PostUpdateContainer::new(pod, container))
                    .await
            }
            Event::REMOVE_CONTAINER => {
                plugin
                    .remove_container(ctx, event::RemoveContainer::new(pod, container))
                    .await
            }
            _ => Ok(()),
        };
        self.handlers.answer(method, ctx, handler).instrument(span).await
    }
}

/// The call of an event with an empty answer.
fn method_of(event: Event) -> Option<&'static str> {
    Some(match event {
        Event::RUN_POD_SANDBOX => "RunPodSandbox",
        Event::POST_UPDATE_POD_SANDBOX => "PostUpdatePodSandbox",
        Event::STOP_POD_SANDBOX => "StopPodSandbox",
        Event::REMOVE_POD_SANDBOX => "RemovePodSandbox",
        Event::POST_CREATE_CONTAINER => "PostCreateContainer",
        Event::START_CONTAINER => "StartContainer",
        Event::POST_START_CONTAINER => "PostStartContainer",
        Event::POST_UPDATE_CONTAINER => "PostUpdateContainer",
        Event::REMOVE_CONTAINER => "RemoveContainer",
        _ => return None,
    })
}
