//! The daemon's reports about itself: logs, metrics, health, status.

mod background;
mod client;
mod endpoint;
mod heartbeat;
mod http;
mod listener;
mod logs;
mod metrics;
mod notifications;
mod observed;
mod observer;
mod periodic;
pub(crate) mod service_manager;
mod stalls;
mod status;

#[cfg(test)]
mod tests;

pub use client::request_status;
pub(crate) use client::{StatusError, exchange_with};
pub(crate) use endpoint::{Endpoint, STATUS_SOCKET};
pub(crate) use http::{read_request, text_response};
pub(crate) use logs::{LogArgs, flush_logs, start_logs};
pub(crate) use observed::Observed;
pub use observer::Observer;
pub(crate) use periodic::run_periodic_tasks;
pub(crate) use stalls::detect_stalls;
pub use status::Status;
pub(crate) use status::{Connection, OnSilence};
