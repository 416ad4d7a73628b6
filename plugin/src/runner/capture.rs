//! Keeping the beginning and the end of a stream of any length.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};

use crate::ledger::Output;

/// How many bytes of the beginning are kept.
const HEAD: usize = 4 * 1024;

/// How many bytes of the end are kept. The end is where the reason of a failure stands.
const TAIL: usize = 12 * 1024;

/// How much is read at once. It is on the stack, and what is touched of that is memory of the runner.
const CHUNK: usize = 8 * 1024;

/// How much is read after the hook has ended: what it left in the pipe, at the largest size that
/// it can have given it. Who goes on writing is not its to wait for.
const LEFT_OVER: usize = 1024 * 1024;

/// One output stream of a hook, while it is read.
#[derive(Debug)]
pub(super) struct Capture {
    /// Absent once the stream has ended. Reading it never blocks.
    stream: Option<File>,
    head: Vec<u8>,
    tail: VecDeque<u8>,
    omitted: u64,
}

impl Capture {
    /// Reads from `stream`, which must not block.
    pub(super) fn new(stream: File) -> Capture {
        Capture {
            stream: Some(stream),
            head: Vec::new(),
            tail: VecDeque::new(),
            omitted: 0,
        }
    }

    /// The stream, if it has not ended.
    pub(super) fn stream(&self) -> Option<&File> {
        self.stream.as_ref()
    }

    /// Reads once what is there. Returns how much; 0 if there is nothing now, or never again.
    pub(super) fn read(&mut self) -> usize {
        let mut chunk = [0; CHUNK];
        let Some(stream) = &mut self.stream else { return 0 };
        match stream.read(&mut chunk) {
            Ok(0) => self.stream = None,
            Ok(length) => {
                self.take(&chunk[..length]);
                return length;
            }
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
                ) => {}
            Err(_) => self.stream = None,
        }
        0
    }

    /// Reads what the hook left, and ends.
    pub(super) fn finish(mut self) -> Output {
        let mut left = LEFT_OVER;
        while left > 0 {
            match self.read() {
                0 => break,
                length => left = left.saturating_sub(length),
            }
        }
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let tail = self.tail.make_contiguous();
        Output {
            head: text(&self.head),
            omitted: self.omitted,
            tail: text(tail),
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        let (head, rest) = bytes.split_at(bytes.len().min(HEAD - self.head.len()));
        self.head.extend_from_slice(head);
        let surplus = (self.tail.len() + rest.len()).saturating_sub(TAIL);
        let old = surplus.min(self.tail.len());
        self.tail.drain(..old);
        self.tail.extend(&rest[surplus - old..]);
        self.omitted += surplus as u64;
    }
}
