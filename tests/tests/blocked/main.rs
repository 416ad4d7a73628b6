//! Whatever does not answer, the runtime gets its answer in time: a container that needs what hangs is refused, every
//! other one is created, and all goes on when it answers again.

mod cases;
mod daemon;
mod ledger;
mod logs;
mod tools;
