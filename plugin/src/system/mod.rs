//! The calls to the kernel and the C library that require `unsafe`; the only module that may use it.

#![allow(unsafe_code)]

mod descriptors;
mod exit_code;
mod memory;
mod process;
mod readable;

pub(crate) use descriptors::{receive_with_descriptor, send_with_descriptor, take_descriptor};
pub(crate) use exit_code::exit_code;
pub use exit_code::knows_exit_codes;
pub(crate) use memory::{return_free_memory, share_heap};
pub(crate) use process::{
    allow_waiting_for_children, close_descriptors_except, close_descriptors_on_exec, fork_child,
    fork_to_exec, reset_signals,
};
pub(crate) use readable::readable;
