//! The messages of NRI, generated from `proto/nri.proto`: every message, enum and field of NRI 0.12.2.
//!
//! A message field that is absent on the wire is an empty [`MessageField`]; an enum field is an
//! [`EnumOrUnknown`], since a newer runtime may send values that this version does not know.

pub use crate::generated::nri::*;
pub use protobuf::{EnumOrUnknown, Message, MessageField};
