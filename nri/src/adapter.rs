//! The generated ttrpc service, answered by a [`Plugin`]: in time, even if its handlers block or panic.

mod deadline;
mod notify;
mod span;

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use protobuf::Message;
use tracing::Instrument;
use ttrpc::r#async::TtrpcContext;

use crate::answer::{Handlers, refuse, sendable, time_to_answer};
use crate::api::*;
use crate::budget::Budget;
use crate::context::{Configuration, Context, RuntimeInfo};
use crate::event;
use crate::events::EventMask;
use crate::plugin::Plugin;
use crate::rpc;
use crate::runtime::{ConnectionState, RuntimeHandle};
use crate::status::Status;
use crate::subscription::Subscription;
use deadline::deadline;
use span::about;

/// Serves one connection on behalf of a plugin.
pub(crate) struct Adapter<P> {
    handlers: Handlers<P>,
    handle: RuntimeHandle,
    runtime: Mutex<Arc<RuntimeInfo>>,
    /// The pods and containers of a synchronization in several messages.
    gathered: Mutex<event::Synchronize>,
    budget: Budget,
    configured: AtomicBool,
    synchronized: AtomicBool,
}

impl<P: Plugin> Adapter<P> {
    /// An adapter for a new connection, whose requests share the memory of `budget`.
    pub(crate) fn new(handlers: Handlers<P>, handle: RuntimeHandle, budget: Budget) -> Self {
        Self {
            handlers,
            handle,
            runtime: Mutex::default(),
            gathered: Mutex::default(),
            budget,
            configured: AtomicBool::new(false),
            synchronized: AtomicBool::new(false),
        }
    }

    /// Whether the plugin was configured successfully.
    pub(crate) fn was_configured(&self) -> bool {
        self.configured.load(Ordering::Relaxed)
    }

    /// Whether the plugin was synchronized successfully.
    pub(crate) fn was_synchronized(&self) -> bool {
        self.synchronized.load(Ordering::Relaxed)
    }

    fn context(&self, rpc: &TtrpcContext) -> Context {
        Context {
            deadline: deadline(rpc),
            runtime: Arc::clone(&lock(&self.runtime)),
            handle: self.handle.clone(),
        }
    }

    /// The context of an event that is handled even if it is too old to be answered.
    fn context_of_event(&self, rpc: &TtrpcContext) -> Context {
        let mut ctx = self.context(rpc);
        if ctx.remaining().is_zero() {
            ctx.deadline = Instant::now() + time_to_answer(rpc.timeout_nano);
        }
        ctx
    }

    /// Adds the rest of a message of a synchronization, after the filter, to the gathered ones.
    fn gather(&self, part: event::Synchronize) {
        self.budget.keep(part.pods.iter().map(size).sum());
        self.budget.keep(part.containers.iter().map(size).sum());
        let mut gathered = lock(&self.gathered);
        gathered.pods.extend(part.pods);
        gathered.containers.extend(part.containers);
    }
}

/// The approximate size of a message in memory, in bytes.
fn size<M: Message>(message: &M) -> u64 {
    size_of::<M>() as u64 + message.compute_size()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait::async_trait]
impl<P: Plugin> rpc::Plugin for Adapter<P> {
    async fn configure(
        &self,
        rpc: &TtrpcContext,
        request: ConfigureRequest,
    ) -> ttrpc::Result<ConfigureResponse> {
        const METHOD: &str = "Configure";
        let configuration = Configuration::from(request);
        let known = EventMask::known_to(configuration.runtime.nri());
        *lock(&self.runtime) = Arc::new(configuration.runtime.clone());
        let ctx = self.context(rpc);
        let Subscription {
            events: wanted,
            failure_policy,
        } = self
            .handlers
            .answer(METHOD, ctx, async move |plugin, ctx| {
                plugin.configure(ctx, configuration).await
            })
            .await?;
        let missing = wanted - EventMask::implemented_by::<P>();
        if !missing.is_empty() {
            tracing::warn!(events = %missing, "subscribing to events that the plugin does not implement, which only takes time");
        }
        let events = wanted & known;
        if events.is_empty() {
            let problem = format!(
                "the plugin subscribes to no event that this runtime knows (it asked for {wanted}), and NRI would send it all events"
            );
            return Err(refuse(METHOD, Status::failed_precondition(problem)));
        }
        if events != wanted {
            tracing::warn!(events = %(wanted - known), "not subscribing to events that this runtime may not know");
        }
        self.configured.store(true, Ordering::Relaxed);
        Ok(ConfigureResponse {
            events: events.bits(),
            failure_policy: failure_policy.into(),
            ..Default::default()
        })
    }

