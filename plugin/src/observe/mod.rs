//! What the daemon tells about itself.

mod logs;

pub use logs::{Destination, LogArgs, LogFormat, start_logs};
