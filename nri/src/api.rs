//! The messages of NRI, generated from `proto/nri.proto`: every message, enum and field of NRI 0.12.5.
//!
//! A message field that is absent on the wire is an empty [`MessageField`]; an enum field is an
//! [`EnumOrUnknown`], since a newer runtime may send values that this version does not know.
//!
//! ```
//! use containerd_nri::api::{Hook, MessageField};
//!
//! let hook = Hook {
//!     path: "/usr/bin/true".into(),
//!     timeout: MessageField::some(30.into()),
//!     ..Default::default()
//! };
//! ```

pub use crate::generated::nri::*;
pub use protobuf::{EnumOrUnknown, Message, MessageField};

/// Makes the wrappers of optional values from their values.
macro_rules! optional {
    ($($wrapper:ident $value:ty),* $(,)?) => {
        $(impl From<$value> for $wrapper {
            fn from(value: $value) -> Self {
                Self { value, ..Default::default() }
            }
        })*
    };
}

optional! {
    OptionalString String,
    OptionalRepeatedString Vec<String>,
    OptionalInt i64,
    OptionalInt32 i32,
    OptionalUInt32 u32,
    OptionalInt64 i64,
    OptionalUInt64 u64,
    OptionalBool bool,
    OptionalFileMode u32,
}
