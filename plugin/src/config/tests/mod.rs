//! What a configuration may say, and how its mistakes are told.

mod brief;
mod policy;
mod reading;
