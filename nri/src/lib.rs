//! The Node Resource Interface (NRI) of containerd and CRI-O, for plugins written in Rust.

pub mod api;
#[allow(dead_code)]
mod frame;
mod generated;

#[allow(unused_imports)]
pub(crate) use generated::nri_ttrpc as rpc;
