//! `host-unit`: a pod that runs the daemon as a unit of its host.

mod command;
mod probes;
mod rounds;

pub(crate) use command::{HostUnitArgs, host_unit};
