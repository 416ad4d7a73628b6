//! The commands for people.

mod apart;
mod check;
mod command_line;
mod complain;
mod config;
mod doctor;
mod explain;
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

pub use check::{CheckArgs, check};
pub use command_line::CommandLine;
pub use config::{ConfigArg, DEFAULT_CONFIG, absolute};
pub use doctor::{DoctorArgs, doctor};
pub use explain::{ExplainArgs, explain};
pub use format::Format;
pub use hand_over::{HandOverArgs, hand_over};
pub use host_unit::{HostUnitArgs, host_unit};
pub use ledger::LedgerArg;
pub use log::{LogArgs, log};
pub use ps::{PsArgs, ps};
pub use run::{RunArgs, is_launched, run};
pub use runtime::{RuntimeArgs, runtime};
pub use status::{StatusArgs, status};
