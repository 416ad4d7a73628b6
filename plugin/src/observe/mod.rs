//! The daemon's reports about itself: logs, metrics, health, status.

mod aside;
mod ask;
mod endpoint;
mod heartbeat;
mod http;
mod listener;
mod logs;
mod metrics;
mod notifications;
mod observed;
mod observer;
mod pulse;
pub mod service_manager;
mod status;
mod tend;
mod waiting;

#[cfg(test)]
mod tests;

pub use ask::{AskError, ask};
pub use endpoint::{Endpoint, STATUS_SOCKET};
pub use logs::{Destination, LogArgs, LogFormat, flush_logs, start_logs};
pub use observed::Observed;
pub use observer::Observer;
pub use pulse::pulse;
pub use status::{Connection, InForceFile, LastError, OnSilence, Status, UnansweredPath};
pub use tend::tend;
