//! The plugin, the runtime and what serves a container die at random moments; the first two come back.

use std::cell::RefCell;
use std::collections::HashSet;
use std::time::Duration;

use anyhow::Result;
use fastrand::Rng;

use super::Tally;
use super::victim::{Kind, Victim};
use crate::{Containerd, Plugin};

/// The pods whose shim was killed, by id.
pub(super) type LostPods = RefCell<HashSet<String>>;

/// Kills and restarts until `is_over` says so; then plugin and runtime run.
pub(super) async fn reign(
    containerd: &mut Containerd,
    mut plugin: Plugin,
    lost: &LostPods,
    mut rng: Rng,
    mut is_over: impl FnMut() -> bool,
    mut count: impl FnMut(fn(&mut Tally)),
) -> Result<Plugin> {
    while !is_over() {
        pause(&mut rng, 1500).await;
        match rng.u8(..20) {
            ..8 => {
                plugin.kill().await?;
                count(|tally| tally.plugin_killed += 1);
                pause(&mut rng, 400).await;
                plugin = plugin.start_again(containerd).await?;
            }
            8..11 => {
                let name = plugin.name().to_owned();
                let connections = containerd.connections(&name)?;
                if rng.bool() {
                    containerd.kill().await?;
                }
                containerd.restart().await?;
                count(|tally| tally.runtime_restarted += 1);
                containerd.await_connection(&name, connections + 1).await?;
            }
            11..15 => {
                if kill(containerd, Kind::Runner, lost, &mut rng).await? {
                    count(|tally| tally.runners_killed += 1);
                }
            }
            15..18 => {
                if kill(containerd, Kind::Holder, lost, &mut rng).await? {
                    count(|tally| tally.holders_killed += 1);
                }
            }
            _ => {
                if kill(containerd, Kind::Shim, lost, &mut rng).await? {
                    count(|tally| tally.shims_killed += 1);
                }
            }
        }
    }
    Ok(plugin)
}

/// Kills the next process of this kind at some moment of its life. Returns whether there was one.
async fn kill(containerd: &Containerd, kind: Kind, lost: &LostPods, rng: &mut Rng) -> Result<bool> {
    let Some(victim) = Victim::find(containerd.node(), kind).await? else {
        return Ok(false);
    };
    tokio::time::sleep(Duration::from_micros(rng.u64(..10_000))).await;
    if kind == Kind::Shim {
        // First: its pod's calls fail from then on.
        lost.borrow_mut().insert(victim.pod.clone());
    }
    Ok(victim.kill(kind))
}

async fn pause(rng: &mut Rng, at_most: u64) {
    tokio::time::sleep(Duration::from_millis(rng.u64(..at_most))).await;
}
