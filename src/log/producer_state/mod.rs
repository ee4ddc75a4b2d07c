//! What a partition knows of its idempotent and transactional producers (Kafka's `ProducerStateManager`): enough to
//! tell a batch that came twice from one that is missing, to fence zombies, and to know which transactions are open.
//!
//! Pure state: who appends asks [`ProducerStates::check`] before and tells [`ProducerStates::append`] after. Everything
//! here can be derived from the log; a [`snapshot`] is a shortcut, and [`reload`] is how it is had at an open.

pub(super) mod entry;
pub(super) mod reload;
pub(super) mod snapshot;

use std::collections::{BTreeMap, HashMap};

use super::append::AppendOrigin;
use super::transaction::MarkerEpoch;
use crate::error::{Error, Result};
use crate::record::{BatchHeader, EndTransactionMarker};
use crate::types::{COUNTED_ID_MAX, Offset, ProducerId, TopicPartition};
use entry::{ProducerState, RecentBatch};

/// All producers that a partition knows.
#[derive(Clone, Debug, Default)]
pub(super) struct ProducerStates {
    producers: Vec<ProducerState>,
    /// Where in the list each is.
    places: HashMap<ProducerId, usize>,
    /// Where the one is that was looked for last: most often the next batch comes from the same.
    last: usize,
    /// The open transactions by their first offset.
    open: BTreeMap<Offset, ProducerId>,
    /// The highest id of all that were ever added, forgotten ones included.
    highest_id: Option<ProducerId>,
    /// The offset of the newest snapshot there is.
    pub(super) last_snapshot: Option<Offset>,
}

/// What becomes of a batch that may be appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is new.
    Append,
    /// It is in the log already.
    Duplicate(RecentBatch),
}

/// A transaction that has ended in this partition, and had records in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CompletedTransaction {
    pub(super) producer_id: ProducerId,
    pub(super) first_offset: Offset,
    /// Where its marker is.
    pub(super) last_offset: Offset,
    /// The last stable offset now that it has ended.
    pub(super) last_stable_offset: Offset,
}

impl ProducerStates {
    /// Of these producers.
    pub(super) fn new(producers: Vec<ProducerState>) -> Self {
        let mut states = Self::default();
        for producer in producers {
            if let Some(first_offset) = producer.transaction_start {
                states.open.insert(first_offset, producer.producer_id);
            }
            *states.get_or_add(producer.producer_id) = producer;
        }
        states
    }

