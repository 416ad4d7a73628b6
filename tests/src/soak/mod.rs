//! Many lives of containers while plugin and runtime die and come back, and the judgement on each: every stage once.

mod chaos;
mod judge;
mod life;
mod plan;
mod run;
mod tally;

pub use plan::Plan;
pub use run::run;
pub use tally::Tally;
