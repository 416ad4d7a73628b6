//! The Node Resource Interface (NRI) of containerd and CRI-O, for plugins written in Rust.
//!
//! An NRI plugin receives events about the pods and containers of a node. It may change containers as they are created:
//! their environment, mounts, devices, hooks, resources. Write one by implementing [`Plugin`]:
//!
//! ```no_run
//! use containerd_nri::{Adjustment, Context, Identity, Plugin, Service, Status, event};
//!
//! struct Greeter;
//!
//! impl Plugin for Greeter {
//!     async fn create_container(&self, _: &Context, event: event::CreateContainer) -> Result<Adjustment, Status> {
//!         match event.pod.annotations.get("greeting.example.com") {
//!             None => Ok(Adjustment::new()),
//!             Some(greeting) if greeting.is_empty() => Err(Status::invalid_argument("an empty greeting")),
//!             Some(greeting) => Ok(Adjustment::new().env("GREETING", greeting)),
//!         }
//!     }
//! }
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() -> Result<(), containerd_nri::IdentityError> {
//!     Service::new(Greeter, Identity::new("10", "greeter")?).run().await;
//!     Ok(())
//! }
//! ```
//!
//! # Two kinds of plugin
//! A [`Service`] connects to the socket of the runtime, and connects again when the runtime restarts. A [`Launched`]
//! plugin was started by the runtime. It inherits its socket, and ends with the connection. A program can be both: try
//! [`Launched::from_env`] first.
//!
//! # What to rely on
//! - **An answer in time.** To a runtime, silence means "no objection". If a plugin misses the deadline, panics or is
//!   gone, the container is created without it. So the crate answers with an error before the runtime gives up, and also
//!   after a panic. The error fails the creation. This needs `panic = "unwind"`, the default.
//! - **A failure policy.** A plugin whose process hangs or dies cannot answer at all. From NRI 0.12.5 on, its
//!   [`FailurePolicy`] has the runtime fail the request then, and keep the plugin connected.
//! - **Old and new runtimes.** The crate serves both forms of events. It subscribes only to events that the runtime's
//!   version of NRI knows. It joins a synchronization that comes in several messages.
//! - **Frames that runtimes can read.** Runtimes close the connection on some valid frames, because these are longer
//!   than the runtime's buffer. The crate sends none of these. An answer that is too large to send becomes an error.
//! - **Bounded memory.** The length in a header allocates nothing. The crate takes in requests no faster than it answers
//!   them, and refuses a request that would take more than 40 MiB once decoded.
//!
//! # Handlers that block
//! A handler may block its thread, for instance while it reads a file over a network. Each handler runs on a thread of
//! its own. The thread of the connection watches the deadline. At the deadline:
//! - The runtime gets an error, [`Code::DeadlineExceeded`], and the next event runs on another thread.
//! - The handler is dropped at its next `await`. A handler without one keeps its thread and its request. It may end
//!   later and have its effects then. Its answer is dropped, with a warning in the log.
//! - Up to 4 handlers can be stuck like this. Then every event is refused at once, with [`Code::ResourceExhausted`].
//!   The plugin recovers by itself when one of them ends.
//! - Nothing waits for a stuck thread: neither [`Service::run_until`], nor the end of the tokio runtime, nor the end of
//!   the process unless the thread is stuck in the kernel.
//!
//! All methods of [`Plugin`] run like this. Tasks that a handler starts with [`tokio::spawn`] do not, and must never
//! block. The same holds for the subscriber of the log, which the connection's thread calls too. The threads cost each
//! event two context switches, and the plugin one idle thread.
//!
//! # Logging
//! The crate logs through [`tracing`]. The ttrpc library below it uses `log`.
//!
//! # Tests
//! The crate `containerd-nri-testkit` has a fake runtime to test plugins with, in one line:
//! `containerd_nri_testkit::run(plugin).await?`. A handler can also be called like any method: with [`Context::new`] and
//! an event of the module [`event`].
//!
//! # Versions
//! Rust 1.85 or newer. The public types of other crates are those of `tokio` 1 and `protobuf` 3.
//!
//! The project is not affiliated with containerd.

#![deny(missing_docs, missing_debug_implementations)]

mod adapter;
mod adjustment;
mod answer;
pub mod api;
mod backoff;
mod budget;
mod context;
mod error;
mod estimate;
pub mod event;
mod events;
mod frame;
mod generated;
mod identity;
mod implemented;
mod infer;
mod launched;
mod mux;
mod plugin;
mod resources;
mod runtime;
mod service;
mod session;
mod status;
mod subscription;
mod updates;
mod version;
mod workers;

pub use adjustment::{Adjustment, HookStage, MAX_MESSAGE};
pub use backoff::Backoff;
pub use context::{Configuration, Context, RECEIVED_AT, RuntimeInfo};
pub use error::Error;
pub use events::{EventError, EventMask};
pub use identity::{Identity, IdentityError, PluginIndex, PluginName};
pub use launched::Launched;
pub use plugin::Plugin;
pub use runtime::{ConnectionState, RuntimeHandle};
pub use service::{DEFAULT_SOCKET, Service};
pub use status::{Code, Status};
pub use subscription::{FailurePolicy, Subscription};
pub use updates::{Update, Updates, Verdict};
pub use version::{NRI_VERSION, Version, VersionError};

pub(crate) use generated::nri_ttrpc as rpc;

/// Compiles the code in the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
