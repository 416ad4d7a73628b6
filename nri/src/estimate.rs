//! Estimates the memory of a request from its bytes, before it is decoded.
//!
//! Two bytes can be an empty container, which needs hundreds as a [`Container`](crate::api::Container): a message of 4 MiB would
//! need over a gigabyte.

/// The memory of a text besides its bytes: its place in a list, and the allocator's overhead.
const TEXT: u64 = 40;

/// The memory of a field that this version of NRI does not know: such fields are stored in a map of their
/// own.
const UNKNOWN: u64 = 256;

/// The memory of an entry of a map besides its key and value, while the map grows.
pub(crate) const ENTRY_OVERHEAD: usize = 100;

/// The memory of one kind of message.
#[derive(Debug)]
pub(crate) struct Layout {
    /// The message itself, in bytes.
    pub(crate) bytes: usize,
    /// The highest field number of the message.
    pub(crate) known: u64,
    /// The fields that are messages, each with its number; an entry of a map is a message.
    pub(crate) parts: &'static [(u64, &'static Layout)],
}

/// A message whose layout is known.
pub(crate) trait WithLayout {
    const LAYOUT: Layout;
}

impl Layout {
    /// The approximate memory of the message `bytes`; `None` if they are invalid. Groups are invalid too: no
    /// message of NRI has one.
    pub(crate) fn estimate(&self, bytes: &[u8]) -> Option<u64> {
        let mut estimate = self.bytes as u64;
        let mut rest = bytes;
        while !rest.is_empty() {
            let tag = varint(&mut rest)?;
            let number = tag >> 3;
            let content = match tag & 7 {
                0 => varint(&mut rest).map(|_| None)?,
                1 => take(&mut rest, 8).map(|_| None)?,
                2 => {
                    let length = usize::try_from(varint(&mut rest)?).ok()?;
                    Some(take(&mut rest, length)?)
                }
                5 => take(&mut rest, 4).map(|_| None)?,
                _ => return None,
            };
            let part = self.parts.iter().find(|(known, _)| *known == number);
            estimate += match (part, content) {
                (Some((_, part)), Some(content)) => part.estimate(content)?,
                _ if number > self.known => UNKNOWN + content.map_or(0, <[u8]>::len) as u64,
                (None, Some(content)) => TEXT + content.len() as u64,
                // The memory of a number in a list.
                (_, None) => 8,
            };
        }
        Some(estimate)
    }
}

/// Removes this many bytes from a message.
fn take<'b>(rest: &mut &'b [u8], length: usize) -> Option<&'b [u8]> {
    let (taken, left) = rest.split_at_checked(length)?;
    *rest = left;
    Some(taken)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = take(rest, 1)?[0];
        value |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use protobuf::Message;

    use super::*;
    use crate::api::{ConfigureRequest, Container, SynchronizeRequest};

    #[test]
    fn small_elements_are_estimated_by_their_memory_and_not_by_their_length() {
        let request = SynchronizeRequest {
            containers: vec![Container::new(); 1000],
            ..Default::default()
        };
        let bytes = request.write_to_bytes().unwrap();
        assert_eq!(bytes.len(), 2000);
        let estimate = SynchronizeRequest::LAYOUT.estimate(&bytes).unwrap();
        assert!(estimate >= 1000 * size_of::<Container>() as u64);
        // 600 unknown fields, of 3 bytes each.
        let unknown: Vec<u8> = (0..600).flat_map(|_| [0xF8, 0x0F, 0]).collect();
        assert!(ConfigureRequest::LAYOUT.estimate(&unknown).unwrap() >= 600 * UNKNOWN);
    }

    #[test]
    fn the_estimate_of_a_text_is_little_more_than_its_length() {
        let request = ConfigureRequest {
            config: "x".repeat(100_000),
            ..Default::default()
        };
        let estimate = ConfigureRequest::LAYOUT.estimate(&request.write_to_bytes().unwrap());
        assert!((100_000..101_000).contains(&estimate.unwrap()), "{estimate:?}");
    }

    #[test]
    fn an_invalid_message_has_no_estimate() {
        for bytes in [
            &[0x0A, 0xFF][..],
            &[0xFF; 20],
            // A group, and one that is complete.
            &[0x0B],
            &[0x0B, 0x0C],
            &[0x09, 0, 0],
            &[0x0D, 0],
            &[0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F],
        ] {
            assert_eq!(ConfigureRequest::LAYOUT.estimate(bytes), None);
        }
    }
}
