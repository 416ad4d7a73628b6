//! The rules for every message that quotes text of others.

// Not every target uses all of it.
#![allow(dead_code)]

use nri_oci_hooks::diagnostic::{Diagnostic, MAX_ERRORS};

/// One line of printable ASCII, of a bounded length.
pub fn assert_line(message: &str) {
    assert!(message.chars().all(|c| (' '..='~').contains(&c)), "{message:?}");
    assert!(message.len() < 4096, "{} bytes", message.len());
}

/// The errors of a text of `length` bytes: bounded, in its order, each a line, at a place in it.
pub fn assert_errors(errors: &[Diagnostic], length: usize) {
    assert!(errors.len() <= MAX_ERRORS + 1);
    let places: Vec<_> = errors.iter().filter_map(|error| error.place).collect();
    assert!(places.is_sorted());
    assert!(places.iter().all(|place| place.offset + place.length <= length));
    errors.iter().for_each(|error| assert_line(&error.to_string()));
}
