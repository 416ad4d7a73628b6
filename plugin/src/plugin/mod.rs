//! NRI events to answers: asks the selection, delivers the outcome, holds no rules of its own.

mod direct;
mod events;
mod subject;

pub use events::OciHooks;
