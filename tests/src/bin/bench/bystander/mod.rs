//! What slow hooks of some pods cost a pod without hooks on the same node, on a real containerd.

mod arguments;
mod report;
mod round;
mod run;

pub(crate) use arguments::{Arguments, USAGE};
pub(crate) use run::run;
