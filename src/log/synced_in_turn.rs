//! Waiting for a sync as [`synced`](super::synced) does, for those who have threads that may block: whose turn it is to
//! sync for all who wait is given that turn, to take on one of these.

use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use super::flush::{GroupCommit, Offer};
use super::waiting::Waiting;
use super::{Log, SyncTarget};
use crate::error::{Error, Result};

impl Log {
    /// A future of what [`wait_synced`](Self::wait_synced) returns, or of a turn to sync.
    pub(crate) fn synced_in_turn(&self, target: SyncTarget) -> SyncedInTurn {
        SyncedInTurn { target, has_come: false, waiting: self.waiting_for_sync(target) }
    }
}

/// Someone who waits for a sync; made by [`Log::synced_in_turn`]. To be awaited until it says that it is done.
#[derive(Debug)]
pub(crate) struct SyncedInTurn {
    target: SyncTarget,
    has_come: bool,
    waiting: Waiting,
}

/// How far it is.
#[derive(Debug)]
pub(crate) enum Progress {
    Done(Result<()>),
    /// Nobody else syncs: this has to be [taken](Turn::take) first.
    Turn(Turn),
}

/// The lead in a group commit, unless somebody has it by the time it is taken. Dropping it leaves the lead to another.
#[derive(Debug)]
pub(crate) struct Turn {
    offer: Offer<Commit>,
    log: Log,
    target: SyncTarget,
}

/// That of a log.
#[derive(Debug)]
struct Commit(Log);

impl Deref for Commit {
    type Target = GroupCommit;

    fn deref(&self) -> &GroupCommit {
        &self.0.inner.commit
    }
}

impl SyncedInTurn {
    /// The turn, if it is there to take.
    pub(crate) fn turn(&mut self) -> Option<Turn> {
        match progress(&self.waiting.log, self.target, &mut self.has_come)? {
            Progress::Turn(turn) => Some(turn),
            // Awaiting it tells again.
            Progress::Done(_) => None,
        }
    }
}

fn progress(log: &Log, target: SyncTarget, has_come: &mut bool) -> Option<Progress> {
    if let Some(result) = log.check_synced(target) {
        return Some(Progress::Done(result));
    }
    if !std::mem::replace(has_come, true) {
        log.inner.commit.arrive();
    }
    let offer = Offer::take(Commit(log.clone()))?;
    Some(Progress::Turn(Turn { offer, log: log.clone(), target }))
}

impl Future for SyncedInTurn {
    type Output = Progress;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Progress> {
        let Self { target, has_come, waiting } = &mut *self;
        waiting.poll(context, |log| progress(log, *target, has_come))
    }
}

impl Turn {
    /// Syncs for all who wait by now, and then for those who have come meanwhile, and says how long each sync took.
    ///
    /// # Errors
    /// What kept a sync from beginning. Whoever waits may try again.
    pub(crate) fn take(self, took: impl Fn(Duration)) -> Result<()> {
        let log = &self.log.inner;
        let Some(lead) = self.offer.lead() else { return Ok(()) };
        let synced = lead.sync_while_awaited(self.target, || {
            let began = Instant::now();
            let synced = log.or_fail(log.sync());
            took(began.elapsed());
            synced
        });
        match synced {
            Err(Error::TooManyOpenFiles { .. }) => log.sync_to(self.target),
            synced => synced,
        }
    }
}
