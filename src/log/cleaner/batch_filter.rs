//! What a pass makes of each batch (Kafka's `Cleaner.cleanInto`).
//!
//! | batch | records that stay | if none stays |
//! |---|---|---|
//! | data of an aborted transaction | none | it goes |
//! | a transaction's marker | it, until nothing is left of the transaction and the delete horizon has passed | it goes |
//! | other data | the last of each key, a tombstone until the delete horizon has passed | it goes |
//! | the last of a producer that may still append | as above | its header stays, for the sequence in it |
//! | the last of the part that is compacted | as above | its header stays, for the offset in it |
//!
//! A batch in which a tombstone is kept, or the marker of a transaction of which nothing is left, gets its delete
//! horizon then: `delete.retention.ms` from now. So a reader that follows the log from its start has at least that long
//! to see them. What is beyond the offset map stays as it is, and a batch that loses nothing stays byte for byte.

use std::collections::HashMap;

use super::offset_map::OffsetMap;
use super::transactions::CleanedTransactions;
use crate::error::Result;
use crate::record::{BatchHeader, BatchRef, BatchView, ControlRecordType, RecordSet, RecordView, RetainedBatch};
use crate::types::{Offset, ProducerId};

/// The last that a producer wrote, which tells a restart where its sequence is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LastRecord {
    /// None if only markers of it are left.
    pub(crate) last_data_offset: Option<Offset>,
    pub(crate) producer_epoch: i16,
}

/// Decides about the batches of a log, in order.
#[derive(Debug)]
pub(super) struct BatchFilter {
    pub(super) map: OffsetMap,
    /// Records from this offset on are not in the map.
    pub(super) map_end: Offset,
    /// The end of what can be compacted.
    pub(super) upper_bound: Offset,
    pub(super) now_ms: i64,
    pub(super) delete_retention_ms: i64,
    pub(super) active_producers: HashMap<ProducerId, LastRecord>,
    pub(super) transactions: CleanedTransactions,
    pub(super) retained: RetainedBatch,
}

/// What becomes of a batch.
#[derive(Debug)]
pub(super) enum Outcome<'a> {
    Dropped,
    Unchanged,
    Rewritten(BatchRef<'a>),
}

/// Which records of a batch stay.
#[derive(Debug, Default)]
struct Retention {
    is_retained: Vec<bool>,
    count: usize,
    has_tombstone: bool,
}

impl BatchFilter {
    /// Decides about the next batch.
    ///
    /// # Errors
    /// `UnsupportedCompressionType` and `CorruptRecord` if its records can't be read.
    pub(super) fn filter(&mut self, batch: &BatchView) -> Result<Outcome<'_>> {
        let header = batch.header();
        let (is_void, is_marker_of_nothing) = if header.is_control() {
            let control_type = control_type(batch)?;
            let of_nothing = self.transactions.is_marker_of_nothing(header, control_type);
            (of_nothing && self.is_past_horizon(header), of_nothing)
        } else {
            (self.transactions.is_aborted(header), false)
        };
        let keeps_header = self.is_last_of_producer(header) || header.next_offset() == self.upper_bound;
        if !is_void && header.records_count > 0 {
            let records = batch.records()?;
            let retention = self.decide(header, &records)?;
            let needs_horizon = (retention.has_tombstone || is_marker_of_nothing) && header.delete_horizon().is_none();
            if retention.count == retention.is_retained.len() && !needs_horizon {
                return Ok(Outcome::Unchanged);
            }
            if retention.count > 0 {
                let horizon = needs_horizon.then(|| self.now_ms.saturating_add(self.delete_retention_ms));
                let is_retained = |index, _: &RecordView<'_>| retention.is_retained[index];
                return Ok(Outcome::Rewritten(self.retained.with_records(header, &records, horizon, is_retained)?));
            }
        }
        match keeps_header {
            true if header.records_count == 0 => Ok(Outcome::Unchanged),
            true => Ok(Outcome::Rewritten(self.retained.emptied(header))),
            false => Ok(Outcome::Dropped),
        }
    }

    fn decide(&self, header: &BatchHeader, records: &RecordSet) -> Result<Retention> {
        let drops_tombstones = self.is_past_horizon(header);
        let mut retention = Retention::default();
        for record in records {
            let record = record?;
            let stays = header.is_control() || self.stays(&record, drops_tombstones);
            retention.is_retained.push(stays);
            if stays {
                retention.count += 1;
                retention.has_tombstone |= record.value.is_none();
            }
        }
        Ok(retention)
    }

    fn stays(&self, record: &RecordView<'_>, drops_tombstones: bool) -> bool {
        if record.offset >= self.map_end {
            return true;
        }
        let Some(key) = record.key else { return false };
        let is_last = self.map.get(key).is_none_or(|last| record.offset >= last);
        is_last && (record.value.is_some() || !drops_tombstones)
    }

    fn is_past_horizon(&self, header: &BatchHeader) -> bool {
        header.delete_horizon().is_some_and(|horizon| horizon <= self.now_ms)
    }

    fn is_last_of_producer(&self, header: &BatchHeader) -> bool {
        let Some(last) = self.active_producers.get(&header.producer_id) else { return false };
        header.has_producer_id()
            && match last.last_data_offset {
                Some(offset) => header.last_offset() == offset,
                None => header.is_control() && header.producer_epoch == last.producer_epoch,
            }
    }
}

/// The type of a control batch's record; None if compaction emptied it.
pub(super) fn control_type(batch: &BatchView) -> Result<Option<ControlRecordType>> {
    let records = batch.records()?;
    let Some(record) = records.iter().next() else { return Ok(None) };
    ControlRecordType::parse(record?.key.unwrap_or_default()).map(Some)
}
