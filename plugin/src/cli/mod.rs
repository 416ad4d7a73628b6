//! The commands for people.

mod check;
mod command_line;
mod complain;
mod config;
mod doctor;
mod explain;
mod forked;
mod format;
mod hand_over;
mod host_unit;
mod ledger;
mod log;
mod pod;
mod ps;
mod run;
mod runtime;
mod status;

pub(crate) use check::{CheckArgs, check};
pub use command_line::CommandLine;
pub(crate) use config::{ConfigArg, DEFAULT_CONFIG, absolute};
pub(crate) use doctor::{DoctorArgs, doctor};
pub(crate) use explain::{ExplainArgs, explain};
pub(crate) use format::Format;
pub(crate) use hand_over::{HandOverArgs, hand_over};
pub(crate) use host_unit::{HostUnitArgs, host_unit};
pub(crate) use ledger::LedgerArg;
pub(crate) use log::{LogArgs, log};
pub(crate) use ps::{PsArgs, ps};
pub use run::is_launched;
pub(crate) use run::{RunArgs, run};
pub(crate) use runtime::{RuntimeArgs, runtime};
pub(crate) use status::{StatusArgs, status};
