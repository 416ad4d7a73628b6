//! `host-unit`: a pod that has its host run the daemon as a unit.

mod command;
mod probes;
mod rounds;

pub use command::{HostUnitArgs, host_unit};
