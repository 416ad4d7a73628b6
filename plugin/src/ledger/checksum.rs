//! The checksum at the end of every line of a container's files. A line that does not match is never used.
//!
//! A line is a JSON object, and the checksum its last member: `{"began":{…},"sum":"0123456789abcdef"}`. It is
//! the beginning of the SHA-256 of everything before that member.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::FileExt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::Damage;

/// The number of bytes of the SHA-256 that are written.
const SUM_BYTES: usize = 8;

const KEY: &str = ",\"sum\":\"";
const END: &str = "\"}";
const SUFFIX: usize = KEY.len() + 2 * SUM_BYTES + END.len();

/// The format of the files of one container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// Format 1: without checksums.
    Plain,
    /// Format 2: each line ends with its checksum.
    Sealed,
}

impl Format {
    /// The format of new containers. A change that an older release would misread raises the number; new keys
    /// that may be absent do not.
    pub(super) const CURRENT: u32 = 2;

    /// The format with this number; `None` if no release ever wrote it, or only a later one does.
    pub(super) fn of(number: u32) -> Option<Format> {
        match number {
            1 => Some(Format::Plain),
            Self::CURRENT => Some(Format::Sealed),
            _ => None,
        }
    }
}

/// A mark that a writer found the bytes between two offsets of the file cut off: they count as never written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct CutOff {
    from: usize,
    to: usize,
}

/// The line with such a mark.
#[derive(Serialize, Deserialize)]
struct CutOffLine {
    cutoff: CutOff,
}

/// Adds the checksum to `object`, the text of a JSON object that has members.
pub(super) fn seal(object: &mut Vec<u8>) {
    if object.pop_if(|byte| *byte == b'}').is_some() {
        let suffix = suffix(object);
        object.extend_from_slice(suffix.as_bytes());
    }
}

/// Whether `line`, without its line feed, matches its checksum.
pub(super) fn matches(line: &[u8]) -> bool {
    body(line).is_some()
}

/// The part of `line` before its checksum; `None` if it does not match.
fn body(line: &[u8]) -> Option<&[u8]> {
    let (body, found) = line.split_at_checked(line.len().checked_sub(SUFFIX)?)?;
    (suffix(body).as_bytes() == found).then_some(body)
}

fn suffix(body: &[u8]) -> String {
    let sum = Sha256::digest(body);
    let sum = sum.iter().take(SUM_BYTES).map(|byte| format!("{byte:02x}"));
    [KEY, &sum.collect::<String>(), END].concat()
}

/// The lines of a record, each the text of a JSON object without its checksum.
///
/// A last line that was cut off counts as never written. Fails with the reason if lines were lost or changed:
/// then it is unknown which hooks have run.
pub(super) fn lines(bytes: &[u8], format: Format) -> Result<Vec<Cow<'_, [u8]>>, Damage> {
    // Our lines have no NUL bytes. A file system leaves some if the power failed before the data were on the
    // disk.
    if bytes.contains(&0) {
        return Err(Damage::PartLost);
    }
    let (whole, rest) = bytes.split_at(begin_of_last(bytes));
    let whole = whole.split_inclusive(|byte| *byte == b'\n');
    if format == Format::Plain {
        return Ok(whole.map(Cow::Borrowed).collect());
    }
    if has_lost_its_line_feed(rest) {
        return Err(Damage::LastLineChanged);
    }
    let mut lines = Vec::new();
    let mut from = 0;
    for line in whole {
        let to = from + line.len() - 1;
        let body = body(&bytes[from..to]);
        let cut_off = body.and_then(cut_off);
        if let Some(cut_off) = cut_off {
            lines.pop_if(|(range, _)| *range == (cut_off.from, cut_off.to));
        } else if from < to {
            lines.push(((from, to), body));
        }
        from = to + 1;
    }
    let lines = lines.into_iter().enumerate().map(|(index, (_, body))| {
        let body = body.ok_or(Damage::WrongChecksum { line: index + 1 })?;
        Ok(Cow::Owned([body, b"}"].concat()))
    });
    lines.collect()
}

/// The offset of the line without a line feed.
fn begin_of_last(bytes: &[u8]) -> usize {
    let end = bytes.iter().rposition(|byte| *byte == b'\n');
    end.map_or(0, |end| end + 1)
}

/// Whether `rest`, the end of a file without a line feed, is a complete line. A crash leaves only the
/// beginning of one.
fn has_lost_its_line_feed(rest: &[u8]) -> bool {
    rest.split_last().is_some_and(|(_, line)| matches(line))
}

fn cut_off(body: &[u8]) -> Option<CutOff> {
    body.starts_with(b"{\"cutoff\":").then_some(())?;
    let line: CutOffLine = serde_json::from_slice(&[body, b"}"].concat()).ok()?;
    Some(line.cutoff)
}

/// Appends `line` to a record in one write, so that lines of two processes never mix; `file` is open for
/// reading and appending. A previous line that was cut off is marked.
pub(super) fn append(mut file: &File, line: &impl Serialize, format: Format) -> io::Result<()> {
    let mut text = end_cut_off_line(file, format)?;
    text.extend(to_line(line, format)?);
    file.write_all(&text)
}

/// The text of `line`, with its line feed.
pub(super) fn to_line(line: &impl Serialize, format: Format) -> io::Result<Vec<u8>> {
    let mut text = serde_json::to_vec(line)?;
    if format == Format::Sealed {
        seal(&mut text);
    }
    text.push(b'\n');
    Ok(text)
}

/// The text to write between a line of `file` that was cut off and the next one; empty if its last line is
/// complete.
fn end_cut_off_line(file: &File, format: Format) -> io::Result<Vec<u8>> {
    let size = file.metadata()?.len();
    let mut last = [b'\n'];
    if size > 0 {
        file.read_exact_at(&mut last, size - 1)?;
    }
    if last == *b"\n" {
        return Ok(Vec::new());
    }
    let mut text = b"\n".to_vec();
    let mut bytes = vec![0; usize::try_from(size).map_err(io::Error::other)?];
    file.read_exact_at(&mut bytes, 0)?;
    let from = begin_of_last(&bytes);
    if format == Format::Sealed && !has_lost_its_line_feed(&bytes[from..]) {
        let cutoff = CutOff {
            from,
            to: bytes.len(),
        };
        text.extend(to_line(&CutOffLine { cutoff }, format)?);
    }
    Ok(text)
}
