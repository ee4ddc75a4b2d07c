//! What is known of a transactional id, and how it changes: pure decisions, with the time handed in.
//!
//! ```text
//!             add partitions           end: commit             all marked
//!   Empty ──────────────────▶ Ongoing ─────────────▶ PrepareCommit ─────▶ CompleteCommit
//!     ▲                        │  │ end: abort, or it is fenced                  │
//!     │ init                   │  └───────────────▶ PrepareAbort ──────▶ CompleteAbort
//!     └────────────────────────┼───────────────────────────────────────────────── ┤ add partitions
//!                              ◀──────────────────────────────────────────────────┘
//! ```
//!
//! Each event makes of what is known what is to be known next, or refuses. Whoever drives this writes the result down
//! before it counts, and after a Prepare state puts [a marker](Ending) into every partition before [`complete`]. From
//! the moment at which a Prepare state is written down the outcome is decided, whatever crashes.
//!
//! The rules are those of Kafka's `TransactionCoordinator` and `TransactionMetadata`: fencing by epoch (KIP-98), going
//! on after an error (KIP-360), and, for clients of [`TransactionVersion::V2`], another epoch for each transaction
//! (KIP-890).
//!
//! [`complete`]: TransactionMetadata::complete

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::record::TransactionResult;
use crate::types::{NO_PRODUCER_ID, NO_TIMESTAMP, ProducerId, ProducerIdAndEpoch, TopicPartition, TransactionState};

const NO_PRODUCER_EPOCH: i16 = -1;

/// The protocol that a client ends its transactions by (Kafka's feature `transaction.version`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct TransactionVersion(pub(crate) i16);

impl TransactionVersion {
    /// The original one.
    pub(crate) const V0: Self = Self(0);
    /// Each transaction ends with a new epoch, so that what comes late is never part of the next one (KIP-890).
    pub(crate) const V2: Self = Self(2);

    const fn bumps_epochs(self) -> bool {
        self.0 >= Self::V2.0
    }
}

/// What is known of a transactional id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TransactionMetadata {
    pub(crate) transactional_id: Arc<str>,
    /// The producer that the id belongs to. What comes with an older epoch is refused.
    pub(crate) producer: ProducerIdAndEpoch,
    /// The producer id before this one, which was given up because its epochs were used up.
    pub(crate) previous_producer_id: ProducerId,
    /// The producer id that follows when the transaction is complete, likewise.
    pub(crate) next_producer_id: ProducerId,
    /// The epoch that its holder gave up for this one, so that a retry of that is known. Not stored.
    pub(crate) last_producer_epoch: i16,
    pub(crate) timeout_ms: i32,
    pub(crate) state: TransactionState,
    /// The partitions that take part; none once the transaction is complete.
    pub(crate) partitions: BTreeSet<TopicPartition>,
    /// When the transaction began.
    pub(crate) start_timestamp: i64,
    pub(crate) last_update_timestamp: i64,
    /// What its last transaction was ended by.
    pub(crate) client_version: TransactionVersion,
}

/// A way to a producer id that nobody has.
pub(crate) trait NewProducerId: FnOnce() -> Result<ProducerId> {}
impl<F: FnOnce() -> Result<ProducerId>> NewProducerId for F {}

/// What initializing a transactional id leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Init {
    /// Once this is written down, the producer in it owns the id.
    Own(TransactionMetadata),
    /// A transaction is open, which is to be aborted first, and its producer fenced by the next epoch; after that, ask
    /// again.
    AbortFirst(TransactionMetadata),
}

/// The end of a transaction, as each of its partitions is to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(crate) producer: ProducerIdAndEpoch,
    pub(crate) result: TransactionResult,
}

