//! A channel that holds a bounded number of messages, and uses memory only for those that wait. A bounded
//! channel of the standard library uses it for the maximum.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

/// The sending end. Never blocks.
#[derive(Debug)]
pub(super) struct Sender<T> {
    sender: mpsc::Sender<T>,
    waiting: Arc<AtomicUsize>,
    most: usize,
}

/// The receiving end.
#[derive(Debug)]
pub(super) struct Receiver<T> {
    receiver: mpsc::Receiver<T>,
    waiting: Arc<AtomicUsize>,
}

/// A channel in which at most `most` messages wait.
pub(super) fn channel<T>(most: usize) -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = mpsc::channel();
    let waiting = Arc::new(AtomicUsize::new(0));
    let sender = Sender {
        sender,
        waiting: waiting.clone(),
        most,
    };
    (sender, Receiver { receiver, waiting })
}

impl<T> Sender<T> {
    /// Returns whether there was space for it, and the receiver exists.
    pub(super) fn send(&self, message: T) -> bool {
        let is_sent =
            self.waiting.fetch_add(1, Ordering::AcqRel) < self.most && self.sender.send(message).is_ok();
        if !is_sent {
            self.waiting.fetch_sub(1, Ordering::AcqRel);
        }
        is_sent
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Sender {
            sender: self.sender.clone(),
            waiting: self.waiting.clone(),
            most: self.most,
        }
    }
}

impl<T> Receiver<T> {
    /// Waits for a message; `None` if there can be no more.
    pub(super) fn receive(&self) -> Option<T> {
        self.taken(self.receiver.recv().ok())
    }

    /// A message that already waits.
    pub(super) fn receive_at_once(&self) -> Option<T> {
        self.taken(self.receiver.try_recv().ok())
    }

    fn taken(&self, message: Option<T>) -> Option<T> {
        if message.is_some() {
            self.waiting.fetch_sub(1, Ordering::AcqRel);
        }
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_in_order_and_no_more_than_allowed_wait() {
        let (sender, receiver) = channel(2);
        assert_eq!([1, 2, 3].map(|number| sender.send(number)), [true, true, false]);
        assert_eq!(receiver.receive(), Some(1));
        assert!(sender.send(4));
        drop(sender);
        assert_eq!([2, 4].map(Some), [receiver.receive(), receiver.receive_at_once()]);
        assert_eq!(receiver.receive(), None);
    }

    #[test]
    fn nothing_is_sent_without_a_receiver() {
        let (sender, receiver) = channel(2);
        drop(receiver);
        assert!(!sender.send(1));
    }
}
