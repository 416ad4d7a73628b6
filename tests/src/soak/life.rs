//! One life of a container, however the runtime behaves meanwhile.

use std::time::Duration;

use anyhow::{Context, Result};
use fastrand::Rng;
use tonic::{Code, Status};

use super::chaos::LostPods;
use crate::cri::State;
use crate::ledger::NodeLedger;
use crate::{Container, Pod, wait};

/// The prestart of containers whose name begins so fails.
pub(super) const REFUSED: &str = "refused";

/// How a container is to live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It is started and stopped.
    Stopped,
    /// It ends by itself as soon as it runs.
    EndsAtOnce,
    /// It ends by itself some time later.
    EndsLater,
    /// Its prestart fails.
    Refused,
    /// It is created and removed.
    NeverStarted,
}

/// The known result of its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Started {
    /// Nobody asked for it.
    No,
    /// The runtime says that it was.
    Yes,
    /// The runtime says that it was not.
    Refused,
    /// The runtime was gone before it said.
    Unknown,
}

/// A life that is over.
#[derive(Debug, Clone)]
pub(super) struct Life {
    /// The id of the container.
    pub(super) id: String,
    /// Whether its OCI spec has hooks.
    pub(super) has_hooks: bool,
    /// Whether the ledger had an entry for it when it was created.
    pub(super) has_entry: bool,
    /// Whether its prestart is to fail.
    pub(super) is_refused: bool,
    /// How it was started.
    pub(super) started: Started,
}

/// Has a container live from create to remove; `None` if the runtime, or the shim of the pod, ended before one was
/// created.
pub(super) async fn run(
    pod: &Pod,
    lost: &LostPods,
    ledger: &NodeLedger,
    rng: &mut Rng,
    number: usize,
) -> Result<Option<Life>> {
    let kind = match rng.u8(..100) {
        ..50 => Kind::Stopped,
        50..70 => Kind::EndsAtOnce,
        70..85 => Kind::EndsLater,
        85..95 => Kind::Refused,
        _ => Kind::NeverStarted,
    };
    let word = if kind == Kind::Refused { REFUSED } else { "app" };
    let builder = pod.container(&format!("{word}-{number}"));
    let builder = match kind {
        Kind::EndsAtOnce => builder.command(["/bin/true"]),
        Kind::EndsLater => builder.command(["/bin/sleep", "0.2"]),
        _ => builder,
    };
    let container = match builder.create().await {
        Ok(container) => container,
        // Whether there is one is for the runtime to know; it is removed in the end.
        Err(error) if is_cut_off(&error) => {
            persist("see the runtime again", async || {
                anyhow::ensure!(pod.client().is_ready().await, "it is not ready");
                Ok(())
            })
            .await?;
            return Ok(None);
        }
        Err(_) if lost.borrow().contains(pod.id()) => return Ok(None),
        // A kubelet would try again.
        Err(error) if is_in_the_way(&error) || is_without_plugin(&error) => return Ok(None),
        Err(error) => return Err(error).context("create a container"),
    };
    let has_entry = ledger.entry(container.id()).exists();
    let status = persist("tell of a container", async || container.status().await).await?;
    let mut life = Life {
        id: container.id().to_owned(),
        has_hooks: ["prestart", "poststart", "poststop"]
            .iter()
            .any(|stage| !status.hooks(stage).is_empty()),
        has_entry,
        is_refused: kind == Kind::Refused,
        started: Started::No,
    };
    if kind != Kind::NeverStarted {
        life.started = match container.start().await {
            Ok(()) => Started::Yes,
            Err(error) if is_cut_off(&error) => Started::Unknown,
            Err(_) if lost.borrow().contains(pod.id()) => Started::Unknown,
            Err(_) => Started::Refused,
        };
    }
    if life.started == Started::Yes && matches!(kind, Kind::EndsAtOnce | Kind::EndsLater) {
        let ended = async || {
            let state = container.status().await?.state;
            // Unknown without its shim.
            anyhow::ensure!(
                [State::Exited, State::Unknown].contains(&state),
                "it is {state:?}"
            );
            Ok(())
        };
        persist("let a container end", ended).await?;
    } else {
        tokio::time::sleep(Duration::from_millis(rng.u64(..300))).await;
    }
    end(&container).await?;
    Ok(Some(life))
}

/// Another pod in place of `pod`, whose shim was killed.
pub(super) async fn replace(pod: Pod, mut name: impl FnMut() -> String) -> Result<Pod> {
    remove(&pod).await?;
    persist("run a pod", async || Ok(pod.another(&name()).await?)).await
}

/// Stops and removes a pod, also one whose shim was killed a moment ago.
pub(super) async fn remove(pod: &Pod) -> Result<()> {
    persist("stop a pod", async || Ok(gone_is_good(pod.stop().await)?)).await?;
    persist("remove a pod", async || Ok(gone_is_good(pod.remove().await)?)).await
}

/// Stops and removes a container.
async fn end(container: &Container) -> Result<()> {
    persist("stop a container", async || {
        Ok(gone_is_good(container.stop(1).await)?)
    })
    .await?;
    persist("remove a container", async || {
        Ok(gone_is_good(container.clone().remove().await)?)
    })
    .await
}

/// Tries until it succeeds, as the kubelet does.
async fn persist<T>(what: &str, mut attempt: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    let mut last = None;
    let done = wait::until(what, async || match attempt().await {
        Ok(done) => Ok(Some(done)),
        Err(error) => {
            last = Some(error);
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok(None)
        }
    })
    .await;
    done.with_context(|| format!("the last answer was {last:?}"))
}

fn gone_is_good(answer: Result<(), Status>) -> Result<(), Status> {
    match answer {
        Err(error) if error.code() == Code::NotFound => Ok(()),
        answer => answer,
    }
}

/// Whether containerd stumbled over the directory of a snapshot that it had begun when it was killed.
fn is_in_the_way(error: &Status) -> bool {
    error.message().contains("snapshots/") && error.message().ends_with(": file exists")
}

/// Whether the runtime refused a container because the plugin was killed before it answered (NRI 0.12.5).
fn is_without_plugin(error: &Status) -> bool {
    error
        .message()
        .ends_with("failed to handle CreateContainer request: ttrpc: closed")
}

/// Whether a call ended because the runtime did.
fn is_cut_off(error: &Status) -> bool {
    error.code() == Code::Unavailable || std::error::Error::source(error).is_some()
}