impl TransactionMetadata {
    /// Somebody wants to be the producer of a transactional id. `expected` is who it was, if it goes on after an error.
    ///
    /// # Errors
    /// [`Error::ConcurrentTransactions`] before the last transaction is complete; [`Error::ProducerFenced`] if the id
    /// is not `expected`'s any more; what asking for a new producer id brings.
    pub(crate) fn init(
        transactional_id: &Arc<str>,
        current: Option<&Self>,
        timeout_ms: i32,
        expected: Option<ProducerIdAndEpoch>,
        now_ms: i64,
        new_producer_id: impl NewProducerId,
    ) -> Result<Init> {
        let Some(current) = current else {
            let producer = ProducerIdAndEpoch::new(new_producer_id()?, 0);
            return Ok(Init::Own(Self::owned(transactional_id, producer, timeout_ms, now_ms)));
        };
        if let Some(expected) = expected.filter(|expected| !current.may_go_on(*expected)) {
            return Err(current.fenced(expected));
        }
        match current.state {
            TransactionState::Ongoing => return Ok(Init::AbortFirst(current.fence(now_ms))),
            TransactionState::Empty | TransactionState::CompleteCommit | TransactionState::CompleteAbort => {}
            _ => return Err(current.concurrent()),
        }
        let (producer, last_producer_epoch) = current.next_owner(expected, new_producer_id)?;
        let rotated = producer.producer_id != current.producer.producer_id;
        Ok(Init::Own(Self {
            previous_producer_id: if rotated { current.producer.producer_id } else { current.previous_producer_id },
            last_producer_epoch,
            ..Self::owned(transactional_id, producer, timeout_ms, now_ms)
        }))
    }

    /// The id of a producer that has not begun a transaction.
    fn owned(transactional_id: &Arc<str>, producer: ProducerIdAndEpoch, timeout_ms: i32, now_ms: i64) -> Self {
        Self {
            transactional_id: transactional_id.clone(),
            producer,
            previous_producer_id: NO_PRODUCER_ID,
            next_producer_id: NO_PRODUCER_ID,
            last_producer_epoch: NO_PRODUCER_EPOCH,
            timeout_ms,
            state: TransactionState::Empty,
            partitions: BTreeSet::new(),
            start_timestamp: NO_TIMESTAMP,
            last_update_timestamp: now_ms,
            client_version: TransactionVersion::V0,
        }
    }

    /// Whether a producer that had an error is still the id's, or was until a retry that it had no answer to.
    fn may_go_on(&self, expected: ProducerIdAndEpoch) -> bool {
        expected.producer_id == self.producer.producer_id
            || (expected.producer_id == self.previous_producer_id && is_exhausted(expected.producer_epoch))
    }

    /// The producer that comes next, and the epoch that it replaces if its holder itself asked.
    fn next_owner(
        &self,
        expected: Option<ProducerIdAndEpoch>,
        new_producer_id: impl NewProducerId,
    ) -> Result<(ProducerIdAndEpoch, i16)> {
        let epoch = self.producer.producer_epoch;
        let replaced = expected.map_or(NO_PRODUCER_EPOCH, |expected| expected.producer_epoch);
        match expected {
            Some(expected) if expected.producer_epoch != epoch && !self.has_given_up(expected) => {
                Err(self.fenced(expected))
            }
            // A retry of what succeeded, or the transaction was taken away from it. The last epoch is nobody's.
            Some(expected) if expected.producer_epoch != epoch && epoch < i16::MAX => {
                Ok((self.producer, expected.producer_epoch))
            }
            _ if is_exhausted(epoch) => Ok((ProducerIdAndEpoch::new(new_producer_id()?, 0), replaced)),
            _ => Ok((self.with_next_epoch(), replaced)),
        }
    }

    /// Whether it was this producer who was given the epoch that is current, and may not know.
    fn has_given_up(&self, producer: ProducerIdAndEpoch) -> bool {
        let is_last = producer.producer_epoch == self.last_producer_epoch;
        (is_last && self.last_producer_epoch != NO_PRODUCER_EPOCH) || self.is_retry(producer)
    }

    /// Partitions are to take part in the transaction, which begins with the first. None if they do already.
    ///
    /// # Errors
    /// [`Error::InvalidProducerIdMapping`] and [`Error::ProducerFenced`] if the id is another's;
    /// [`Error::ConcurrentTransactions`] before the last transaction is complete.
    pub(crate) fn add_partitions(
        &self,
        producer: ProducerIdAndEpoch,
        partitions: impl IntoIterator<Item = TopicPartition>,
        now_ms: i64,
    ) -> Result<Option<Self>> {
        self.check_owner(producer)?;
        let is_ongoing = match self.state {
            TransactionState::Ongoing => true,
            TransactionState::Empty | TransactionState::CompleteCommit | TransactionState::CompleteAbort => false,
            _ => return Err(self.concurrent()),
        };
        let known = if is_ongoing { self.partitions.clone() } else { BTreeSet::new() };
        let mut all = known.clone();
        all.extend(partitions);
        if all.len() == known.len() {
            return Ok(None);
        }
        Ok(Some(Self {
            state: TransactionState::Ongoing,
            partitions: all,
            start_timestamp: if is_ongoing { self.start_timestamp } else { now_ms },
            last_update_timestamp: now_ms,
            ..self.clone()
        }))
    }