    async fn synchronize(
        &self,
        rpc: &TtrpcContext,
        request: SynchronizeRequest,
    ) -> ttrpc::Result<SynchronizeResponse> {
        const METHOD: &str = "Synchronize";
        let ctx = self.context(rpc);
        let more = request.more;
        let mut part = event::Synchronize::from(request);
        let filtered = async move |plugin: &P, _: &Context| {
            plugin.filter_synchronize(&mut part);
            Ok(part)
        };
        let part = self.handlers.answer(METHOD, ctx.clone(), filtered).await?;
        self.gather(part);
        if more {
            return Ok(SynchronizeResponse {
                more,
                ..Default::default()
            });
        }
        let event = mem::take(&mut *lock(&self.gathered));
        let synchronized = async move |plugin: &P, ctx: &Context| plugin.synchronize(ctx, event).await;
        let update = self.handlers.answer(METHOD, ctx, synchronized).await;
        self.budget.clear();
        let update = update?.into();
        let response = sendable(
            METHOD,
            SynchronizeResponse {
                update,
                ..Default::default()
            },
        )?;
        self.synchronized.store(true, Ordering::Relaxed);
        self.handle.reached(ConnectionState::Synchronized);
        Ok(response)
    }

    async fn shutdown(&self, rpc: &TtrpcContext, _: Empty) -> ttrpc::Result<Empty> {
        let ctx = self.context(rpc);
        self.handlers
            .answer("Shutdown", ctx, async |plugin, ctx| {
                plugin.shutdown(ctx, event::Shutdown::new()).await
            })
            .await?;
        Ok(Empty::default())
    }

    async fn create_container(
        &self,
        rpc: &TtrpcContext,
        request: CreateContainerRequest,
    ) -> ttrpc::Result<CreateContainerResponse> {
        const METHOD: &str = "CreateContainer";
        let ctx = self.context(rpc);
        let event = event::CreateContainer::from(request);
        let span = about(&event.pod, &event.container);
        let answered = async {
            let adjustment = self
                .handlers
                .answer(METHOD, ctx, async move |plugin, ctx| {
                    plugin.create_container(ctx, event).await
                })
                .await?;
            sendable(METHOD, adjustment.into())
        };
        answered.instrument(span).await
    }

    async fn update_container(
        &self,
        rpc: &TtrpcContext,
        request: UpdateContainerRequest,
    ) -> ttrpc::Result<UpdateContainerResponse> {
        const METHOD: &str = "UpdateContainer";
        let ctx = self.context(rpc);
        let event = event::UpdateContainer::from(request);
        let span = about(&event.pod, &event.container);
        let answered = async {
            let updates = self.handlers.answer(METHOD, ctx, async move |plugin, ctx| {
                plugin.update_container(ctx, event).await
            });
            let response = UpdateContainerResponse {
                update: updates.await?.into(),
                ..Default::default()
            };
            sendable(METHOD, response)
        };
        answered.instrument(span).await
    }

    async fn stop_container(
        &self,
        rpc: &TtrpcContext,
        request: StopContainerRequest,
    ) -> ttrpc::Result<StopContainerResponse> {
        const METHOD: &str = "StopContainer";
        let ctx = self.context_of_event(rpc);
        let event = event::StopContainer::from(request);
        let span = about(&event.pod, &event.container);
        let answered = async {
            let updates = self
                .handlers
                .answer(METHOD, ctx, async move |plugin, ctx| {
                    plugin.stop_container(ctx, event).await
                })
                .await?;
            let response = StopContainerResponse {
                update: updates.into(),
                ..Default::default()
            };
            sendable(METHOD, response)
        };
        answered.instrument(span).await
    }

    async fn update_pod_sandbox(
        &self,
        rpc: &TtrpcContext,
        request: UpdatePodSandboxRequest,
    ) -> ttrpc::Result<UpdatePodSandboxResponse> {
        let ctx = self.context(rpc);
        let event = event::UpdatePodSandbox::from(request);
        let span = about(&event.pod, &Container::default());
        let answered = self
            .handlers
            .answer("UpdatePodSandbox", ctx, async move |plugin, ctx| {
                plugin.update_pod_sandbox(ctx, event).await
            });
        answered.instrument(span).await?;
        Ok(UpdatePodSandboxResponse::default())
    }

