//! `buffer.memory`: how much may linger in all, and waiting for room in it.

use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use crate::error::{Error, Result};

#[derive(Debug)]
pub(super) struct Memory {
    limit: usize,
    used: Mutex<usize>,
    released: Condvar,
}

impl Memory {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, used: Mutex::new(0), released: Condvar::new() }
    }

    /// Takes `size` bytes if there is room for them now.
    pub(super) fn try_take(&self, size: usize) -> bool {
        let mut used = self.used.lock();
        let fits = size <= self.limit - *used;
        if fits {
            *used += size;
        }
        fits
    }

    /// Takes `size` bytes, waiting for room until `deadline`.
    pub(super) fn take(&self, size: usize, deadline: Instant) -> Result<()> {
        let mut used = self.used.lock();
        while size > self.limit - *used {
            // What is larger than all of it would wait in vain.
            if size > self.limit || self.released.wait_until(&mut used, deadline).timed_out() {
                return Err(Error::BufferExhausted { size, buffer_memory: self.limit });
            }
        }
        *used += size;
        Ok(())
    }

    pub(super) fn release(&self, size: usize) {
        let mut used = self.used.lock();
        assert!(size <= *used, "only what was taken is given back");
        *used -= size;
        self.released.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_never_fits_fails_at_once_and_what_does_not_fit_now_at_the_deadline() {
        let memory = Memory::new(100);
        let later = Instant::now() + Duration::from_secs(3600);
        assert!(memory.take(101, later).is_err());
        assert!(memory.try_take(60));
        assert!(!memory.try_take(60));
        assert!(memory.take(60, Instant::now()).is_err());
        memory.release(60);
        assert!(memory.take(100, later).is_ok());
    }

    #[test]
    fn a_release_lets_a_waiter_go_on() {
        let memory = Memory::new(10);
        assert!(memory.try_take(10));
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| memory.take(5, Instant::now() + Duration::from_secs(3600)));
            memory.release(10);
            assert!(waiter.join().expect("no panic").is_ok());
        });
    }
}