    /// Whether a partition takes part in the producer's transaction, which is open.
    ///
    /// # Errors
    /// As [`add_partitions`](Self::add_partitions), and [`Error::InvalidTransactionTransition`] if it doesn't.
    #[cfg(feature = "net")]
    pub(crate) fn check_takes_part(&self, producer: ProducerIdAndEpoch, partition: &TopicPartition) -> Result<()> {
        self.check_owner(producer)?;
        match self.state {
            TransactionState::PrepareCommit | TransactionState::PrepareAbort => Err(self.concurrent()),
            TransactionState::Ongoing if self.partitions.contains(partition) => Ok(()),
            _ => Err(self.cannot("append outside of")),
        }
    }

    /// The producer decides its transaction. None if it has ended that way already.
    ///
    /// # Errors
    /// As [`add_partitions`](Self::add_partitions), and [`Error::InvalidTransactionTransition`] if there is none, or
    /// it was decided the other way.
    pub(crate) fn end(
        &self,
        producer: ProducerIdAndEpoch,
        result: TransactionResult,
        version: TransactionVersion,
        now_ms: i64,
        new_producer_id: impl NewProducerId,
    ) -> Result<Option<Self>> {
        let retry = version.bumps_epochs() && self.is_retry(producer);
        if !retry {
            self.check_owner(producer)?;
        }
        // Where each transaction has an epoch of its own, the current one has nothing to do with the last transaction.
        let is_next = version.bumps_epochs() && !retry;
        let aborts_nothing = result == TransactionResult::Abort && version.bumps_epochs() && !retry;
        match self.state {
            TransactionState::Ongoing => self.prepare(result, version, now_ms, new_producer_id).map(Some),
            TransactionState::PrepareCommit | TransactionState::PrepareAbort
                if self.result() == Some(result) || is_next =>
            {
                Err(self.concurrent())
            }
            TransactionState::CompleteCommit | TransactionState::CompleteAbort
                if self.result() == Some(result) && !is_next =>
            {
                Ok(None)
            }
            TransactionState::Empty | TransactionState::CompleteCommit | TransactionState::CompleteAbort
                if aborts_nothing =>
            {
                let begun = Self { start_timestamp: now_ms, ..self.clone() };
                begun.prepare(result, version, now_ms, new_producer_id).map(Some)
            }
            _ => Err(self.cannot(match result {
                TransactionResult::Commit => "commit",
                TransactionResult::Abort => "abort",
            })),
        }
    }

    /// Whether the producer repeats the end of the transaction that gave it the epoch that it does not know of.
    fn is_retry(&self, producer: ProducerIdAndEpoch) -> bool {
        let bumped = producer.producer_id == self.producer.producer_id
            && producer.producer_epoch.checked_add(1) == Some(self.producer.producer_epoch);
        let rotated = producer.producer_id == self.previous_producer_id
            && producer.producer_epoch == i16::MAX - 1
            && self.producer.producer_epoch == 0;
        self.client_version.bumps_epochs()
            && match self.state {
                TransactionState::PrepareCommit | TransactionState::PrepareAbort => bumped,
                // The last epoch is for fencing alone, and given to nobody.
                TransactionState::CompleteCommit | TransactionState::CompleteAbort => {
                    (bumped && self.producer.producer_epoch < i16::MAX) || rotated
                }
                _ => false,
            }
    }

    fn prepare(
        &self,
        result: TransactionResult,
        version: TransactionVersion,
        now_ms: i64,
        new_producer_id: impl NewProducerId,
    ) -> Result<Self> {
        let mut next = Self {
            state: match result {
                TransactionResult::Commit => TransactionState::PrepareCommit,
                TransactionResult::Abort => TransactionState::PrepareAbort,
            },
            last_update_timestamp: now_ms,
            client_version: version,
            ..self.clone()
        };
        if version.bumps_epochs() {
            if is_exhausted(self.producer.producer_epoch) {
                next.next_producer_id = new_producer_id()?;
            }
            next.producer = self.with_next_epoch();
            next.last_producer_epoch = self.producer.producer_epoch;
        }
        Ok(next)
    }

