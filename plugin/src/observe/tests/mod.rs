//! The daemon's reports about itself, and who gets them.

mod listening;
mod node;
mod reporting;