    async fn validate_container_adjustment(
        &self,
        rpc: &TtrpcContext,
        request: ValidateContainerAdjustmentRequest,
    ) -> ttrpc::Result<ValidateContainerAdjustmentResponse> {
        const METHOD: &str = "ValidateContainerAdjustment";
        let ctx = self.context(rpc);
        let event = event::ValidateContainerAdjustment::from(request);
        let span = about(&event.pod, &event.container);
        let verdict = self.handlers.answer(METHOD, ctx, async move |plugin, ctx| {
            plugin.validate_container_adjustment(ctx, event).await
        });
        sendable(METHOD, verdict.instrument(span).await?.into())
    }

    async fn state_change(&self, rpc: &TtrpcContext, request: StateChangeEvent) -> ttrpc::Result<Empty> {
        let event = request.event.enum_value_or_default();
        self.notify(rpc, event, request.pod, request.container).await?;
        Ok(Empty::default())
    }

    async fn run_pod_sandbox(
        &self,
        rpc: &TtrpcContext,
        request: RunPodSandboxRequest,
    ) -> ttrpc::Result<RunPodSandboxResponse> {
        self.notify(rpc, Event::RUN_POD_SANDBOX, request.pod, MessageField::none())
            .await?;
        Ok(RunPodSandboxResponse::default())
    }

    async fn post_update_pod_sandbox(
        &self,
        rpc: &TtrpcContext,
        request: PostUpdatePodSandboxRequest,
    ) -> ttrpc::Result<PostUpdatePodSandboxResponse> {
        self.notify(
            rpc,
            Event::POST_UPDATE_POD_SANDBOX,
            request.pod,
            MessageField::none(),
        )
        .await?;
        Ok(PostUpdatePodSandboxResponse::default())
    }

    async fn stop_pod_sandbox(
        &self,
        rpc: &TtrpcContext,
        request: StopPodSandboxRequest,
    ) -> ttrpc::Result<StopPodSandboxResponse> {
        self.notify(rpc, Event::STOP_POD_SANDBOX, request.pod, MessageField::none())
            .await?;
        Ok(StopPodSandboxResponse::default())
    }

    async fn remove_pod_sandbox(
        &self,
        rpc: &TtrpcContext,
        request: RemovePodSandboxRequest,
    ) -> ttrpc::Result<RemovePodSandboxResponse> {
        self.notify(rpc, Event::REMOVE_POD_SANDBOX, request.pod, MessageField::none())
            .await?;
        Ok(RemovePodSandboxResponse::default())
    }

    async fn post_create_container(
        &self,
        rpc: &TtrpcContext,
        request: PostCreateContainerRequest,
    ) -> ttrpc::Result<PostCreateContainerResponse> {
        self.notify(rpc, Event::POST_CREATE_CONTAINER, request.pod, request.container)
            .await?;
        Ok(PostCreateContainerResponse::default())
    }

    async fn start_container(
        &self,
        rpc: &TtrpcContext,
        request: StartContainerRequest,
    ) -> ttrpc::Result<StartContainerResponse> {
        self.notify(rpc, Event::START_CONTAINER, request.pod, request.container)
            .await?;
        Ok(StartContainerResponse::default())
    }

    async fn post_start_container(
        &self,
        rpc: &TtrpcContext,
        request: PostStartContainerRequest,
    ) -> ttrpc::Result<PostStartContainerResponse> {
        self.notify(rpc, Event::POST_START_CONTAINER, request.pod, request.container)
            .await?;
        Ok(PostStartContainerResponse::default())
    }

    async fn post_update_container(
        &self,
        rpc: &TtrpcContext,
        request: PostUpdateContainerRequest,
    ) -> ttrpc::Result<PostUpdateContainerResponse> {
        self.notify(rpc, Event::POST_UPDATE_CONTAINER, request.pod, request.container)
            .await?;
        Ok(PostUpdateContainerResponse::default())
    }

    async fn remove_container(
        &self,
        rpc: &TtrpcContext,
        request: RemoveContainerRequest,
    ) -> ttrpc::Result<RemoveContainerResponse> {
        self.notify(rpc, Event::REMOVE_CONTAINER, request.pod, request.container)
            .await?;
        Ok(RemoveContainerResponse::default())
    }
}
