//! The messages, their layouts and the services, generated from `proto/nri.proto`, by `cargo run -p containerd-nri-codegen`.

#![allow(unreachable_pub, clippy::unwrap_used)]

pub mod nri;
pub mod nri_ttrpc;
#[rustfmt::skip]
pub(crate) mod layouts;
