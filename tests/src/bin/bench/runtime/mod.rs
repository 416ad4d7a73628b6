//! What a delivery costs on a real containerd: time of the CRI's calls for each stage, and memory of a runner.

mod arguments;
mod lives;
mod memory;
mod report;
mod run;

pub(crate) use arguments::{Arguments, USAGE};
pub(crate) use run::run;
