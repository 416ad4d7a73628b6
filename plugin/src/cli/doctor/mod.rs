//! `doctor`: is everything on this node that hooks need, and is it as it should be?

mod command;
#[cfg(test)]
mod tests;

pub use command::{DoctorArgs, doctor};
