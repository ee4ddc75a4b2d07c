//! The wake-up primitive: who waits for an offset is told when it is reached. One queue of [`Waker`]s serves both
//! faces, for a blocked thread waits on a waker of its own ([`Parker`]).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Instant;

use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use crate::sync::thread::{self, Thread};
use crate::types::Offset;

/// The offset that no record has: who waits for it is woken when the log is closed or deleted, and by nothing before.
pub(crate) const NEVER: Offset = Offset::MAX - 1;

/// Those who wait for an end to pass an offset.
#[derive(Debug, Default)]
pub(crate) struct Waiters {
    /// How many there are, so that a writer whom nobody waits for takes no lock.
    count: AtomicUsize,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    next_number: u64,
    /// By offset, so that thousands who wait for one that is far off cost those nothing who are woken now.
    waiting: BTreeMap<WaiterId, Waker>,
}

/// Names a waiter, to take it off the queue again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct WaiterId {
    offset: Offset,
    number: u64,
}

impl Waiters {
    /// From now on `waker` is woken when the end passes `offset`.
    ///
    /// The caller must look at the end once more after this call: it may have moved just before.
    pub(crate) fn register(&self, offset: Offset, waker: Waker) -> WaiterId {
        let mut queue = self.queue.lock();
        let id = WaiterId { offset, number: queue.next_number };
        queue.next_number += 1;
        queue.waiting.insert(id, waker);
        self.count.store(queue.waiting.len(), Ordering::Relaxed);
        // Pairs with the fence in `notify`: either the notifier sees the count, or the caller's second look sees
        // the new end.
        fence(Ordering::SeqCst);
        id
    }

    /// Takes a waiter off the queue. One that has been woken is gone already.
    pub(crate) fn deregister(&self, id: WaiterId) {
        let mut queue = self.queue.lock();
        let waker = queue.waiting.remove(&id);
        self.count.store(queue.waiting.len(), Ordering::Relaxed);
        drop(queue);
        // The last of a task takes along what the task has: others who wait here, or a store that is closed by it.
        drop(waker);
    }

    /// Wakes those who wait for an offset below `end`. To be called after the end was published.
    pub(crate) fn notify(&self, end: Offset) {
        fence(Ordering::SeqCst);
        self.notify_fenced(|| end);
    }

    /// Does the same just after another queue was notified, whose fence serves both.
    pub(crate) fn notify_fenced(&self, end: impl FnOnce() -> Offset) {
        if self.count.load(Ordering::Relaxed) == 0 {
            return;
        }
        let first_not_ready = WaiterId { offset: end(), number: 0 };
        let mut queue = self.queue.lock();
        let not_ready = queue.waiting.split_off(&first_not_ready);
        let ready = std::mem::replace(&mut queue.waiting, not_ready);
        self.count.store(queue.waiting.len(), Ordering::Relaxed);
        drop(queue);
        ready.into_values().for_each(Waker::wake);
    }
}

/// Blocks the thread that made it until its waker is woken or a deadline passes.
pub(crate) struct Parker {
    signal: Arc<Signal>,
}

struct Signal {
    thread: Thread,
    woken: AtomicBool,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

impl Parker {
    pub(crate) fn new() -> Self {
        Self { signal: Arc::new(Signal { thread: thread::current(), woken: AtomicBool::new(false) }) }
    }

    pub(crate) fn waker(&self) -> Waker {
        self.signal.clone().into()
    }

    /// Returns true once the waker was woken, false at the deadline (None: never).
    pub(crate) fn park_until(&self, deadline: Option<Instant>) -> bool {
        loop {
            if self.signal.woken.swap(false, Ordering::Acquire) {
                return true;
            }
            match deadline {
                None => thread::park(),
                Some(deadline) => match deadline.checked_duration_since(Instant::now()) {
                    None => return false,
                    Some(left) => thread::park_timeout(left),
                },
            }
        }
    }
}

#[cfg(all(test, not(any(esker_loom, esker_shuttle))))]
mod tests {
    use super::*;

    /// A task that waits, and is gone with its last waker.
    struct Task {
        waiters: Arc<Waiters>,
        id: WaiterId,
    }

    impl Wake for Task {
        fn wake(self: Arc<Self>) {}
    }

    impl Drop for Task {
        fn drop(&mut self) {
            self.waiters.deregister(self.id);
        }
    }

    #[test]
    fn who_is_taken_off_the_queue_may_take_another_along() {
        let waiters = Arc::new(Waiters::default());
        let id = waiters.register(1, Waker::noop().clone());
        let task = Arc::new(Task { waiters: waiters.clone(), id });
        let other = waiters.register(1, task.into());
        waiters.deregister(other);
        assert_eq!(waiters.count.load(Ordering::Relaxed), 0);
    }
}
