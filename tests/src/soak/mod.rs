//! Many lives of containers while plugin, runtime, runners, holders and shims die, and the check of each: every stage
//! once.

mod chaos;
mod check;
mod life;
mod plan;
mod run;
mod tally;
mod victim;

pub use plan::Plan;
pub use run::run;
pub use tally::Tally;
