//! NRI's events: selects hooks, records them in the ledger, and answers or starts a runner.

mod active;
mod applied;
mod deliver;
mod direct;
mod events;
mod first;
mod inject;
mod inspection;
mod lazy_ledger;
mod lifecycle;
mod mark;
mod missed;
mod nri_hooks;
mod oci_hooks;
mod selectable;
mod subject;

pub use inspection::ConfiguredBy;
pub(crate) use inspection::Inspection;
pub use lifecycle::RunnerProgram;
pub use missed::WithoutHooks;
pub use oci_hooks::OciHooks;
