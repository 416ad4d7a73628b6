//! Refuses containers of pods with the annotation `guard.example.com/deny`. That works only if no container is created
//! without the guard. So it has a failure policy: a runtime that knows failure policies refuses all containers while
//! the guard hangs.
//!
//! `cargo run --example guard -- [SOCKET]`, or link the binary as `/opt/nri/plugins/05-guard`.

use containerd_nri::{
    Adjustment, Configuration, Context, DEFAULT_SOCKET, EventMask, FailurePolicy, Identity, Launched, Plugin,
    Service, Status, Subscription, event,
};

const DENY: &str = "guard.example.com/deny";

struct Guard;

impl Plugin for Guard {
    async fn configure(&self, _: &Context, configuration: Configuration) -> Result<Subscription, Status> {
        let runtime = configuration.runtime;
        if !runtime.honours_failure_policy() {
            println!(
                "{} {} does not wait for a guard that hangs",
                runtime.name, runtime.version
            );
        }
        let policy = FailurePolicy::default().fail_request().keep_connected();
        Ok(Subscription::new(EventMask::CREATE_CONTAINER).failure_policy(policy))
    }

    async fn create_container(
        &self,
        _: &Context,
        event: event::CreateContainer,
    ) -> Result<Adjustment, Status> {
        let event::CreateContainer { pod, container, .. } = event;
        match pod.annotations.get(DENY) {
            None => Ok(Adjustment::new()),
            Some(reason) => Err(Status::failed_precondition(format!(
                "container {} is denied: {reason}",
                container.name
            ))),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    if let Some(launched) = Launched::from_env()? {
        return Ok(launched.run(Guard).await?);
    }
    let socket = std::env::args().nth(1).unwrap_or_else(|| DEFAULT_SOCKET.into());
    let service = Service::new(Guard, Identity::new("05", "guard")?).socket(socket);
    service.run().await;
    Ok(())
}
