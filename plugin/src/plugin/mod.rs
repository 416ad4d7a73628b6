//! NRI's events: select, ledger, and an answer or a runner.

mod deliver;
mod direct;
mod events;
mod inject;
mod life;
mod nri_hooks;
mod subject;

pub use events::OciHooks;
