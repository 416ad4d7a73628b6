//! The terms that all modules share: stages, the hooks of a container, its id. This module depends on no
//! other.

#![forbid(unsafe_code)]

mod container_id;
mod escape;
mod limits;
mod on_failure;
mod origin;
mod path_error;
mod process_id;
mod resolved;
mod stage;
mod timeout;
mod timestamp;

pub use container_id::ContainerId;
pub(crate) use container_id::NotAnId;
pub(crate) use escape::{bounded_list, counted, escaped, escaped_path, one_line, prose};
pub use limits::HookLimits;
pub use on_failure::OnFailure;
pub(crate) use origin::{Chosen, Origin};
pub(crate) use path_error::PathError;
pub(crate) use process_id::{ProcessId, Program};
pub use resolved::{ResolvedHook, ResolvedHooks, Source};
pub use stage::Stage;
pub use timeout::Timeout;
pub use timestamp::Timestamp;

/// The directory of the ledger, unless the configuration sets another.
pub(crate) const DEFAULT_STATE_DIR: &str = "/var/lib/nri-oci-hooks";
