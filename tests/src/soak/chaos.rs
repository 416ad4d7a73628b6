//! The plugin and the runtime die at random moments and come back.

use std::time::Duration;

use anyhow::Result;
use fastrand::Rng;

use super::Tally;
use crate::{Containerd, Plugin};

/// Kills and restarts until `is_over` says so; then both run.
pub(super) async fn reign(
    containerd: &mut Containerd,
    mut plugin: Plugin,
    mut rng: Rng,
    mut is_over: impl FnMut() -> bool,
    mut count: impl FnMut(fn(&mut Tally)),
) -> Result<Plugin> {
    while !is_over() {
        pause(&mut rng, 2000).await;
        if rng.u8(..4) > 0 {
            plugin.kill().await?;
            count(|tally| tally.plugin_killed += 1);
            pause(&mut rng, 400).await;
            plugin = plugin.start_again(containerd).await?;
        } else {
            let name = plugin.name().to_owned();
            let connections = containerd.connections(&name)?;
            if rng.bool() {
                containerd.kill().await?;
            }
            containerd.restart().await?;
            count(|tally| tally.runtime_restarted += 1);
            containerd.await_connection(&name, connections + 1).await?;
        }
    }
    Ok(plugin)
}

async fn pause(rng: &mut Rng, at_most: u64) {
    tokio::time::sleep(Duration::from_millis(rng.u64(..at_most))).await;
}
