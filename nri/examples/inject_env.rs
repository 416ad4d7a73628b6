//! Gives containers an environment variable that their pod asks for with an annotation:
//!
//! ```yaml
//! annotations:
//!   env.example.com/GREETING: hello
//! ```
//!
//! `cargo run --example inject_env -- [SOCKET]`, or link the binary as `/opt/nri/plugins/20-inject-env`.

use containerd_nri::{
    Adjustment, Context, DEFAULT_SOCKET, Identity, Launched, Plugin, Service, Status, event,
};

const PREFIX: &str = "env.example.com/";

struct InjectEnv;

impl Plugin for InjectEnv {
    async fn create_container(
        &self,
        _: &Context,
        event: event::CreateContainer,
    ) -> Result<Adjustment, Status> {
        let event::CreateContainer { pod, container, .. } = event;
        let mut adjustment = Adjustment::new();
        for (key, value) in &pod.annotations {
            let Some(variable) = key.strip_prefix(PREFIX) else {
                continue;
            };
            if variable.is_empty() {
                let problem = format!("annotation {key} of pod {} names no variable", pod.name);
                return Err(Status::invalid_argument(problem));
            }
            println!("{}/{}: {variable}={value}", pod.name, container.name);
            adjustment = adjustment.env(variable, value);
        }
        Ok(adjustment)
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    if let Some(launched) = Launched::from_env()? {
        return Ok(launched.run(InjectEnv).await?);
    }
    let socket = std::env::args().nth(1).unwrap_or_else(|| DEFAULT_SOCKET.into());
    let service = Service::new(InjectEnv, Identity::new("20", "inject-env")?).socket(socket);
    service.run().await;
    Ok(())
}
