//! The messages, their shapes and the services, generated from `proto/nri.proto`, by `cargo run -p containerd-nri-codegen`.

#![allow(unreachable_pub, clippy::unwrap_used)]

pub mod nri;
pub mod nri_ttrpc;
#[rustfmt::skip]
pub(crate) mod shapes;
