//! What the kernel and the C library make us say in `unsafe`; the only room that may.

#![allow(unsafe_code)]

mod memory;

pub use memory::return_free_memory;