    /// Takes the transaction away from its producer, to be aborted: it took too long, or somebody asks for the id. If
    /// that can't be written down and is tried again, it comes to the same.
    ///
    /// As long as nobody else has the id, its producer may go on: it asks for the id itself (KIP-360), or aborts what
    /// is aborted already, and gets the next epoch (KIP-890).
    pub(crate) fn fence(&self, now_ms: i64) -> Self {
        Self {
            producer: self.with_next_epoch(),
            last_producer_epoch: self.producer.producer_epoch,
            state: TransactionState::PrepareAbort,
            last_update_timestamp: now_ms,
            client_version: TransactionVersion::V2,
            ..self.clone()
        }
    }

    /// What there is to tell the partitions, if the transaction is decided and not complete.
    pub(crate) fn ending(&self) -> Option<Ending> {
        let is_prepared = matches!(self.state, TransactionState::PrepareCommit | TransactionState::PrepareAbort);
        self.result().filter(|_| is_prepared).map(|result| Ending { producer: self.producer, result })
    }

    /// All partitions have been told how the transaction ended.
    pub(crate) fn complete(&self, now_ms: i64) -> Self {
        let mut next = Self {
            state: match self.result() {
                Some(TransactionResult::Commit) => TransactionState::CompleteCommit,
                _ => TransactionState::CompleteAbort,
            },
            partitions: BTreeSet::new(),
            last_update_timestamp: now_ms,
            ..self.clone()
        };
        if self.next_producer_id != NO_PRODUCER_ID {
            next.producer = self.next_producer();
            next.previous_producer_id = self.producer.producer_id;
            next.next_producer_id = NO_PRODUCER_ID;
        }
        next
    }

    /// Who its producer is from the next transaction on.
    pub(crate) fn next_producer(&self) -> ProducerIdAndEpoch {
        match self.next_producer_id {
            NO_PRODUCER_ID => self.producer,
            next => ProducerIdAndEpoch::new(next, 0),
        }
    }

    /// How the last transaction was decided, if it was.
    fn result(&self) -> Option<TransactionResult> {
        match self.state {
            TransactionState::PrepareCommit | TransactionState::CompleteCommit => Some(TransactionResult::Commit),
            TransactionState::PrepareAbort | TransactionState::CompleteAbort => Some(TransactionResult::Abort),
            _ => None,
        }
    }

    /// Whether a transaction has been open for longer than it may.
    pub(crate) fn is_timed_out(&self, now_ms: i64) -> bool {
        let deadline_ms = self.start_timestamp.saturating_add(i64::from(self.timeout_ms));
        self.state == TransactionState::Ongoing && deadline_ms < now_ms
    }

    /// Whether nothing happened for so long that the id can be forgotten.
    pub(crate) fn is_expired(&self, now_ms: i64, expiration_ms: i64) -> bool {
        let is_idle = matches!(
            self.state,
            TransactionState::Empty | TransactionState::CompleteCommit | TransactionState::CompleteAbort
        );
        is_idle && self.last_update_timestamp <= now_ms.saturating_sub(expiration_ms)
    }

    /// Every epoch but the last can be given out; that one is for fencing alone, so that this is always possible.
    fn with_next_epoch(&self) -> ProducerIdAndEpoch {
        let ProducerIdAndEpoch { producer_id, producer_epoch } = self.producer;
        ProducerIdAndEpoch::new(producer_id, producer_epoch.saturating_add(1))
    }

    /// Whether the id is this producer's.
    fn check_owner(&self, producer: ProducerIdAndEpoch) -> Result<()> {
        if producer.producer_id != self.producer.producer_id {
            return Err(unmapped(&self.transactional_id, producer));
        }
        match producer.producer_epoch == self.producer.producer_epoch {
            true => Ok(()),
            false => Err(self.fenced(producer)),
        }
    }

    fn cannot(&self, attempted: &'static str) -> Error {
        let transactional_id = self.transactional_id.to_string();
        Error::InvalidTransactionTransition { transactional_id, state: self.state, attempted }
    }

    fn fenced(&self, producer: ProducerIdAndEpoch) -> Error {
        let transactional_id = self.transactional_id.to_string();
        Error::ProducerFenced { transactional_id, producer, current: self.producer }
    }

    pub(crate) fn concurrent(&self) -> Error {
        Error::ConcurrentTransactions { transactional_id: self.transactional_id.to_string(), state: self.state }
    }
}

/// The id is not that producer's, or nobody's.
pub(crate) fn unmapped(transactional_id: &str, producer: ProducerIdAndEpoch) -> Error {
    Error::InvalidProducerIdMapping { transactional_id: transactional_id.to_owned(), producer }
}

fn is_exhausted(epoch: i16) -> bool {
    epoch >= i16::MAX - 1
}

#[cfg(test)]
mod tests;
