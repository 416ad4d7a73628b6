//! `doctor`: checks whether this node has all that hooks need, in the right state.

mod command;
#[cfg(test)]
mod tests;

pub(crate) use command::{DoctorArgs, doctor};
