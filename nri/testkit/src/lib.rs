//! A fake container runtime that drives any NRI plugin by the rules of the real ones.
//!
//! One line runs a plugin in memory. It returns when the plugin is registered, configured and synchronized.
//!
//! ```
//! use containerd_nri::{Adjustment, Context, Plugin, Status, event};
//! use containerd_nri_testkit::{ContainerBuilder, PodBuilder, apply, run};
//! use serde_json::json;
//!
//! /// The plugin under test.
//! struct Greeter;
//!
//! impl Plugin for Greeter {
//!     async fn create_container(&self, _: &Context, event: event::CreateContainer) -> Result<Adjustment, Status> {
//!         Ok(Adjustment::new().env("GREETING", format!("hello from {}", event.pod.name)))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut plugin = run(Greeter).await?;
//!
//! let pod = PodBuilder::new("web").build();
//! let container = ContainerBuilder::new(&pod, "app").build();
//! let answer = plugin.create_container(&pod, &container).await.into_answer()?;
//!
//! let mut spec = json!({"process": {"env": ["PATH=/bin"]}});
//! apply(&mut spec, &answer.adjust);
//! assert_eq!(spec["process"]["env"], json!(["PATH=/bin", "GREETING=hello from web"]));
//! # Ok(())
//! # }
//! ```
//!
//! [`FakeRuntime`] does more: it listens on a socket, restarts, launches programs, and imitates each of the runtimes in
//! [`RuntimeProfile`], with their timeouts and their rules. [`RawConnection`] has no rules at all.

#![deny(missing_docs, missing_debug_implementations)]

mod buffered_reader;
mod caller;
mod channel;
mod error;
mod events;
mod fixtures;
mod frame;
mod handle;
mod handshake;
mod launch;
mod oci;
mod outcome;
mod profile;
mod raw;
mod runtime;
mod service;
mod synchronize;
mod trunk;

pub use error::{AcceptError, ConnectionEnd, Unfinished};
pub use fixtures::{ContainerBuilder, PodBuilder};
pub use handle::PluginHandle;
pub use oci::{apply, apply_resources};
pub use outcome::{FailedRequest, NoAnswer, Outcome, Unanswered};
pub use profile::RuntimeProfile;
pub use raw::{Frame, RawConnection};
pub use runtime::{Builder, FakeRuntime, run};
