//! `buffer.memory`: how much may linger in all, and waiting for room in it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use crate::error::{Error, Result};

#[derive(Debug)]
pub(super) struct Memory {
    limit: usize,
    state: Mutex<State>,
    released: Condvar,
    /// How many wait.
    waiting: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    used: usize,
    /// Those who wait, in the order in which they came: a large record is not kept out by small ones.
    queue: VecDeque<u64>,
    next_ticket: u64,
}

impl Memory {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, state: Mutex::default(), released: Condvar::new(), waiting: AtomicUsize::new(0) }
    }

    /// Takes `size` bytes if there is room for them now, and nobody waits for it.
    pub(super) fn try_take(&self, size: usize) -> bool {
        let mut state = self.state.lock();
        let fits = state.queue.is_empty() && size <= self.limit - state.used;
        if fits {
            state.used += size;
        }
        fits
    }

    /// Takes `size` bytes, waiting for room until `deadline`.
    ///
    /// `make_room` appends whatever lingers. It is called once [`has_waiters`](Self::has_waiters) is true, from when
    /// on nothing may linger any more: so no room is held by what nobody is about to append.
    pub(super) fn take(&self, size: usize, deadline: Instant, make_room: impl FnOnce()) -> Result<()> {
        let exhausted = || Err(Error::BufferExhausted { size, buffer_memory: self.limit });
        if size > self.limit {
            // It would wait in vain.
            return exhausted();
        }
        let ticket = self.enqueue();
        make_room();
        let mut state = self.state.lock();
        let is_next = |state: &State| state.queue.front() == Some(&ticket) && size <= self.limit - state.used;
        while !is_next(&state) && !self.released.wait_until(&mut state, deadline).timed_out() {}
        let taken = is_next(&state);
        if taken {
            state.used += size;
        }
        state.queue.retain(|waiting| *waiting != ticket);
        self.waiting.store(state.queue.len(), Ordering::Release);
        self.released.notify_all();
        if taken { Ok(()) } else { exhausted() }
    }

    fn enqueue(&self) -> u64 {
        let mut state = self.state.lock();
        let ticket = state.next_ticket;
        state.next_ticket += 1;
        state.queue.push_back(ticket);
        self.waiting.store(state.queue.len(), Ordering::Release);
        ticket
    }

    /// Whether somebody waits for room.
    pub(super) fn has_waiters(&self) -> bool {
        self.waiting.load(Ordering::Acquire) > 0
    }

    pub(super) fn release(&self, size: usize) {
        let mut state = self.state.lock();
        assert!(size <= state.used, "only what was taken is given back");
        state.used -= size;
        self.released.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(3600)
    }

    #[test]
    fn what_never_fits_fails_at_once_and_what_does_not_fit_now_at_the_deadline() {
        let memory = Memory::new(100);
        assert!(memory.take(101, later(), || {}).is_err());
        assert!(memory.try_take(60));
        assert!(!memory.try_take(60));
        assert!(memory.take(60, Instant::now(), || {}).is_err());
        memory.release(60);
        assert!(memory.take(100, later(), || {}).is_ok());
    }

    #[test]
    fn a_release_lets_a_waiter_go_on() {
        let memory = Memory::new(10);
        assert!(memory.try_take(10));
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| memory.take(5, later(), || {}));
            memory.release(10);
            assert!(waiter.join().expect("no panic").is_ok());
        });
    }

    #[test]
    fn who_waits_is_not_overtaken() {
        let memory = Memory::new(10);
        assert!(memory.try_take(6));
        std::thread::scope(|scope| {
            let (waits, is_waiting) = std::sync::mpsc::channel();
            let memory = &memory;
            let large = scope.spawn(move || memory.take(8, later(), || waits.send(()).expect("somebody listens")));
            is_waiting.recv().expect("it says so");
            assert!(memory.has_waiters());
            assert!(!memory.try_take(1), "there is room for it, but the large one was here first");
            assert!(memory.take(1, Instant::now(), || {}).is_err());
            memory.release(6);
            assert!(large.join().expect("no panic").is_ok());
        });
        assert!(!memory.has_waiters());
        assert!(memory.try_take(2));
    }
}
