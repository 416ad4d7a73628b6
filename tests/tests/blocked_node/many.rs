//! Many pods at once.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{Containerd, Version};
use futures::future::join_all;

use crate::cases::Case;
use crate::daemon::{EXCLUDED, is_healthy};

/// Half of them need what hangs.
const PODS: usize = 200;

#[tokio::test]
async fn of_two_hundred_pods_those_that_need_what_hangs_are_refused_and_the_others_created() -> Result<()> {
    // So many at once keep a small machine busy for longer than NRI's 2 s.
    let builder = Containerd::builder(Version::V2_1).request_timeout(Duration::from_secs(10));
    let containerd = builder.start().await?;
    let (daemon, hanging) = Case::DefaultSpec.set_up(&containerd)?;
    let plugin = daemon.start().await?;
    hanging.hang()?;
    let create = async |number: usize| -> Result<()> {
        let (needs_it, name) = (number.is_multiple_of(2), format!("pod-{number}"));
        let pod = containerd.pod(&name).without_network();
        let pod = if needs_it { pod } else { pod.namespace(EXCLUDED) };
        let pod = pod.run().await?;
        match (needs_it, pod.container("app").create().await) {
            (true, Err(error)) => ensure!(error.to_string().contains("NRI"), "{name}: {error}"),
            (true, Ok(_)) => anyhow::bail!("{name} is created"),
            (false, created) => drop(created?),
        }
        Ok(())
    };
    let outcomes = join_all((0..PODS).map(create)).await;
    is_healthy(&containerd)?;
    hanging.answer()?;
    drop(plugin);
    outcomes.into_iter().collect()
}
