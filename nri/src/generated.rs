//! The messages and services generated from `proto/nri.proto`.

#![allow(unreachable_pub, clippy::unwrap_used)]

include!(concat!(env!("OUT_DIR"), "/generated.rs"));
