//! The checkers' types under the names and signatures of those that they stand in for.

use std::sync::Arc;

#[cfg(esker_loom)]
use loom::sync as checked;
#[cfg(esker_shuttle)]
use shuttle::sync as checked;

pub(crate) use checked::{RwLockReadGuard, RwLockWriteGuard};

/// [`std::sync::atomic`].
pub(crate) mod atomic {
    #[cfg(esker_loom)]
    pub(crate) use super::flag::AtomicBool;
    #[cfg(esker_loom)]
    pub(crate) use loom::sync::atomic::{AtomicI32, AtomicI64, AtomicU8, AtomicU64, AtomicUsize, Ordering, fence};
    #[cfg(esker_shuttle)]
    pub(crate) use shuttle::sync::atomic::*;
}

/// A flag for loom, which lets an exchange miss a plain store that came after the exchange before it, as no machine
/// may. Here a store is an exchange too.
#[cfg(esker_loom)]
mod flag {
    use loom::sync::atomic::Ordering;

    #[derive(Debug)]
    pub(crate) struct AtomicBool(loom::sync::atomic::AtomicBool);

    impl AtomicBool {
        pub(crate) fn new(value: bool) -> Self {
            Self(loom::sync::atomic::AtomicBool::new(value))
        }

        pub(crate) fn load(&self, order: Ordering) -> bool {
            self.0.load(order)
        }

        pub(crate) fn store(&self, value: bool, order: Ordering) {
            self.0.swap(value, order);
        }

        pub(crate) fn swap(&self, value: bool, order: Ordering) -> bool {
            self.0.swap(value, order)
        }
    }
}

/// [`std::thread`], as far as a log needs it. In a model no time passes: no deadline is ever reached.
pub(crate) mod thread {
    use std::time::Duration;

    #[cfg(esker_loom)]
    pub(crate) use super::parking::{Thread, current, park};
    #[cfg(esker_loom)]
    pub(crate) use loom::thread::yield_now;
    #[cfg(esker_shuttle)]
    pub(crate) use shuttle::thread::{Thread, current, park, yield_now};

    pub(crate) fn park_timeout(_timeout: Duration) {
        park();
    }
}

/// Parking for loom, whose own forgets to be unparked while it waits for a lock or has yielded.
#[cfg(esker_loom)]
mod parking {
    use std::sync::Arc;

    use loom::sync::{Condvar, Mutex};

    #[derive(Clone, Debug)]
    pub(crate) struct Thread(Arc<Token>);

    #[derive(Debug, Default)]
    struct Token {
        is_there: Mutex<bool>,
        given: Condvar,
    }

    loom::thread_local! {
        static CURRENT: Thread = Thread(Arc::default());
    }

    pub(crate) fn current() -> Thread {
        CURRENT.with(Thread::clone)
    }

    pub(crate) fn park() {
        let Thread(token) = current();
        let mut is_there = token.is_there.lock().expect("a panic ends the model");
        while !*is_there {
            is_there = token.given.wait(is_there).expect("a panic ends the model");
        }
        *is_there = false;
    }

    impl Thread {
        pub(crate) fn unpark(&self) {
            *self.0.is_there.lock().expect("a panic ends the model") = true;
            self.0.given.notify_one();
        }
    }
}

pub(crate) use checked::MutexGuard;

/// `parking_lot::Mutex`.
#[derive(Debug, Default)]
pub(crate) struct Mutex<T>(checked::Mutex<T>);

impl<T> Mutex<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(checked::Mutex::new(value))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().expect("a panic ends the model")
    }

    pub(crate) fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.0.try_lock().ok()
    }
}

/// `parking_lot::RwLock`.
#[derive(Debug, Default)]
pub(crate) struct RwLock<T>(checked::RwLock<T>);

impl<T> RwLock<T> {
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, T> {
        self.0.read().expect("a panic ends the model")
    }

    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.0.write().expect("a panic ends the model")
    }

    pub(crate) fn try_write(&self) -> Option<RwLockWriteGuard<'_, T>> {
        self.0.try_write().ok()
    }
}

/// `arc_swap::ArcSwap`: what a load sees happened before the store that it comes from, and nothing more.
#[derive(Debug)]
pub(crate) struct ArcSwap<T> {
    /// Every value so far. The lock is not the checker's, so that it orders nothing in the model.
    values: std::sync::Mutex<Vec<Arc<T>>>,
    current: atomic::AtomicUsize,
}

impl<T> ArcSwap<T> {
    pub(crate) fn from_pointee(value: T) -> Self {
        Self::new(Arc::new(value))
    }

    pub(crate) fn new(value: Arc<T>) -> Self {
        Self { values: std::sync::Mutex::new(vec![value]), current: atomic::AtomicUsize::new(0) }
    }

    pub(crate) fn load(&self) -> Guard<Arc<T>> {
        self.load_full()
    }

    pub(crate) fn load_full(&self) -> Arc<T> {
        let current = self.current.load(atomic::Ordering::Acquire);
        self.values.lock().expect("a panic ends the model")[current].clone()
    }

    pub(crate) fn store(&self, value: Arc<T>) {
        let index = {
            let mut values = self.values.lock().expect("a panic ends the model");
            values.push(value);
            values.len() - 1
        };
        self.current.store(index, atomic::Ordering::Release);
    }
}

/// `arc_swap::Guard`.
pub(crate) type Guard<T> = T;
