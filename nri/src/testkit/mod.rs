//! A fake container runtime that drives any NRI plugin by the rules of the real ones.
//!
//! ```no_run
//! use containerd_nri::testkit::{ContainerBuilder, FakeRuntime, PodBuilder, RuntimeProfile};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let mut runtime = FakeRuntime::builder(RuntimeProfile::containerd_2_1()).listen("/tmp/nri.sock")?;
//! // Start the plugin with that socket, then:
//! let mut plugin = runtime.accept().await?;
//! let pod = PodBuilder::new("web").build();
//! let container = ContainerBuilder::new(&pod, "app").build();
//! let adjustment = plugin.create_container(&pod, &container).await.into_answer()?.adjust;
//! # Ok(())
//! # }
//! ```

mod buffered_reader;
mod caller;
mod channel;
mod error;
mod events;
mod fixtures;
mod handle;
mod handshake;
mod launch;
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
pub use outcome::{FailedRequest, NoAnswer, Outcome, Unanswered};
pub use profile::RuntimeProfile;
pub use raw::{Frame, RawConnection};
pub use runtime::{Builder, FakeRuntime};
