//! Compaction: of each key the last record stays (`cleanup.policy=compact`, Kafka's `LogCleaner`).
//!
//! ```text
//!   choice        what of a log can be compacted, and whether that is worth a pass
//!   pass          map the keys of the dirty part, then write the segments anew, in bounded steps
//!     offset_map      key → offset of its last record, in memory of a fixed size
//!     transactions    what is void, and which markers nobody needs any more
//!     batch_filter    what becomes of a batch
//!     grouping        which segments become one
//!     cleaned_segment the segment that is written
//!   swap          the new segment takes the place of the old ones; a crash leaves one or the other
//! ```
//!
//! Offsets never change, so a compacted log has gaps; readers go on at the next record. The active segment is never
//! compacted, nor anything that is not on the device yet: so what a crash may cut off has no gaps, and recovery can
//! tell a gap from a loss.

mod batch_filter;
mod choice;
mod cleaned_segment;
mod grouping;
mod offset_map;
mod pass;
mod swap;
mod transactions;

use crate::sync::atomic::Ordering;
use std::collections::HashMap;

use super::{Log, LogInner, Writer};
use crate::error::{Error, Result};
use crate::log::index::transaction::TransactionEntry;
use crate::log::producer_state::entry::ProducerState;
use crate::log::segment::Segment;
use crate::log::validator::Now;
use crate::record::BatchHeader;
use crate::types::{IsolationLevel, Offset, ProducerId};
use batch_filter::LastRecord;
pub(crate) use choice::{Cleanable, first_dirty};
use choice::{SegmentFacts, cleanable};
pub(crate) use pass::{Budget, Pass, Progress};

/// What a pass of compaction over a log came to: see [`Log::last_compaction`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compaction {
    /// When it began, in milliseconds since the Unix epoch.
    pub started_ms: i64,
    /// Where the part began that had not been compacted before.
    pub first_dirty: Offset,
    /// Everything below this offset is compacted now.
    pub end: Offset,
    /// How many records it read.
    pub records_read: u64,
    /// How many of them it kept.
    pub records_kept: u64,
    /// The size of the batches that it read, in bytes.
    pub bytes_before: u64,
    /// The size of what it made of them.
    pub bytes_after: u64,
}

impl Compaction {
    fn begun(started_ms: i64, cleanable: &Cleanable) -> Self {
        let (first_dirty, end) = (cleanable.first_dirty, cleanable.first_dirty);
        Self { started_ms, first_dirty, end, records_read: 0, records_kept: 0, bytes_before: 0, bytes_after: 0 }
    }

    fn read(&mut self, batch: &BatchHeader) {
        self.records_read += u64::from(batch.records_count.unsigned_abs());
        self.bytes_before += batch.size() as u64;
    }

    fn kept(&mut self, batch: &BatchHeader) {
        self.records_kept += u64::from(batch.records_count.unsigned_abs());
        self.bytes_after += batch.size() as u64;
    }
}

impl Log {
    /// What the last pass of compaction over this log came to; None before the first since the store was opened.
    pub fn last_compaction(&self) -> Option<Compaction> {
        self.inner.last_compaction.lock().clone()
    }

    /// Whether `cleanup.policy` has `compact`.
    pub(crate) fn is_compacted(&self) -> bool {
        self.inner.config().cleanup_policy.compact
    }

    pub(crate) fn min_cleanable_dirty_ratio(&self) -> f64 {
        self.inner.config().min_cleanable_dirty_ratio
    }

    /// What compaction would find, with everything from `first_dirty` on not compacted yet.
    pub(crate) fn cleanable(&self, first_dirty: Offset, now_ms: i64) -> Result<Cleanable> {
        let log = &*self.inner;
        let (segments, config) = (log.segments.load_full(), log.config());
        // A record that compaction puts in another's place must not be lost when that one is gone.
        let limit = log.recovery_point.load(Ordering::Acquire).min(log.last_stable_offset());
        let facts = |segment: &std::sync::Arc<Segment>| -> Result<SegmentFacts> {
            Ok(SegmentFacts {
                base_offset: segment.base_offset(),
                bytes: segment.end().size,
                largest_timestamp: match config.min_compaction_lag_ms {
                    0 => None,
                    _ => Some(segment.last_modified_ms()?),
                },
                first_timestamp: match config.max_compaction_lag_ms {
                    i64::MAX => None,
                    _ if segment.end().next_offset <= first_dirty => None,
                    _ => segment
                        .scan(0, segment.base_offset())?
                        .next()
                        .transpose()?
                        .map(|batch| batch.header.max_timestamp),
                },
            })
        };
        let closed: Vec<_> = segments.iter().take(segments.len() - 1).map(facts).collect::<Result<_>>()?;
        Ok(cleanable(&closed, segments.active().base_offset(), first_dirty, limit, &config, now_ms))
    }

    /// Begins a pass over what is cleanable, with at most `map_bytes` of memory for its keys.
    pub(crate) fn begin_pass(&self, cleanable: Cleanable, now_ms: i64, map_bytes: usize) -> Result<Pass> {
        Pass::new(self, cleanable, now_ms, map_bytes)
    }

    /// Closes the active segment if there is something in it, and has that synced, so that all of it can be compacted.
    pub(crate) fn roll_for_compaction(&self) -> Result<()> {
        let log = &*self.inner;
        let mut writer = log.writer.lock();
        log.check_open()?;
        let end = log.segments.load().active().end();
        if end.size > 0 {
            let now = Now::new(&*log.clock, &log.clock_last_read);
            let now_ms = now.fresh();
            let config = &log.config();
            let Writer { active, producers, .. } = &mut *writer;
            let active = log.activate(active, config, &now)?;
            log.roll(active, producers, end.next_offset, config, now_ms)?;
        }
        drop(writer);
        self.flush_closed_segments()
    }
}

impl LogInner {
    fn compacted(&self, compaction: Compaction) {
        *self.last_compaction.lock() = Some(compaction);
    }

    /// Everything below this offset is decided: no transaction that is open has a record there.
    fn last_stable_offset(&self) -> Offset {
        self.readable_end(IsolationLevel::ReadCommitted, self.log_end())
    }

    /// The aborted transactions with records from `from` up to the end of what is cleanable.
    fn aborted_transactions(&self, from: Offset, cleanable: &Cleanable) -> Result<Vec<TransactionEntry>> {
        self.aborted_in(&self.segments.load_full(), from..cleanable.first_uncleanable)
    }

    /// The last batch of each producer that may go on.
    fn last_records_of_producers(&self) -> HashMap<ProducerId, LastRecord> {
        let writer = self.writer.lock();
        let last = |producer: &ProducerState| LastRecord {
            last_data_offset: producer.last_batch().map(|batch| batch.last_offset),
            producer_epoch: producer.producer_epoch,
        };
        writer.producers.iter().map(|producer| (producer.producer_id, last(producer))).collect()
    }
}

/// Whether a pass ended because the log is closed or deleted, which is no failure of it.
pub(crate) fn is_gone(error: &Error) -> bool {
    matches!(error, Error::Closed { .. } | Error::UnknownTopicOrPartition { .. })
}
