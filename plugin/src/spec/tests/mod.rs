//! What reading a hook-spec accepts, refuses and says.

mod brief;
mod hooks_d;
mod reading;
mod refused;
mod writing;
