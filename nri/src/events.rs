//! The events that a plugin subscribes to.

use std::fmt;
use std::ops::{BitAnd, BitOr, BitOrAssign, Sub};
use std::str::FromStr;

use crate::implemented;
use crate::plugin::Plugin;
use crate::version::Version;

/// A set of events.
///
/// Every subscribed event costs time under the one lock that the runtime holds for the whole node. So a plugin should
/// name the few that it needs:
///
/// ```
/// use containerd_nri::EventMask;
///
/// let events = EventMask::CREATE_CONTAINER | EventMask::STOP_CONTAINER;
/// assert!(events.contains(EventMask::STOP_CONTAINER));
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct EventMask(i32);

/// Defines the constants, and the table of their names.
macro_rules! events {
    ($($bit:literal $name:ident $doc:literal),* $(,)?) => {
        impl EventMask {
            $(#[doc = $doc] pub const $name: Self = Self($bit);)*

            /// Every event there is in NRI 0.12.5.
            pub const ALL: Self = Self($($bit)|*);
        }

        const NAMES: &[(EventMask, &str)] = &[$((EventMask::$name, stringify!($name))),*];
    };
}

events! {
    0x1 RUN_POD_SANDBOX "A pod was started.",
    0x2 STOP_POD_SANDBOX "A pod is stopped.",
    0x4 REMOVE_POD_SANDBOX "A pod is removed.",
    0x8 CREATE_CONTAINER "A container is being created, and can be adjusted.",
    0x10 POST_CREATE_CONTAINER "A container was created.",
    0x20 START_CONTAINER "A container is being started.",
    0x40 POST_START_CONTAINER "A container was started.",
    0x80 UPDATE_CONTAINER "The resources of a container are being changed.",
    0x100 POST_UPDATE_CONTAINER "The resources of a container were changed.",
    0x200 STOP_CONTAINER "A container is stopped, or its program has ended.",
    0x400 REMOVE_CONTAINER "A container is removed.",
    0x800 UPDATE_POD_SANDBOX "The resources of a pod are being changed (NRI 0.10).",
    0x1000 POST_UPDATE_POD_SANDBOX "The resources of a pod were changed (NRI 0.10).",
    0x2000 VALIDATE_CONTAINER_ADJUSTMENT "What all plugins adjusted can be rejected (NRI 0.10).",
}

/// The first version of NRI with more events than the first.
const SINCE_0_10: Version = Version {
    major: 0,
    minor: 10,
    patch: 0,
};

impl EventMask {
    /// No event. Not valid as an answer to Configure, where it would mean all.
    pub const NONE: Self = Self(0);

    /// The events that every version of NRI knows, since 0.2.
    const SINCE_0_2: Self = Self(0x7FF);

    /// The events that a runtime with this NRI version knows.
    ///
    /// Without a version these are all events. If a set has one event that the runtime does not know, the
    /// runtime refuses the plugin. See [`RuntimeInfo::nri`](crate::RuntimeInfo::nri) for the known versions.
    pub fn known_to(runtime: Option<Version>) -> Self {
        match runtime {
            Some(version) if version < SINCE_0_10 => Self::SINCE_0_2,
            _ => Self::ALL,
        }
    }

    /// The events that a plugin implements: those whose method of [`Plugin`] is not the default one. A plugin
    /// that passes its events to another one implements all that it passes.
    pub fn implemented_by<P: Plugin>() -> Self {
        implemented::implemented_by::<P>()
    }

    /// Whether all of `events` are in this set.
    pub const fn contains(self, events: Self) -> bool {
        self.0 & events.0 == events.0
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The events of both sets. The same as `|`, and usable in constants:
    ///
    /// ```
    /// use containerd_nri::EventMask;
    ///
    /// const EVENTS: EventMask = EventMask::CREATE_CONTAINER.union(EventMask::STOP_CONTAINER);
    /// assert_eq!(EVENTS.to_string(), "CREATE_CONTAINER | STOP_CONTAINER");
    /// assert_eq!("create_container, stop_container".parse(), Ok(EVENTS));
    /// ```
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The set with these bits; none if one of them stands for no event.
    pub const fn from_bits(bits: i32) -> Option<Self> {
        match bits & !Self::ALL.0 {
            0 => Some(Self(bits)),
            _ => None,
        }
    }

    /// The events of the set, one by one.
    pub fn iter(self) -> impl Iterator<Item = Self> {
        NAMES
            .iter()
            .map(|(event, _)| *event)
            .filter(move |event| self.contains(*event))
    }

    /// The set as in the protocol: bit (event − 1) for each event.
    pub const fn bits(self) -> i32 {
        self.0
    }
}

/// The text names no event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an NRI event; expected a name like CREATE_CONTAINER, or ALL")]
pub struct EventError(String);

/// Names of events, in any case, with `|` or commas between them: `CREATE_CONTAINER | STOP_CONTAINER`. `ALL` and `NONE`
/// stand for their sets.
impl FromStr for EventMask {
    type Err = EventError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut events = Self::NONE;
        for name in text.split(['|', ',']).map(str::trim) {
            let known = NAMES.iter().find(|(_, known)| known.eq_ignore_ascii_case(name));
            events |= match known {
                Some((event, _)) => *event,
                None if name.eq_ignore_ascii_case("ALL") => Self::ALL,
                None if name.eq_ignore_ascii_case("NONE") => Self::NONE,
                None => return Err(EventError(name.to_owned())),
            };
        }
        Ok(events)
    }
}

impl FromIterator<EventMask> for EventMask {
    fn from_iter<I: IntoIterator<Item = Self>>(events: I) -> Self {
        events.into_iter().fold(Self::NONE, Self::union)
    }
}

impl BitOr for EventMask {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for EventMask {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl BitAnd for EventMask {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

/// The events of the one set without those of the other.
impl Sub for EventMask {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl fmt::Display for EventMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("NONE");
        }
        let mut separator = "";
        for (event, name) in NAMES {
            if self.contains(*event) {
                write!(f, "{separator}{name}")?;
                separator = " | ";
            }
        }
        Ok(())
    }
}

impl fmt::Debug for EventMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EventMask({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Event;
    use protobuf::Enum;

    #[test]
    fn each_event_has_the_bit_of_its_number() {
        for (event, name) in NAMES {
            let number = Event::from_str(name).unwrap().value();
            assert_eq!(event.bits(), 1 << (number - 1), "{name}");
        }
        assert_eq!(NAMES.len() as i32, Event::LAST.value() - 1);
        assert_eq!(EventMask::ALL.bits(), 0x3FFF);
    }

    #[test]
    fn a_runtime_before_nri_0_10_knows_the_first_eleven_events() {
        assert_eq!(EventMask::known_to(None), EventMask::ALL);
        let known = |text: &str| EventMask::known_to(Some(text.parse().unwrap())).bits();
        assert_eq!(known("v0.9.0"), 0x7FF);
        assert_eq!(known("v0.10.0"), 0x3FFF);
        assert_eq!(known("v0.12.2"), 0x3FFF);
        assert_eq!(known("v1.0.0"), 0x3FFF);
    }

    #[test]
    fn a_set_is_read_from_the_names_of_its_events() {
        for events in EventMask::ALL.iter().chain([EventMask::ALL, EventMask::NONE]) {
            assert_eq!(events.to_string().parse(), Ok(events));
        }
        assert_eq!("all".parse(), Ok(EventMask::ALL));
        for text in [
            "",
            "CREATE",
            "CREATE_CONTAINER,",
            "CREATE_CONTAINER STOP_CONTAINER",
        ] {
            assert!(text.parse::<EventMask>().is_err(), "{text}");
        }
    }

    #[test]
    fn bits_without_an_event_are_no_set() {
        assert_eq!(EventMask::from_bits(0x3FFF), Some(EventMask::ALL));
        assert_eq!(EventMask::from_bits(0x4000), None);
        assert_eq!(EventMask::from_bits(-1), None);
        assert_eq!(EventMask::ALL.iter().collect::<EventMask>(), EventMask::ALL);
    }

    #[test]
    fn a_set_reads_as_the_names_of_its_events() {
        let events = EventMask::CREATE_CONTAINER | EventMask::RUN_POD_SANDBOX;
        assert_eq!(events.to_string(), "RUN_POD_SANDBOX | CREATE_CONTAINER");
        assert_eq!((events - EventMask::ALL).to_string(), "NONE");
    }
}
