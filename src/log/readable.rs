//! Waiting for records that are yet to come: with a thread, or as a future.

use std::time::{Duration, Instant};

use super::wait::{Parker, WaiterId, Waiters};
use super::waiting::Waiting;
use super::{Log, LogInner, State, follow};
use crate::types::{IsolationLevel, Offset};

impl Log {
    /// Waits until the record at `offset` can be read, or `timeout` has passed; tells which. False too if the store is
    /// closed or the topic deleted, for then nothing more will come.
    pub fn wait_for(&self, offset: Offset, timeout: Duration) -> bool {
        self.wait_in(IsolationLevel::ReadUncommitted, offset, timeout)
    }

    /// Does the same for a reader of [`IsolationLevel::ReadCommitted`]: waits until the last stable offset is beyond
    /// `offset`.
    pub fn wait_for_stable(&self, offset: Offset, timeout: Duration) -> bool {
        self.wait_in(IsolationLevel::ReadCommitted, offset, timeout)
    }

    fn wait_in(&self, isolation: IsolationLevel, offset: Offset, timeout: Duration) -> bool {
        let deadline = Instant::now().checked_add(timeout);
        let parker = Parker::new();
        let mut in_time = true;
        while in_time && self.inner.is_waited_for(isolation, offset) {
            let id = self.register_reader(isolation, offset, parker.waker());
            in_time = !self.inner.is_waited_for(isolation, offset)
                || follow::park_until(&parker, deadline, std::iter::once(self));
            self.deregister_reader(isolation, id);
        }
        self.readable_end(isolation) > offset
    }

    /// A future that is ready once the record at `offset` can be read, or never will be because the store is closed or
    /// the topic deleted. It needs no particular runtime. The log may be locked while its waker is called, which is to
    /// schedule the task, as those of executors do, and not to run it there.
    ///
    /// Of a log that was opened read-only it becomes ready when somebody looks: a [`refresh`](Self::refresh), a tick of
    /// the store, or a read at the end.
    pub fn readable(&self, offset: Offset) -> Readable {
        self.readable_in(IsolationLevel::ReadUncommitted, offset)
    }

    /// The same future for a reader of [`IsolationLevel::ReadCommitted`]: ready once the last stable offset is beyond
    /// `offset`.
    pub fn stable(&self, offset: Offset) -> Readable {
        self.readable_in(IsolationLevel::ReadCommitted, offset)
    }

    pub(crate) fn readable_in(&self, isolation: IsolationLevel, offset: Offset) -> Readable {
        let queue: fn(&LogInner) -> &Waiters = match isolation {
            IsolationLevel::ReadUncommitted => |log| &log.readers,
            IsolationLevel::ReadCommitted => |log| &log.stable_readers,
        };
        Readable { isolation, offset, waiting: Waiting::new(self, queue, offset) }
    }

    pub(crate) fn register_reader(
        &self,
        isolation: IsolationLevel,
        offset: Offset,
        waker: std::task::Waker,
    ) -> WaiterId {
        self.inner.readers_in(isolation).register(offset, waker)
    }

    pub(crate) fn deregister_reader(&self, isolation: IsolationLevel, id: WaiterId) {
        self.inner.readers_in(isolation).deregister(id);
    }
}

impl LogInner {
    /// Whether the record at `offset` is not there yet and may still come.
    fn is_waited_for(&self, isolation: IsolationLevel, offset: Offset) -> bool {
        self.readable_end(isolation, self.log_end()) <= offset && self.state() == State::Open
    }

    pub(super) fn readers_in(&self, isolation: IsolationLevel) -> &Waiters {
        match isolation {
            IsolationLevel::ReadUncommitted => &self.readers,
            IsolationLevel::ReadCommitted => &self.stable_readers,
        }
    }

    /// Wakes those who wait for an offset below `end`, which has been published, or for one to become stable.
    #[inline]
    pub(super) fn wake_readers(&self, end: Offset) {
        self.readers.notify(end);
        self.stable_readers.notify_fenced(|| self.readable_end(IsolationLevel::ReadCommitted, self.log_end()));
    }

    /// Nothing more will come.
    pub(super) fn wake_all_readers(&self) {
        self.readers.notify(Offset::MAX);
        self.stable_readers.notify(Offset::MAX);
    }
}

/// Ready once a record can be read; made by [`Log::readable`] and [`Log::stable`].
#[derive(Debug)]
#[must_use = "nothing is waited for before it is polled"]
pub struct Readable {
    isolation: IsolationLevel,
    offset: Offset,
    waiting: Waiting,
}

impl Future for Readable {
    type Output = ();

    fn poll(mut self: std::pin::Pin<&mut Self>, context: &mut std::task::Context<'_>) -> std::task::Poll<()> {
        let Self { isolation, offset, waiting } = &mut *self;
        waiting.poll(context, |log| (!log.inner.is_waited_for(*isolation, *offset)).then_some(()))
    }
}
