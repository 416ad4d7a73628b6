//! The least a plugin can do at the creation of a container: nothing. The baseline of the benchmark.
//!
//! `cargo run --example empty -- [SOCKET]`

use containerd_nri::{
    Configuration, Context, DEFAULT_SOCKET, EventMask, Identity, Launched, Plugin, Service, Status,
    Subscription,
};

struct Empty;

impl Plugin for Empty {
    async fn configure(&self, _: &Context, _: Configuration) -> Result<Subscription, Status> {
        Ok(EventMask::CREATE_CONTAINER.into())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    if let Some(launched) = Launched::from_env()? {
        return Ok(launched.run(Empty).await?);
    }
    let socket = std::env::args().nth(1).unwrap_or_else(|| DEFAULT_SOCKET.into());
    let service = Service::new(Empty, Identity::new("90", "empty")?).socket(socket);
    service.run().await;
    Ok(())
}
