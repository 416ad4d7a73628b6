//! Does nothing at the creation of a container: a baseline for measurements.
//!
//! `cargo run --example empty -- [SOCKET]`

use containerd_nri::{
    Adjustment, Context, DEFAULT_SOCKET, Identity, Launched, Plugin, Service, Status, event,
};

struct Empty;

impl Plugin for Empty {
    async fn create_container(&self, _: &Context, _: event::CreateContainer) -> Result<Adjustment, Status> {
        Ok(Adjustment::new())
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
