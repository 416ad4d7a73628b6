//! What must hold of every message that quotes a text of others.

// Not every target uses all of it.
#![allow(dead_code)]

use nri_oci_hooks::diagnostic::{Diagnostic, MOST_MISTAKES};

/// One line of printable ASCII, of a bounded length.
pub fn assert_line(message: &str) {
    assert!(message.chars().all(|c| (' '..='~').contains(&c)), "{message:?}");
    assert!(message.len() < 4096, "{} bytes", message.len());
}

/// The mistakes of a text of `length` bytes: bounded, in its order, each a line, at a place in it.
pub fn assert_mistakes(mistakes: &[Diagnostic], length: usize) {
    assert!(mistakes.len() <= MOST_MISTAKES + 1);
    let places: Vec<_> = mistakes.iter().filter_map(|mistake| mistake.place).collect();
    assert!(places.is_sorted());
    assert!(places.iter().all(|place| place.offset + place.length <= length));
    mistakes
        .iter()
        .for_each(|mistake| assert_line(&mistake.to_string()));
}
