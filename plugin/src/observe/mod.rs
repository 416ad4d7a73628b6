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
pub(crate) mod service_manager;
mod status;
mod tend;

#[cfg(test)]
mod tests;

pub use ask::ask;
pub(crate) use ask::{AskError, exchange_with};
pub(crate) use endpoint::{Endpoint, STATUS_SOCKET};
pub(crate) use http::{read_request, text_response};
pub(crate) use logs::{LogArgs, flush_logs, start_logs};
pub(crate) use observed::Observed;
pub use observer::Observer;
pub(crate) use pulse::pulse;
pub use status::Status;
pub(crate) use status::{Connection, OnSilence};
pub(crate) use tend::tend;
