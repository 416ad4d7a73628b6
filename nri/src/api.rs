//! The messages of NRI as they are sent over the socket: every message, enum and field of NRI 0.12.5.
//!
//! # Stability
//! These types are generated from `proto/nri.proto`, and public as they are. They follow NRI rather than this crate:
//! - A new version of NRI adds fields and values. To be ready for that, make messages with `..Default::default()`. Enums
//!   are `#[non_exhaustive]`.
//! - They implement [`Message`] of `protobuf` 3. Another major version of `protobuf` is a breaking release of this crate.
//! - No other property of them is part of the interface: not their size, nor the order of their fields.
//!
//! # Absent values
//! A message field that is absent on the wire is an empty [`MessageField`]. An enum field is an [`EnumOrUnknown`], since
//! a newer runtime may send values that this version does not know.
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
pub use protobuf::{Enum, EnumOrUnknown, Message, MessageField, SpecialFields};

/// Converts between the wrappers of optional values and their values.
macro_rules! optional {
    ($($wrapper:ident $value:ty),* $(,)?) => {
        $(impl From<$value> for $wrapper {
            fn from(value: $value) -> Self {
                Self { value, ..Default::default() }
            }
        }

        impl OptionalValue for MessageField<$wrapper> {
            type Value = $value;

            fn of(value: $value) -> Self {
                Self::some(value.into())
            }

            fn to_option(&self) -> Option<$value> {
                self.as_ref().map(|wrapper| wrapper.value.clone())
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

/// The name behind a removal mark. None for a name without the mark.
///
/// In an adjustment, `-NAME` removes `NAME`: as the key of an annotation or a variable, the path of a device, or the
/// destination of a mount. The owner of a removed part has the mark too.
///
/// ```
/// use containerd_nri::api::removed_name;
///
/// assert_eq!(removed_name("-/dev/fuse"), Some("/dev/fuse"));
/// assert_eq!(removed_name("/dev/fuse"), None);
/// ```
pub fn removed_name(name: &str) -> Option<&str> {
    name.strip_prefix('-')
}

impl OwningPlugins {
    /// The plugin that set a field of a container, for a field that has one value such as [`Field::Args`]. Several that
    /// add to the same field, as with [`Field::OciHooks`], have commas between them.
    pub fn owner(&self, container_id: &str, field: Field) -> Option<&str> {
        let owner = self.owners.get(container_id)?.simple.get(&field.value());
        owner.map(String::as_str)
    }

    /// The plugin that set one part of a field of a container, for instance `PATH` of [`Field::Env`].
    pub fn owner_of(&self, container_id: &str, field: Field, part: &str) -> Option<&str> {
        let parts = self.owners.get(container_id)?.compound.get(&field.value())?;
        parts.owners.get(part).map(String::as_str)
    }
}

/// The value of a field that can be absent.
///
/// ```
/// use containerd_nri::api::{LinuxMemory, OptionalValue};
///
/// let mut memory = LinuxMemory::default();
/// assert_eq!(memory.limit.to_option(), None);
/// memory.limit = OptionalValue::of(512 << 20);
/// assert_eq!(memory.limit.to_option(), Some(512 << 20));
/// ```
pub trait OptionalValue: Sized {
    /// The type of the value.
    type Value;

    /// A field with a value.
    fn of(value: Self::Value) -> Self;

    /// The value, unless the field is absent.
    fn to_option(&self) -> Option<Self::Value>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_and_each_part_of_a_field_have_their_owners() {
        let parts = CompoundFieldOwners {
            owners: [("PATH".to_owned(), "10-env".to_owned())].into(),
            ..Default::default()
        };
        let fields = FieldOwners {
            simple: [(Field::Args.value(), "20-args".to_owned())].into(),
            compound: [(Field::Env.value(), parts)].into(),
            ..Default::default()
        };
        let owners = OwningPlugins {
            owners: [("id".to_owned(), fields)].into(),
            ..Default::default()
        };
        assert_eq!(owners.owner("id", Field::Args), Some("20-args"));
        assert_eq!(owners.owner("id", Field::OciHooks), None);
        assert_eq!(owners.owner("other", Field::Args), None);
        assert_eq!(owners.owner_of("id", Field::Env, "PATH"), Some("10-env"));
        assert_eq!(owners.owner_of("id", Field::Env, "HOME"), None);
    }
}
