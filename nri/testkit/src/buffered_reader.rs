//! Reads the frames of one logical connection exactly as Go's `bufio.Reader` on top of NRI's multiplexer
//! does.
//!
//! The multiplexer returns one frame per read, whole, or fails with ENOMEM if the frame is longer than the
//! reader's buffer. Short reads go through a buffer of 4096 bytes. If that buffer is empty, a read of 4096
//! bytes or more goes directly to the caller's buffer. So the frames that a plugin may send depend on the
//! position of the reader.

use tokio::sync::mpsc;

use crate::error::ConnectionEnd;

/// Bytes of Go's default buffer.
const BUFFER: usize = 4096;

/// The reason why a read failed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ReadError {
    /// There are no more frames.
    End,
    /// The next frame is longer than the buffer.
    FrameTooLong { length: usize, limit: usize },
}

impl From<ReadError> for ConnectionEnd {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::End => Self::ByPlugin,
            ReadError::FrameTooLong { length, limit } => Self::FrameTooLong { length, limit },
        }
    }
}

/// The reading end of a logical connection.
pub(crate) struct BufferedReader {
    frames: mpsc::Receiver<Vec<u8>>,
    /// The frame in the buffer, and the length of the part that is already read.
    buffered: Vec<u8>,
    read: usize,
}

impl BufferedReader {
    pub(crate) fn new(frames: mpsc::Receiver<Vec<u8>>) -> Self {
        Self {
            frames,
            buffered: Vec::new(),
            read: 0,
        }
    }

    /// Fills `out`.
    pub(crate) async fn read_full(&mut self, mut out: &mut [u8]) -> Result<(), ReadError> {
        while !out.is_empty() {
            let taken = if self.read < self.buffered.len() {
                self.take_buffered(out)
            } else if out.len() >= BUFFER {
                let frame = self.next_frame(out.len()).await?;
                out[..frame.len()].copy_from_slice(&frame);
                frame.len()
            } else {
                self.fill().await?;
                self.take_buffered(out)
            };
            out = &mut out[taken..];
        }
        Ok(())
    }

    /// Skips `count` bytes, all of them through the buffer.
    pub(crate) async fn discard(&mut self, mut count: usize) -> Result<(), ReadError> {
        while count > 0 {
            if self.read == self.buffered.len() {
                self.fill().await?;
            }
            let skipped = count.min(self.buffered.len() - self.read);
            self.read += skipped;
            count -= skipped;
        }
        Ok(())
    }

    fn take_buffered(&mut self, out: &mut [u8]) -> usize {
        let unread = &self.buffered[self.read..];
        let taken = unread.len().min(out.len());
        out[..taken].copy_from_slice(&unread[..taken]);
        self.read += taken;
        taken
    }

    async fn fill(&mut self) -> Result<(), ReadError> {
        self.buffered = self.next_frame(BUFFER).await?;
        self.read = 0;
        Ok(())
    }

    async fn next_frame(&mut self, limit: usize) -> Result<Vec<u8>, ReadError> {
        let frame = self.frames.recv().await.ok_or(ReadError::End)?;
        match frame.len() {
            length if length > limit => Err(ReadError::FrameTooLong { length, limit }),
            _ => Ok(frame),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a header of 10 bytes and a body from frames of these lengths.
    fn read(body: usize, frames: &[usize]) -> Result<(), ReadError> {
        let (sender, receiver) = mpsc::channel(frames.len().max(1));
        for length in frames {
            sender.try_send(vec![7; *length]).unwrap();
        }
        drop(sender);
        let mut reader = BufferedReader::new(receiver);
        futures::executor::block_on(async {
            reader.read_full(&mut [0; 10]).await?;
            reader.read_full(&mut vec![0; body]).await
        })
    }

    #[test]
    fn a_frame_that_starts_a_message_may_have_4096_bytes() {
        assert_eq!(read(4086, &[4096]), Ok(()));
    }

    #[test]
    fn a_frame_of_4097_bytes_that_starts_a_message_cannot_be_read() {
        assert_eq!(
            read(4087, &[4097]),
            Err(ReadError::FrameTooLong {
                length: 4097,
                limit: 4096
            })
        );
    }

    #[test]
    fn a_rest_of_any_length_may_be_one_frame_if_it_is_all_of_the_rest() {
        assert_eq!(read(5_000, &[10, 5_000]), Ok(()));
        assert_eq!(read(1 << 20, &[10, 1 << 20]), Ok(()));
        assert_eq!(read((1 << 20) - 10, &[4096, (1 << 20) - 4096]), Ok(()));
        assert_eq!(read(5_000, &[4096, 914]), Ok(()));
    }

    #[test]
    fn a_long_rest_must_not_bring_the_start_of_the_next_message() {
        assert_eq!(
            read(5_000, &[10, 5_001]),
            Err(ReadError::FrameTooLong {
                length: 5_001,
                limit: 5_000
            })
        );
    }

    #[test]
    fn a_short_rest_may_bring_the_start_of_the_next_message_up_to_4096_bytes() {
        assert_eq!(read(100, &[10, 4096]), Ok(()));
        assert_eq!(
            read(100, &[10, 4097]),
            Err(ReadError::FrameTooLong {
                length: 4097,
                limit: 4096
            })
        );
    }

    #[test]
    fn a_body_may_come_in_any_number_of_small_frames() {
        assert_eq!(read(1 << 20, &[&[10][..], &[2048; 512]].concat()), Ok(()));
    }

    #[test]
    fn an_empty_frame_is_no_end() {
        assert_eq!(read(5_000, &[0, 10, 0, 5_000]), Ok(()));
    }

    #[test]
    fn a_message_that_is_cut_off_ends_the_connection() {
        assert_eq!(read(5_000, &[10, 4_999]), Err(ReadError::End));
    }
}