    pub(super) fn is_empty(&self) -> bool {
        self.producers.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &ProducerState> {
        self.producers.iter()
    }

    pub(super) fn highest_id(&self) -> Option<ProducerId> {
        self.highest_id
    }

    /// Where the oldest open transaction begins.
    pub(super) fn first_unstable_offset(&self) -> Option<Offset> {
        self.open.first_key_value().map(|(first_offset, _)| *first_offset)
    }

    pub(super) fn has_open_transaction(&self, producer_id: ProducerId) -> bool {
        self.find(producer_id).is_some_and(|producer| producer.transaction_start.is_some())
    }

    fn find(&self, producer_id: ProducerId) -> Option<&ProducerState> {
        self.find_place(producer_id).map(|place| &self.producers[place])
    }

    #[inline(never)]
    fn find_place(&self, producer_id: ProducerId) -> Option<usize> {
        self.places.get(&producer_id).copied()
    }

    /// The producer, which is in the list from now on.
    #[inline]
    fn get_or_add(&mut self, producer_id: ProducerId) -> &mut ProducerState {
        if self.producers.get(self.last).is_none_or(|last| last.producer_id != producer_id) {
            self.last = self.find_place(producer_id).unwrap_or_else(|| self.add(producer_id));
        }
        &mut self.producers[self.last]
    }

    #[cold]
    fn add(&mut self, producer_id: ProducerId) -> usize {
        let place = self.producers.len();
        self.producers.push(ProducerState::new(producer_id));
        self.places.insert(producer_id, place);
        self.highest_id = self.highest_id.max(Some(producer_id).filter(|id| *id <= COUNTED_ID_MAX));
        place
    }

    /// What becomes of a producer's batch that would get `offset`. The checks and their order are Kafka's.
    #[inline(always)]
    pub(super) fn check(
        &mut self,
        batch: &BatchHeader,
        origin: AppendOrigin,
        offset: Offset,
        partition: &TopicPartition,
    ) -> Result<Verdict> {
        match self.producers.get(self.last) {
            Some(last) if last.goes_on_with(batch, origin) => Ok(Verdict::Append),
            _ => self.look_closely(batch, origin, offset, partition),
        }
    }

    /// The same for any batch.
    #[inline(never)]
    fn look_closely(
        &mut self,
        batch: &BatchHeader,
        origin: AppendOrigin,
        offset: Offset,
        partition: &TopicPartition,
    ) -> Result<Verdict> {
        let out_of_order = |expected| Error::OutOfOrderSequenceNumber {
            topic_partition: partition.clone(),
            producer_id: batch.producer_id,
            producer_epoch: batch.producer_epoch,
            offset,
            expected,
            actual: batch.base_sequence,
        };
        let Some(place) = self.find_place(batch.producer_id) else {
            return match origin {
                // A batch before it was refused, and is to come again.
                #[cfg(feature = "net")]
                AppendOrigin::ClientWithEpochs if batch.base_sequence != 0 => Err(out_of_order(0)),
                // After its expiry, or once retention took all of its batches, a producer goes on where it was.
                _ => Ok(Verdict::Append),
            };
        };
        self.last = place; // where it is looked for if the batch is appended
        let known = &self.producers[place];
        let is_numbered = origin.is_numbered();
        let expected = known.next_sequence(batch.producer_epoch);
        if is_numbered
            && batch.base_sequence != expected
            && batch.producer_epoch == known.producer_epoch
            && let Some(recent) = known.find_duplicate(batch)
        {
            return Ok(Verdict::Duplicate(recent));
        }
        known.check_epoch(batch.producer_epoch, partition)?;
        if is_numbered && batch.base_sequence != expected {
            return Err(out_of_order(expected));
        }
        match known.transaction_start {
            Some(_) if !batch.is_transactional() => Err(Error::InvalidTxnState {
                topic_partition: partition.clone(),
                producer_id: batch.producer_id,
                producer_epoch: batch.producer_epoch,
            }),
            _ => Ok(Verdict::Append),
        }
    }

    /// Notes a batch that lies in the log at `base_offset`, whatever its sequence: it is there.
    #[inline(always)]
    pub(super) fn append(&mut self, batch: &BatchHeader, base_offset: Offset, max_timestamp: i64) {
        let producer = self.get_or_add(batch.producer_id);
        producer.set_epoch(batch.producer_epoch);
        producer.add(RecentBatch {
            last_sequence: batch.last_sequence(),
            last_offset: base_offset + Offset::from(batch.last_offset_delta),
            offset_delta: batch.last_offset_delta,
            timestamp: max_timestamp,
        });
        producer.last_timestamp = max_timestamp;
        if batch.is_transactional() && producer.transaction_start.is_none() {
            producer.transaction_start = Some(base_offset);
            self.open.insert(base_offset, batch.producer_id);
        }
    }

    /// Whether a producer's transaction may be ended by this marker.
    pub(super) fn check_marker(
        &self,
        producer_id: ProducerId,
        producer_epoch: i16,
        epoch: MarkerEpoch,
        marker: &EndTransactionMarker,
        partition: &TopicPartition,
    ) -> Result<()> {
        let Some(known) = self.find(producer_id) else { return Ok(()) };
        known.check_epoch(producer_epoch, partition)?;
        // The same marker may come again. Of the last epoch there is no next one.
        let may_be_same =
            epoch == MarkerEpoch::OfRecords || known.transaction_start.is_none() || producer_epoch == i16::MAX;
        if producer_epoch == known.producer_epoch && !may_be_same {
            return Err(known.invalid_epoch(producer_epoch, partition));
        }
        if marker.coordinator_epoch < known.coordinator_epoch {
            return Err(Error::TransactionCoordinatorFenced {
                topic_partition: partition.clone(),
                producer_id,
                requested: marker.coordinator_epoch,
                current: known.coordinator_epoch,
            });
        }
        Ok(())
    }

    /// Notes a marker that lies in the log at `offset`. Tells which transaction it ended, if one was open.
    pub(super) fn end_transaction(
        &mut self,
        producer_id: ProducerId,
        producer_epoch: i16,
        marker: &EndTransactionMarker,
        offset: Offset,
        timestamp: i64,
    ) -> Option<CompletedTransaction> {
        let producer = self.get_or_add(producer_id);
        producer.set_epoch(producer_epoch);
        producer.coordinator_epoch = marker.coordinator_epoch;
        producer.last_timestamp = timestamp;
        let first_offset = producer.transaction_start.take()?;
        self.open.remove(&first_offset);
        let last_stable_offset = self.first_unstable_offset().unwrap_or(offset + 1);
        Some(CompletedTransaction { producer_id, first_offset, last_offset: offset, last_stable_offset })
    }

    /// Forgets the producers that have been idle for `expiration_ms`, but none with an open transaction.
    pub(super) fn remove_expired(&mut self, now_ms: i64, expiration_ms: i64) {
        let is_expired = |producer: &ProducerState| {
            producer.transaction_start.is_none() && now_ms.saturating_sub(producer.last_timestamp) >= expiration_ms
        };
        if !self.producers.iter().any(is_expired) {
            return;
        }
        self.producers.retain(|producer| !is_expired(producer));
        self.producers.shrink_to_fit();
        self.places = self.producers.iter().enumerate().map(|(place, known)| (known.producer_id, place)).collect();
        self.last = 0;
    }
}

#[cfg(test)]
mod tests;
