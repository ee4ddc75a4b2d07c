//! The wake-up primitive: who waits for an offset is told when it is reached. One list of [`Waker`]s serves both
//! faces, for a blocked thread waits on a waker of its own ([`Parker`]).

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
    list: Mutex<List>,
}

#[derive(Debug, Default)]
struct List {
    next_id: u64,
    waiting: Vec<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    id: u64,
    offset: Offset,
    waker: Waker,
}

/// Names a waiter, to take it off the list again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WaiterId(u64);

impl Waiters {
    /// From now on `waker` is woken when the end passes `offset`.
    ///
    /// The caller must look at the end once more after this call: it may have moved just before.
    pub(crate) fn register(&self, offset: Offset, waker: Waker) -> WaiterId {
        let mut list = self.list.lock();
        let id = list.next_id;
        list.next_id += 1;
        list.waiting.push(Waiting { id, offset, waker });
        self.count.store(list.waiting.len(), Ordering::Relaxed);
        // Pairs with the fence in `notify`: either the notifier sees the count, or the caller's second look sees
        // the new end.
        fence(Ordering::SeqCst);
        WaiterId(id)
    }

    /// Takes a waiter off the list. One that has been woken is gone already.
    pub(crate) fn deregister(&self, id: WaiterId) {
        let mut list = self.list.lock();
        list.waiting.retain(|waiting| waiting.id != id.0);
        self.count.store(list.waiting.len(), Ordering::Relaxed);
    }

    /// Wakes those who wait for an offset below `end`. To be called after the end was published.
    pub(crate) fn notify(&self, end: Offset) {
        fence(Ordering::SeqCst);
        self.notify_fenced(|| end);
    }

    /// Does the same just after another list was notified, whose fence serves both.
    pub(crate) fn notify_fenced(&self, end: impl FnOnce() -> Offset) {
        if self.count.load(Ordering::Relaxed) == 0 {
            return;
        }
        let end = end();
        let mut list = self.list.lock();
        let ready: Vec<Waiting> = list.waiting.extract_if(.., |waiting| waiting.offset < end).collect();
        self.count.store(list.waiting.len(), Ordering::Relaxed);
        drop(list);
        ready.into_iter().for_each(|waiting| waiting.waker.wake());
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
