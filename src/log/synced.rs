//! Waiting for a sync without a thread, which is left to the store's maintenance.

use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use super::waiting::Waiting;
use super::{Appended, Log, LogInner, SyncTarget};
use crate::error::Result;

impl Log {
    /// A future that is ready once `appended`, and all that was appended to this log before it, survives what
    /// [`Acks::All`](crate::Acks::All) promises. It needs no particular runtime;
    /// its waker schedules the task, and does not run it there, as for [`readable`](Self::readable).
    ///
    /// For brokers that append with [`Acks::Leader`](crate::Acks::Leader) and have no thread to spare for each append
    /// that waits: however many wait, one sync is enough for those who have come by then. The syncs are left to the
    /// store's maintenance, which is its thread or calls of [`Store::tick`](crate::Store::tick).
    ///
    /// ```
    /// # let store = esker::Store::temporary()?;
    /// # store.create_topic("events", esker::TopicConfig::new())?;
    /// # let log = store.partition("events", 0)?;
    /// # let mut builder = esker::record::BatchBuilder::new(16_384);
    /// # builder.push(&esker::record::RecordData::of(b"hello"))?;
    /// # let batch = builder.build()?;
    /// use esker::{Acks, Appended, Log};
    ///
    /// async fn acknowledged(log: &Log, appended: Appended) -> esker::Result<i64> {
    ///     log.synced(&appended).await?;
    ///     Ok(appended.base_offset)
    /// }
    ///
    /// let appended = log.append(batch, Acks::Leader)?;
    /// let acknowledged = acknowledged(&log, appended); // to be awaited on any runtime
    /// # assert_eq!(poll_until_ready(acknowledged)?, 0);
    /// # fn poll_until_ready<T>(future: impl Future<Output = T>) -> T {
    /// #     struct Unpark(std::thread::Thread);
    /// #     impl std::task::Wake for Unpark {
    /// #         fn wake(self: std::sync::Arc<Self>) {
    /// #             self.0.unpark();
    /// #         }
    /// #     }
    /// #     let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
    /// #     let mut future = std::pin::pin!(future);
    /// #     loop {
    /// #         match future.as_mut().poll(&mut std::task::Context::from_waker(&waker)) {
    /// #             std::task::Poll::Ready(result) => return result,
    /// #             std::task::Poll::Pending => std::thread::park(),
    /// #         }
    /// #     }
    /// # }
    /// # Ok::<(), esker::Error>(())
    /// ```
    ///
    /// # Errors
    /// The future returns [`Error::LogTruncated`](crate::Error::LogTruncated) if a truncation has taken the batch from
    /// the log, and [`Error::LogOffline`](crate::Error::LogOffline) if a sync failed: whether the batch is on the
    /// device is not known then.
    pub fn synced(&self, appended: &Appended) -> Synced {
        let target = appended.sync_target();
        Synced { target, waiting: self.waiting_for_sync(target) }
    }

    /// In the queue of those who wait for a sync.
    pub(super) fn waiting_for_sync(&self, target: SyncTarget) -> Waiting {
        Waiting::new(self, |log| &log.commit.waiters, target.end - 1)
    }

    /// Has everything up to `target` synced soon, by a thread that may wait for it.
    fn want_sync(&self, target: SyncTarget) {
        let wanted_before = {
            let mut wanted = self.inner.sync_wanted.lock();
            let before = *wanted;
            *wanted = before.max(Some(target));
            before
        };
        // Who is to sync looks how far before it is done.
        if let Some(helper) = self.inner.helper.as_ref().filter(|_| wanted_before.is_none()) {
            helper.sync_soon(WantsSync(Arc::downgrade(&self.inner)));
        }
    }
}

/// Ready once what was appended is on the device; made by [`Log::synced`].
#[derive(Debug)]
#[must_use = "nothing is synced before it is polled"]
pub struct Synced {
    target: SyncTarget,
    waiting: Waiting,
}

impl Future for Synced {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        let Self { target, waiting } = &mut *self;
        let polled = waiting.poll(context, |log| log.check_synced(*target));
        if polled.is_pending() {
            waiting.log.want_sync(*target);
        }
        polled
    }
}

/// A log that is to be synced soon, if anybody still has it.
#[derive(Debug)]
pub(crate) struct WantsSync(Weak<LogInner>);

impl WantsSync {
    /// Syncs for those who wait by now or come meanwhile.
    ///
    /// # Errors
    /// What kept a sync from beginning: it is still wanted. Any other failure reaches them through the log.
    pub(crate) fn sync(&self) -> Result<()> {
        let Some(inner) = self.0.upgrade() else { return Ok(()) };
        let log = Log { inner };
        loop {
            let Some(target) = *log.inner.sync_wanted.lock() else { return Ok(()) };
            if log.check_synced(target).is_none()
                && let Err(error) = log.wait_synced(target)
                && log.check_synced(target).is_none()
            {
                return Err(error);
            }
            let mut wanted = log.inner.sync_wanted.lock();
            if *wanted == Some(target) {
                *wanted = None;
                return Ok(());
            }
        }
    }
}
