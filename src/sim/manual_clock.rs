//! A clock that stands still until it is told.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crate::clock::Clock;

/// A clock that a test sets and moves. Clones show the same time.
///
/// ```
/// use std::time::Duration;
/// use esker::clock::Clock;
/// use esker::sim::ManualClock;
///
/// let clock = ManualClock::new(1_000);
/// let same_clock = clock.clone();
/// clock.advance(Duration::from_secs(7 * 24 * 3600));
/// assert_eq!(same_clock.now_ms(), 1_000 + 604_800_000);
/// ```
#[derive(Clone, Debug, Default)]
pub struct ManualClock {
    times: Arc<Times>,
}

#[derive(Debug, Default)]
struct Times {
    now_ms: AtomicI64,
    monotonic_ms: AtomicI64,
}

impl ManualClock {
    /// A clock that shows `now_ms` milliseconds since the Unix epoch.
    pub fn new(now_ms: i64) -> Self {
        let times = Times { now_ms: AtomicI64::new(now_ms), monotonic_ms: AtomicI64::new(now_ms) };
        Self { times: Arc::new(times) }
    }

    /// Sets the time, also backwards. Then [`monotonic_ms`](Clock::monotonic_ms) stands still; forwards it goes along.
    pub fn set_ms(&self, now_ms: i64) {
        let before_ms = self.times.now_ms.swap(now_ms, Ordering::SeqCst);
        self.times.monotonic_ms.fetch_add(now_ms.saturating_sub(before_ms).max(0), Ordering::SeqCst);
    }

    /// Moves the time forward by whole milliseconds; what is left of `by` is dropped.
    pub fn advance(&self, by: Duration) {
        let by_ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.times.now_ms.fetch_add(by_ms, Ordering::SeqCst);
        self.times.monotonic_ms.fetch_add(by_ms, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now_ms(&self) -> i64 {
        self.times.now_ms.load(Ordering::SeqCst)
    }

    fn monotonic_ms(&self) -> i64 {
        self.times.monotonic_ms.load(Ordering::SeqCst)
    }
}
