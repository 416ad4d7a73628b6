//! What the kernel and the C library make us say in `unsafe`; the only room that may.

#![allow(unsafe_code)]

mod memory;
mod process;
mod readable;

pub use memory::{return_free_memory, share_heap};
pub use process::{
    close_descriptors_but, close_descriptors_on_exec, in_a_copy, in_a_copy_to_be_replaced,
    keep_ended_children, take_default_signals,
};
pub use readable::readable;
