//! Captures the beginning and the end of a stream of any length.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Read;

use crate::ledger::Output;
use crate::process::is_passing;

/// The maximum length of the beginning, in bytes.
const HEAD: usize = 4 * 1024;

/// The maximum length of the end, in bytes. The reason of a failure is usually at the end.
const TAIL: usize = 12 * 1024;

/// The number of bytes read at once. They are on the stack, which counts as the runner's memory.
const CHUNK: usize = 8 * 1024;

/// The number of bytes read after the hook has ended: the rest in the pipe, at its largest size. A process
/// that continues to write is not waited for.
const LEFT_OVER: usize = 1024 * 1024;

/// One output stream of a hook, while it is read.
#[derive(Debug)]
pub(super) struct Capture {
    /// Absent after the stream has ended. Reading it never blocks.
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

    /// Reads the available bytes once. Returns their number; 0 if there are none now, or the stream has
    /// ended.
    pub(super) fn read(&mut self) -> usize {
        let mut chunk = [0; CHUNK];
        let Some(stream) = &mut self.stream else { return 0 };
        match stream.read(&mut chunk) {
            Ok(0) => self.stream = None,
            Ok(length) => {
                self.take(&chunk[..length]);
                return length;
            }
            Err(error) if is_passing(&error) => {}
            Err(_) => self.stream = None,
        }
        0
    }

    /// Reads the rest of the hook's output, and ends.
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
