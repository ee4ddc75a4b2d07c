//! One producer as a partition knows it (Kafka's `ProducerStateEntry`).

use crate::error::{Error, Result};
use crate::log::append::AppendOrigin;
use crate::record::BatchHeader;
use crate::types::{NO_TIMESTAMP, Offset, ProducerId, TopicPartition};

/// How many batches of a producer are remembered: as many as a client may have on their way at once.
const RECENT_BATCHES: usize = 5;

const NO_SEQUENCE: i32 = -1;
const NO_EPOCH: i16 = -1;

/// A producer's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::log) struct ProducerState {
    pub(in crate::log) producer_id: ProducerId,
    pub(in crate::log) producer_epoch: i16,
    /// The epoch of the coordinator that ended its last transaction, −1 if none did.
    pub(in crate::log) coordinator_epoch: i32,
    pub(in crate::log) last_timestamp: i64,
    /// Where its open transaction begins.
    pub(in crate::log) transaction_start: Option<Offset>,
    /// The last batches of its epoch, each in the place of the one that came `RECENT_BATCHES` before it.
    recent: [RecentBatch; RECENT_BATCHES],
    /// How many there were of that epoch.
    batch_count: usize,
}

/// A batch that a producer appended not long ago.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::log) struct RecentBatch {
    pub(in crate::log) last_sequence: i32,
    pub(in crate::log) last_offset: Offset,
    /// The last offset minus the first one.
    pub(in crate::log) offset_delta: i32,
    pub(in crate::log) timestamp: i64,
}

impl RecentBatch {
    pub(in crate::log) fn first_offset(&self) -> Offset {
        self.last_offset - Offset::from(self.offset_delta)
    }

    /// After 2147483647 comes 0.
    fn first_sequence(&self) -> i32 {
        self.last_sequence.wrapping_sub(self.offset_delta) & i32::MAX
    }
}

impl ProducerState {
    pub(super) fn new(producer_id: ProducerId) -> Self {
        Self {
            producer_id,
            producer_epoch: NO_EPOCH,
            coordinator_epoch: -1,
            last_timestamp: NO_TIMESTAMP,
            transaction_start: None,
            recent: [RecentBatch::default(); RECENT_BATCHES],
            batch_count: 0,
        }
    }

    /// The newest batch that is remembered.
    #[inline]
    pub(in crate::log) fn last_batch(&self) -> Option<&RecentBatch> {
        self.batch_count.checked_sub(1).map(|newest| &self.recent[newest % RECENT_BATCHES])
    }

    /// The sequence number of its last record, −1 if none is remembered.
    #[inline]
    pub(in crate::log) fn last_sequence(&self) -> i32 {
        self.last_batch().map_or(NO_SEQUENCE, |batch| batch.last_sequence)
    }

    /// The sequence number that its next batch must have under `producer_epoch`.
    #[inline]
    pub(super) fn next_sequence(&self, producer_epoch: i16) -> i32 {
        if producer_epoch != self.producer_epoch { 0 } else { self.last_sequence().wrapping_add(1) & i32::MAX }
    }

    /// Whether a batch is this producer's next one, and no rule is against it. Most are.
    #[inline]
    pub(super) fn goes_on_with(&self, batch: &BatchHeader, origin: AppendOrigin) -> bool {
        batch.producer_id == self.producer_id
            && batch.producer_epoch == self.producer_epoch
            && (!origin.is_numbered() || batch.base_sequence == self.next_sequence(batch.producer_epoch))
            && (self.transaction_start.is_none() || batch.is_transactional())
    }

    /// The batch of exactly these sequence numbers, if it is remembered.
    pub(super) fn find_duplicate(&self, batch: &BatchHeader) -> Option<RecentBatch> {
        let last_sequence = batch.last_sequence();
        let is_same = |recent: &&RecentBatch| {
            recent.last_sequence == last_sequence && recent.first_sequence() == batch.base_sequence
        };
        self.recent[..self.batch_count.min(RECENT_BATCHES)].iter().find(is_same).copied()
    }

    /// Refuses a producer that another one of its id has taken over from.
    pub(super) fn check_epoch(&self, producer_epoch: i16, partition: &TopicPartition) -> Result<()> {
        if producer_epoch < self.producer_epoch {
            return Err(self.invalid_epoch(producer_epoch, partition));
        }
        Ok(())
    }

    #[cold]
    pub(super) fn invalid_epoch(&self, producer_epoch: i16, partition: &TopicPartition) -> Error {
        Error::InvalidProducerEpoch {
            topic_partition: partition.clone(),
            producer_id: self.producer_id,
            requested: producer_epoch,
            current: self.producer_epoch,
        }
    }

    /// With a new epoch its sequences begin anew.
    #[inline]
    pub(super) fn set_epoch(&mut self, producer_epoch: i16) {
        if producer_epoch != self.producer_epoch {
            self.producer_epoch = producer_epoch;
            self.batch_count = 0;
        }
    }

    #[inline]
    pub(super) fn add(&mut self, batch: RecentBatch) {
        self.recent[self.batch_count % RECENT_BATCHES] = batch;
        self.batch_count += 1;
    }
}
