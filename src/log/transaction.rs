//! Transactions and producers as a log's user sees them: the markers that end a transaction, the last stable offset,
//! which transactions were aborted, and who the producers are.

use std::ops::Range;

use super::index::transaction::{self, TransactionEntry};
use super::producer_state::entry::ProducerState;
use super::producer_state::reload::Reload;
use super::producer_state::{ProducerStates, snapshot};
use super::segment::SegmentList;
use super::validator::{self, Now, ValidatedBatch};
use super::{Appended, Log, LogInner, Writer};
use crate::config::LogConfig;
use crate::error::{Error, Result};
use crate::log::file_name::{SNAPSHOT, TRANSACTION_INDEX};
use crate::record::{EndTransactionMarker, TransactionResult};
use crate::sync::atomic::Ordering;
use crate::types::{Acks, IsolationLevel, Offset, ProducerId, ProducerIdAndEpoch};

/// An idempotent or transactional producer that a partition remembers (what Kafka's `DescribeProducers` tells).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ActiveProducer {
    /// Its id.
    pub producer_id: ProducerId,
    /// Its latest epoch.
    pub producer_epoch: i16,
    /// The sequence number of its last record; None if none of its epoch is remembered.
    pub last_sequence: Option<i32>,
    /// The offset of its last record; None likewise.
    pub last_offset: Option<Offset>,
    /// The timestamp of its last batch or marker, in milliseconds.
    pub last_timestamp: i64,
    /// The epoch of the coordinator that ended its last transaction; None if none did.
    pub coordinator_epoch: Option<i32>,
    /// The first offset of its open transaction, if it has one.
    pub transaction_start: Option<Offset>,
}

impl From<&ProducerState> for ActiveProducer {
    fn from(producer: &ProducerState) -> Self {
        let last = producer.last_batch();
        Self {
            producer_id: producer.producer_id,
            producer_epoch: producer.producer_epoch,
            last_sequence: last.map(|batch| batch.last_sequence),
            last_offset: last.map(|batch| batch.last_offset),
            last_timestamp: producer.last_timestamp,
            coordinator_epoch: Some(producer.coordinator_epoch).filter(|epoch| *epoch >= 0),
            transaction_start: producer.transaction_start,
        }
    }
}

/// Which epoch of a producer the marker that ends its transaction has at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MarkerEpoch {
    /// That of the records in the transaction.
    OfRecords,
    /// The one after it: whatever of the transaction comes later is fenced (KIP-890).
    #[cfg(feature = "net")]
    AfterRecords,
}

impl Log {
    /// The offset that readers of [`IsolationLevel::ReadCommitted`] get to: everything below it is decided. The first
    /// offset of the oldest open transaction, or else the high watermark.
    ///
    /// In a store that is opened read-only it is found out when it is first asked for, by a walk over the last segment.
    /// If that can't be read it is the log start.
    pub fn last_stable_offset(&self) -> Offset {
        self.readable_end(IsolationLevel::ReadCommitted)
    }

    /// Appends the marker that ends a producer's transaction in this partition: from then on its records count, or are
    /// void. For the coordinator of transactions; without an open transaction of the producer, the marker only fences
    /// the producer's earlier epochs and the coordinator's. Returns when `acks` says.
    ///
    /// # Errors
    /// The log is as it was after [`Error::InvalidProducerEpoch`] and [`Error::TransactionCoordinatorFenced`], which
    /// say that somebody else has taken over, and after [`Error::StorageFull`], [`Error::Io`] and [`Error::Closed`].
    /// [`Error::LogOffline`] and [`Error::ReadOnly`] as [`append`](Self::append).
    pub fn append_end_transaction_marker(
        &self,
        producer: ProducerIdAndEpoch,
        marker: EndTransactionMarker,
        acks: Acks,
    ) -> Result<Appended> {
        self.append_marker(producer, MarkerEpoch::OfRecords, marker, acks)
    }

    /// The same for a marker of which it is known whether its epoch must be a new one (KIP-1228).
    pub(crate) fn append_marker(
        &self,
        producer: ProducerIdAndEpoch,
        epoch: MarkerEpoch,
        marker: EndTransactionMarker,
        acks: Acks,
    ) -> Result<Appended> {
        let log = &*self.inner;
        let now = Now::new(&*log.clock, &log.clock_last_read);
        let batch = marker.to_batch(now.fresh(), producer)?;
        let (config, batch) = (log.config(), batch.as_ref());
        let batch = validator::marker(&batch, &config);
        let appended = log.write_marker(&mut log.writer.lock(), &batch, (epoch, &marker), &config, &now)?;
        log.wake_readers(appended.last_offset + 1);
        log.acknowledge(&appended, acks, config.flush_messages)?;
        Ok(appended)
    }

