//! Waiting for a record without a thread: a future that any runtime can poll.

use super::Log;
use super::wait::WaiterId;
use crate::types::{IsolationLevel, Offset};

impl Log {
    /// A future that is ready once the record at `offset` can be read, or never will be because the store is closed or
    /// the topic deleted. It needs no particular runtime.
    pub fn readable(&self, offset: Offset) -> Readable {
        Readable { log: self.clone(), offset, waiter: None }
    }
}

/// Ready once a record can be read; made by [`Log::readable`].
#[derive(Debug)]
pub struct Readable {
    log: Log,
    offset: Offset,
    waiter: Option<WaiterId>,
}

impl Future for Readable {
    type Output = ();

    fn poll(mut self: std::pin::Pin<&mut Self>, context: &mut std::task::Context<'_>) -> std::task::Poll<()> {
        if let Some(waiter) = self.waiter.take() {
            self.log.deregister_reader(IsolationLevel::ReadUncommitted, waiter);
        }
        let isolation = IsolationLevel::ReadUncommitted;
        let waiter = self.log.register_reader(isolation, self.offset, context.waker().clone());
        if !self.log.inner.is_waited_for(isolation, self.offset) {
            self.log.deregister_reader(isolation, waiter);
            return std::task::Poll::Ready(());
        }
        self.waiter = Some(waiter);
        std::task::Poll::Pending
    }
}

impl Drop for Readable {
    fn drop(&mut self) {
        if let Some(waiter) = self.waiter.take() {
            self.log.deregister_reader(IsolationLevel::ReadUncommitted, waiter);
        }
    }
}
