//! Time is handed in: everything that asks what time it is asks a [`Clock`], so that seven days of retention can
//! pass in a test within milliseconds.

use std::fmt;
use std::sync::LazyLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The wall clock, in milliseconds since the Unix epoch, as record timestamps and retention count it.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The time now, in milliseconds since the Unix epoch.
    fn now_ms(&self) -> i64;

    /// Milliseconds since some moment, by a clock that nobody sets: what timeouts of group members count, and the
    /// intervals between what is done from time to time, so that nothing stands still when the wall clock is set back.
    /// The same as [`now_ms`](Self::now_ms) unless a clock has a better one.
    fn monotonic_ms(&self) -> i64 {
        self.now_ms()
    }
}

/// The operating system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

static STARTED: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        // A clock set before 1970 reads as 0: a log must not panic over it.
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn monotonic_ms(&self) -> i64 {
        i64::try_from(STARTED.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}
