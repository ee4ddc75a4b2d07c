//! Waiting without a thread: the place of a future in one of a log's queues.

use std::task::{Context, Poll};

use super::wait::{WaiterId, Waiters};
use super::{Log, LogInner};
use crate::types::Offset;

/// A future that waits for an offset of a log, and is taken off the queue when it is dropped.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) log: Log,
    queue: fn(&LogInner) -> &Waiters,
    offset: Offset,
    id: Option<WaiterId>,
}

impl Waiting {
    pub(super) fn new(log: &Log, queue: fn(&LogInner) -> &Waiters, offset: Offset) -> Self {
        Self { log: log.clone(), queue, offset, id: None }
    }

    /// What `look` finds. Until it finds something, the task is woken whenever it may have changed.
    pub(super) fn poll<T>(&mut self, context: &Context<'_>, look: impl FnOnce(&Log) -> Option<T>) -> Poll<T> {
        self.leave();
        // In the queue before the look, so that whoever wakes it does not slip in between.
        self.id = Some(self.queue().register(self.offset, context.waker().clone()));
        match look(&self.log) {
            Some(found) => {
                self.leave();
                Poll::Ready(found)
            }
            None => Poll::Pending,
        }
    }

    fn leave(&mut self) {
        if let Some(id) = self.id.take() {
            self.queue().deregister(id);
        }
    }

    fn queue(&self) -> &Waiters {
        (self.queue)(&self.log.inner)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.leave();
    }
}
