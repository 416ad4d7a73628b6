//! A value that is worked on without its lock: the work may wait for a file system.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A value of which each who works on it has a copy.
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

    /// What `work` makes of a copy. The copy takes the place of the value, unless another has done so meanwhile: then
    /// that one is newer.
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

    /// Its copy as it is now.
    pub(crate) fn get(&self) -> T {
        self.lock().value.clone()
    }

    /// What a panic leaves behind is whole: the value is replaced at one stroke.
    fn lock(&self) -> MutexGuard<'_, Versioned<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_holds_nobody_up_and_the_newest_result_stays() {
        let shared = Shared::new(1);
        shared.work_on(|outer| {
            // Would wait for ever if the lock were held.
            shared.work_on(|inner| *inner = 2);
            *outer = 3;
        });
        assert_eq!(shared.get(), 2);
        shared.work_on(|value| *value += 1);
        assert_eq!(shared.get(), 3);
    }
}
