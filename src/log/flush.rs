//! Group commit: many appends wait for one sync.
//!
//! The first to wait leads: it syncs for everyone who has appended by then, and the others wait for it. Whoever
//! appended after that sync began waits for the next, which one of them leads. A caller alone pays one sync and no
//! thread switch; N callers share it.
//!
//! ```text
//!   a waiter for `target` returns Ok   only if a sync that began after its append returned Ok
//!                                 Err  if a sync failed before that: a failed sync may have lost pages for good, so
//!                                      no later one can prove anything, and the failure is final
//! ```

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use parking_lot::{Condvar, Mutex};

use super::wait::Waiters;
use crate::error::{Error, Result};
use crate::types::Offset;

/// Shares syncs among those who wait for them. Knows nothing of files: whoever leads brings the sync along.
#[derive(Debug)]
pub(crate) struct GroupCommit {
    /// Everything below this offset is on the device.
    synced: AtomicI64,
    /// There is a failure, for those who ask on every append.
    failed: AtomicBool,
    state: Mutex<State>,
    changed: Condvar,
    /// Those who wait without a thread.
    pub(super) waiters: Waiters,
}

#[derive(Debug, Default)]
struct State {
    /// Somebody is syncing now.
    leading: bool,
    /// How many waited for the last sync, its leader included.
    last_group: usize,
    /// How many wait now.
    waiting: usize,
    failure: Option<Error>,
}

impl GroupCommit {
    /// Starts with everything below `synced` on the device.
    pub(crate) fn new(synced: Offset) -> Self {
        Self {
            synced: AtomicI64::new(synced),
            failed: AtomicBool::new(false),
            state: Mutex::default(),
            changed: Condvar::new(),
            waiters: Waiters::default(),
        }
    }

    /// Everything below this offset is on the device.
    pub(crate) fn synced(&self) -> Offset {
        self.synced.load(Ordering::Acquire)
    }

    /// The failure that ended it all, if there was one.
    #[inline]
    pub(crate) fn failure(&self) -> Option<Error> {
        if self.failed.load(Ordering::Acquire) { self.state.lock().failure.clone() } else { None }
    }

    /// Returns once everything below `target` is on the device, leading a sync if nobody else does.
    ///
    /// `sync` makes durable what had been appended when it was called, and returns the end of that.
    pub(crate) fn wait(&self, target: Offset, sync: impl Fn() -> Result<Offset>) -> Result<()> {
        let mut state = self.state.lock();
        state.waiting += 1;
        let result = loop {
            if self.synced() >= target {
                break Ok(());
            }
            if let Some(failure) = &state.failure {
                break Err(failure.clone());
            }
            if state.leading {
                self.changed.wait(&mut state);
                continue;
            }
            state.leading = true;
            let gather = state.last_group.saturating_sub(state.waiting);
            drop(state);
            // Those who shared the last sync are likely on their way with their next append: let them come along
            // instead of making them wait for the sync after this one.
            for _ in 0..gather {
                std::thread::yield_now();
            }
            let outcome = sync();
            state = self.state.lock();
            state.leading = false;
            state.last_group = state.waiting;
            match outcome {
                Ok(end) => {
                    debug_assert!(end >= target, "the append came before the sync");
                    self.synced.fetch_max(end, Ordering::AcqRel);
                }
                Err(error) => self.set_failure(&mut state, error),
            }
            self.changed.notify_all();
            // Whoever is woken may want this lock.
            drop(state);
            self.notify_waiters();
            state = self.state.lock();
        };
        state.waiting -= 1;
        result
    }

    /// Ends it: whoever waits gets `failure`, and so does everyone after.
    pub(crate) fn fail(&self, failure: Error) {
        self.set_failure(&mut self.state.lock(), failure);
        self.changed.notify_all();
        self.notify_waiters();
    }

    /// Wakes those who wait without a thread and need wait no longer.
    fn notify_waiters(&self) {
        self.waiters.notify(if self.failed.load(Ordering::Acquire) { Offset::MAX } else { self.synced() });
    }

    fn set_failure(&self, state: &mut State, failure: Error) {
        state.failure.get_or_insert(failure);
        self.failed.store(true, Ordering::Release);
    }

    /// What [`wait`](Self::wait) would return now, or None if it would have to wait.
    pub(crate) fn check(&self, target: Offset) -> Option<Result<()>> {
        if self.synced() >= target { Some(Ok(())) } else { self.failure().map(Err) }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::thread;

    use super::*;

    #[test]
    fn what_is_synced_already_needs_no_sync() {
        let commit = GroupCommit::new(5);
        assert!(commit.wait(5, || panic!("there is nothing to sync")).is_ok());
    }

    #[test]
    fn a_failed_sync_is_final() {
        let commit = GroupCommit::new(0);
        let failed = commit.wait(1, || Err(Error::Closed { what: "device" }));
        assert!(matches!(failed, Err(Error::Closed { .. })));
        let retried = Cell::new(false);
        let again = commit.wait(1, || {
            retried.set(true);
            Ok(1)
        });
        assert!(again.is_err() && !retried.get(), "a later success would prove nothing");
    }

    #[test]
    fn every_waiter_sees_a_sync_that_began_after_its_append() {
        const THREADS: i64 = 8;
        const APPENDS: i64 = 200;
        let commit = Arc::new(GroupCommit::new(0));
        let end = Arc::new(AtomicI64::new(0));
        let durable = Arc::new(AtomicI64::new(0));
        let syncs = Arc::new(AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for _ in 0..APPENDS {
                        let target = end.fetch_add(1, Ordering::SeqCst) + 1;
                        let result = commit.wait(target, || {
                            let captured = end.load(Ordering::SeqCst);
                            thread::yield_now();
                            durable.fetch_max(captured, Ordering::SeqCst);
                            syncs.fetch_add(1, Ordering::SeqCst);
                            Ok(captured)
                        });
                        assert!(result.is_ok());
                        assert!(durable.load(Ordering::SeqCst) >= target);
                    }
                });
            }
        });
        assert!(syncs.load(Ordering::SeqCst) <= (THREADS * APPENDS) as usize);
    }
}
