//! What the daemon tells about itself.

mod logs;

pub use logs::{LogFormat, start_logs};
