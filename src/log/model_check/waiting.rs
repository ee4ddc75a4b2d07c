//! No wake-up is lost.

use std::sync::Arc;

use super::explore;
use crate::log::wait::{Parker, Waiters};
use crate::sync::atomic::{AtomicI64, Ordering};

/// An end that moves, as a log's does: published relaxed, so that only the fences of [`Waiters`] keep it together.
#[derive(Debug, Default)]
struct End {
    offset: AtomicI64,
    waiters: Waiters,
}

impl End {
    fn move_to(&self, offset: i64) {
        self.offset.store(offset, Ordering::Relaxed);
        self.waiters.notify(offset);
    }

    fn wait_past(&self, offset: i64) {
        let parker = Parker::new();
        while self.offset.load(Ordering::Relaxed) <= offset {
            let id = self.waiters.register(offset, parker.waker());
            if self.offset.load(Ordering::Relaxed) <= offset {
                assert!(parker.park_until(None));
            }
            self.waiters.deregister(id);
        }
    }
}

/// A lost wake-up leaves a thread parked, which the checker reports as a deadlock.
#[test]
fn whoever_waits_is_woken_when_the_end_passes() {
    explore(3, || {
        let end = Arc::new(End::default());
        let waiter = loom::thread::spawn({
            let end = end.clone();
            move || end.wait_past(1)
        });
        end.move_to(1);
        end.move_to(2);
        waiter.join().expect("no panic");
    });
}

#[test]
fn two_who_wait_for_different_offsets_are_both_woken() {
    explore(2, || {
        let end = Arc::new(End::default());
        let waiters = [0, 1].map(|offset| {
            let end = end.clone();
            loom::thread::spawn(move || end.wait_past(offset))
        });
        end.move_to(1);
        end.move_to(2);
        waiters.into_iter().for_each(|waiter| waiter.join().expect("no panic"));
    });
}
