//! Recognizes a drop-in of this program by its first line, which has the digest of the rest.

use sha2::{Digest, Sha256};

/// The beginning of the first line. Drop-ins from 0.1.0 begin with the first words, too.
const SEAL: &str = "# Written by nri-oci-hooks ";
const SUM: &str = "sha256 of what follows: ";

/// `text` with the line before it.
pub(super) fn sealed(text: &str) -> String {
    format!("{SEAL}runtime enable. {SUM}{}\n{text}", digest(text))
}

/// Whether `there` is an unchanged drop-in of this program, or of one of its earlier releases.
pub(super) fn is_sealed(there: &str) -> bool {
    let parts = there.strip_prefix(SEAL).and_then(|rest| rest.split_once('\n'));
    let sum = parts.and_then(|(first, text)| Some((first.split_once(SUM)?.1, text)));
    sum.is_some_and(|(sum, text)| sum == digest(text))
}

fn digest(text: &str) -> String {
    let sum = Sha256::digest(text.as_bytes());
    sum.iter().map(|byte| format!("{byte:02x}")).collect()
}
