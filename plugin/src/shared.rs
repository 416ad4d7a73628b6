//! A value whose users work on a copy without its lock, because the work may wait for a file system.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A value; each user works on a copy.
#[derive(Debug, Default)]
pub(crate) struct Shared<T>(Mutex<Versioned<T>>);

#[derive(Debug, Default)]
struct Versioned<T> {
    version: u64,
    value: T,
}

impl<T: Clone> Shared<T> {
    pub(crate) fn new(value: T) -> Self {
        Shared(Mutex::new(Versioned { version: 0, value }))
    }

    /// Runs `work` on a copy, and returns its result. The copy replaces the value, unless another has
    /// replaced it meanwhile: then that one is newer.
    pub(crate) fn work_on<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        let (version, mut copy) = {
            let now = self.lock();
            (now.version, now.value.clone())
        };
        let result = work(&mut copy);
        let mut now = self.lock();
        if now.version == version {
            *now = Versioned {
                version: version + 1,
                value: copy,
            };
        }
        result
    }

    /// A copy of the current value.
    pub(crate) fn get(&self) -> T {
        self.lock().value.clone()
    }

    /// A panic leaves no partial value: the value is replaced as a whole.
    fn lock(&self) -> MutexGuard<'_, Versioned<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_blocks_no_other_user_and_the_newest_result_stays() {
        let shared = Shared::new(1);
        shared.work_on(|outer| {
            // This would wait forever if the lock were held.
            shared.work_on(|inner| *inner = 2);
            *outer = 3;
        });
        assert_eq!(shared.get(), 2);
        shared.work_on(|value| *value += 1);
        assert_eq!(shared.get(), 3);
    }
}
