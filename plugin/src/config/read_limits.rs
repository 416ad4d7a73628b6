//! Parses the limits of a hook: the keys of `[limits]`.

use std::num::{NonZeroU16, NonZeroU64};

use super::values::{Entry, Reader};
use crate::diagnostic::Rule;
use crate::model::{HookLimits, escaped};

pub(super) const KEYS: [&str; 3] = ["processes", "memory", "cpu_weight"];

/// Reads the table `entry` into `limits`.
pub(super) fn read(reader: &mut Reader<'_>, entry: &Entry<'_>, limits: &mut HookLimits) {
    for (key, value) in reader.table(entry).into_iter().flatten() {
        let entry = Entry::new("limits.", key, value);
        match key.get_ref().as_ref() {
            "processes" => {
                if let Some(processes) = reader.count_up_to(HookLimits::MAX_PROCESSES, &entry) {
                    limits.processes = processes;
                }
            }
            "memory" => limits.memory = memory(reader, &entry),
            "cpu_weight" => {
                let weight = reader.count_up_to(HookLimits::MAX_CPU_WEIGHT.into(), &entry);
                limits.cpu_weight = weight.and_then(|weight| NonZeroU16::try_from(weight).ok());
            }
            _ => reader.unknown(&entry, &KEYS),
        }
    }
}

/// An amount of memory.
fn memory(reader: &mut Reader<'_>, entry: &Entry<'_>) -> Option<NonZeroU64> {
    let text = reader.string(entry)?;
    let bytes = bytes(text);
    if bytes.is_none() {
        let message = format!("{} is not an amount of memory of at least 1Mi", escaped(text));
        let help = "write a whole number and Mi or Gi, such as \"256Mi\", in quotes";
        reader.wrong_value(entry, Rule::InvalidValue, message, help);
    }
    bytes
}

/// The number of bytes in `text`, if that is enough for a program: a whole number with `Ki`, `Mi`, `Gi` or no
/// suffix, as in Kubernetes.
fn bytes(text: &str) -> Option<NonZeroU64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit: u64 = match &text[digits.len()..] {
        "" => 1,
        "Ki" => 1 << 10,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        _ => return None,
    };
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = digits.parse().ok().filter(|_| is_plain)?;
    let bytes = number.checked_mul(unit)?;
    // The kernel accepts a signed number.
    let is_usable = (HookLimits::MIN_MEMORY..=i64::MAX as u64).contains(&bytes);
    NonZeroU64::new(bytes).filter(|_| is_usable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_of_memory_is_written_as_in_kubernetes() {
        for (text, expected) in [
            ("1Mi", Some(1 << 20)),
            ("2048Ki", Some(2 << 20)),
            ("3Gi", Some(3 << 30)),
            ("1048576", Some(1 << 20)),
            ("1048575", None),
            ("0", None),
            ("", None),
            ("Mi", None),
            ("+1Gi", None),
            ("-1Gi", None),
            ("1.5Gi", None),
            ("1 Gi", None),
            ("1G", None),
            ("1gi", None),
            ("8589934592Gi", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(bytes(text).map(NonZeroU64::get), expected, "{text}");
        }
    }
}
