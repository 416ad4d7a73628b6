//! What reading a hook-spec accepts, refuses and says.

mod brief;
mod reading;
mod refused;
