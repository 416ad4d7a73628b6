//! What a configuration may say, and how its errors are told.

mod brief;
mod policy;
mod reading;
