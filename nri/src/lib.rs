//! The Node Resource Interface (NRI) of containerd and CRI-O, for plugins written in Rust.

mod adapter;
mod adjustment;
pub mod api;
mod backoff;
mod context;
mod error;
mod events;
mod frame;
mod generated;
mod identity;
mod launched;
mod mux;
mod plugin;
mod service;
mod session;
mod status;
#[cfg(feature = "testkit")]
pub mod testkit;
mod version;

pub use adjustment::{Adjustment, HookStage, MAX_MESSAGE, Updates, Verdict};
pub use backoff::Backoff;
pub use context::{Configuration, Context, RuntimeHandle, RuntimeInfo};
pub use error::Error;
pub use events::EventMask;
pub use identity::{Identity, IdentityError, PluginIndex, PluginName};
pub use launched::Launched;
pub use plugin::Plugin;
pub use service::{DEFAULT_SOCKET, Service};
pub use status::{Code, Status};
pub use version::{NRI_VERSION, Version, VersionError};

pub(crate) use generated::nri_ttrpc as rpc;
