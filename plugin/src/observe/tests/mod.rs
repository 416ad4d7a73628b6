//! What the daemon tells about itself, and whom.

mod listening;
mod node;
mod telling;