    /// The producers that the partition remembers, in the order of their ids.
    pub fn active_producers(&self) -> Vec<ActiveProducer> {
        let mut producers: Vec<_> = match self.inner.followed_producers() {
            Some(producers) => producers,
            None => self.inner.writer.lock().producers.iter().map(ActiveProducer::from).collect(),
        };
        producers.sort_unstable_by_key(|producer| producer.producer_id);
        producers
    }

    /// Forgets the producers that have been idle for `expiration_ms`.
    pub(crate) fn remove_expired_producers(&self, now_ms: i64, expiration_ms: i64) {
        self.inner.writer.lock().producers.remove_expired(now_ms, expiration_ms);
    }

    /// The highest producer id that the partition has come by.
    pub(crate) fn highest_producer_id(&self) -> Option<ProducerId> {
        self.inner.writer.lock().producers.highest_id()
    }
}

impl LogInner {
    fn write_marker(
        &self,
        writer: &mut Writer,
        batch: &ValidatedBatch<'_>,
        (epoch, marker): (MarkerEpoch, &EndTransactionMarker),
        config: &LogConfig,
        now: &Now<'_>,
    ) -> Result<Appended> {
        self.check_open()?;
        let Writer { active, producers, .. } = writer;
        let (producer_id, producer_epoch) = (batch.header().producer_id, batch.header().producer_epoch);
        producers.check_marker(producer_id, producer_epoch, epoch, marker, self.topic_partition())?;
        let active = self.activate(active, config, now)?;
        let base_offset = active.segment().end().next_offset;
        let stamped = batch.stamp(base_offset, self.leader_epoch.load(Ordering::Relaxed), now);
        self.make_room(active, producers, &stamped, config, now)?;
        let aborts = marker.result == TransactionResult::Abort && producers.has_open_transaction(producer_id);
        if aborts && active.prepare_aborted()? {
            self.note_names();
        }
        self.put(active, &stamped, now)?;
        let completed =
            producers.end_transaction(producer_id, producer_epoch, marker, base_offset, stamped.max_timestamp);
        if let Some(entry) = completed.and_then(|completed| completed.index_entry(marker)) {
            // Readers may not come to the marker without the entry. The next open finds it in the log.
            active.append_aborted(&entry).map_err(|failure| {
                self.commit.fail(failure.clone());
                self.offline(failure)
            })?;
        }
        self.publish_first_unstable(producers);
        Ok(self.appended(&stamped))
    }

    /// The producers as they are if the log has only these segments.
    pub(super) fn producers_of(&self, segments: &SegmentList) -> Result<ProducerStates> {
        Ok(Reload { home: &self.home, segments, rebuilt: &[], clean: false, replays: true }.run()?.states)
    }

    /// Where the oldest transaction begins that is not decided.
    fn first_unstable(&self) -> Offset {
        match &self.follower {
            None => self.first_unstable.load(Ordering::Acquire),
            Some(follower) => follower.first_unstable(),
        }
    }

    pub(super) fn publish_first_unstable(&self, producers: &ProducerStates) {
        self.first_unstable.store(producers.first_unstable_offset().unwrap_or(Offset::MAX), Ordering::Release);
    }

    /// The offset after the last one that readers of this isolation level see, given a high watermark that was read
    /// before: whatever lies below it, its transaction has been known since.
    pub(super) fn readable_end(&self, isolation: IsolationLevel, high_watermark: Offset) -> Offset {
        match isolation {
            IsolationLevel::ReadUncommitted => high_watermark,
            IsolationLevel::ReadCommitted => {
                let last_stable = high_watermark.min(self.first_unstable());
                // Of a transaction whose beginning was deleted, what is left is not decided either.
                last_stable.max(self.log_start.load(Ordering::Acquire).min(high_watermark))
            }
        }
    }

    /// The aborted transactions that have records in `range`.
    pub(super) fn aborted_in(&self, segments: &SegmentList, range: Range<Offset>) -> Result<Vec<TransactionEntry>> {
        let mut found = Vec::new();
        for segment in segments.starting_with(range.start) {
            if segment.end().size == 0 || !segment.may_have_aborted() {
                continue;
            }
            if let Some(followed) = self.followed_aborted(segment, &range)? {
                found.extend(followed);
                continue;
            }
            let files = segment.files()?;
            let Some(index) = &files.transaction_index else { continue };
            let failed = |error| Error::io("read", segment.path(TRANSACTION_INDEX), error);
            if transaction::collect(&**index, range.start, range.end, &mut found, failed)? {
                break;
            }
        }
        Ok(found)
    }

    /// Leaves the next open a snapshot at the log's end, if it needs one to know the producers.
    pub(super) fn write_last_snapshot(&self, producers: &mut ProducerStates) -> Result<()> {
        let end = self.log_end();
        if !producers.needs_snapshot(end) {
            return Ok(());
        }
        let path = self.home.path(end, SNAPSHOT);
        let written = producers.write_snapshot(&self.home, end);
        written.map_err(|error| Error::io("write", &path, error))?;
        self.note_names();
        snapshot::sync(&*self.home.storage, &path).map_err(|error| Error::io("sync", path, error))
    }
}
