//! Waiting for a sync without a thread. Whoever's turn it is to sync for all who wait is given that turn, to take where it
//! may block.

use std::pin::Pin;
use std::task::{Context, Poll};

use super::wait::WaiterId;
use super::{Log, SyncTarget};
use crate::error::Result;

impl Log {
    /// A future of what [`wait_synced`](Self::wait_synced) returns.
    pub(crate) fn synced(&self, target: SyncTarget) -> Synced {
        Synced { log: self.clone(), target, has_come: false, waiter: None }
    }
}

/// Someone who waits for a sync; made by [`Log::synced`]. To be awaited until it says that it is done.
#[derive(Debug)]
pub(crate) struct Synced {
    log: Log,
    target: SyncTarget,
    has_come: bool,
    waiter: Option<WaiterId>,
}

/// How far it is.
#[derive(Debug)]
pub(crate) enum Progress {
    Done(Result<()>),
    /// Nobody else syncs: this has to be [taken](Turn::take) first.
    Turn(Turn),
}

/// The lead in a group commit. Dropping it leaves the lead to another.
#[derive(Debug)]
pub(crate) struct Turn {
    log: Log,
    target: SyncTarget,
    is_taken: bool,
}

impl Synced {
    fn forget_waiter(&mut self) {
        if let Some(waiter) = self.waiter.take() {
            self.log.deregister_synced(waiter);
        }
    }

    fn progress(&mut self) -> Option<Progress> {
        if let Some(result) = self.log.check_synced(self.target) {
            return Some(Progress::Done(result));
        }
        let commit = &self.log.inner.commit;
        if !std::mem::replace(&mut self.has_come, true) {
            commit.arrive();
        }
        let is_mine = commit.take_lead();
        is_mine.then(|| Progress::Turn(Turn { log: self.log.clone(), target: self.target, is_taken: false }))
    }
}

impl Future for Synced {
    type Output = Progress;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Progress> {
        self.forget_waiter();
        // Registered before the look, so that no leader steps down unseen.
        self.waiter = Some(self.log.register_synced(self.target, context.waker().clone()));
        match self.progress() {
            Some(progress) => {
                self.forget_waiter();
                Poll::Ready(progress)
            }
            None => Poll::Pending,
        }
    }
}

impl Drop for Synced {
    fn drop(&mut self) {
        self.forget_waiter();
    }
}

impl Turn {
    /// Syncs for all who wait by now.
    pub(crate) fn take(mut self) {
        let log = &self.log.inner;
        log.commit.lead_for(self.target, &|| log.or_fail(log.sync()));
        self.is_taken = true;
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.is_taken {
            self.log.inner.commit.step_down();
        }
    }
}
