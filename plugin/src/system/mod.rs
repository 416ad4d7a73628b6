//! What the kernel and the C library make us say in `unsafe`; the only room that may.

#![allow(unsafe_code)]

mod descriptors;
mod memory;
mod process;
mod readable;

pub use descriptors::{receive_with_descriptor, send_with_descriptor, take_descriptor};
pub use memory::{return_free_memory, share_heap};
pub use process::{
    close_descriptors_but, close_descriptors_on_exec, in_a_copy, in_a_copy_to_be_replaced,
    keep_ended_children, take_default_signals,
};
pub use readable::readable;
