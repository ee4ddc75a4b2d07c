//! The records of one batch, decompressed if they were compressed, and the ways to walk them.
//!
//! Walking allocates nothing and checks everything: each record's lengths, that offsets rise and stay within the
//! batch, and that nothing is left behind the last one.

use bytes::Bytes;

use crate::error::{Corruption, Error, Result};
use crate::record::batch_header::{BATCH_HEADER_BYTES, BatchHeader};
use crate::record::record::{RawRecord, RecordView};
use crate::types::{Offset, TimestampType};

/// The records of one batch. Made by [`BatchView::records`](crate::record::BatchView::records).
#[derive(Clone, Debug)]
pub struct RecordSet {
    records: Bytes,
    facts: BatchFacts,
}

impl RecordSet {
    pub(super) fn new(header: &BatchHeader, records: Bytes) -> Self {
        Self { records, facts: BatchFacts::new(header) }
    }

    /// The records in order.
    #[inline]
    pub fn iter(&self) -> RecordIter<'_> {
        self.facts.iter(&self.records)
    }

    /// The record that `cursor` has come to; moves it on. For readers that stop and resume, and so can't borrow.
    ///
    /// `None` after the last record, and for ever after an error.
    #[inline]
    pub fn next(&self, cursor: &mut RecordCursor) -> Option<Result<RecordView<'_>>> {
        self.facts.next(&self.records, cursor)
    }

    /// How many records the batch says it has.
    #[inline]
    pub const fn records_count(&self) -> usize {
        // Never negative: the header was checked.
        self.facts.records_count as usize
    }

    /// `part`, a key or value borrowed from this set, as bytes that keep the batch alive instead of borrowing it.
    ///
    /// Copies nothing; a slice from elsewhere is copied.
    pub fn slice_ref(&self, part: &[u8]) -> Bytes {
        let (all, part_range) = (self.records.as_ptr_range(), part.as_ptr_range());
        if all.start <= part_range.start && part_range.end <= all.end {
            self.records.slice_ref(part)
        } else {
            Bytes::copy_from_slice(part)
        }
    }
}

impl<'a> IntoIterator for &'a RecordSet {
    type Item = Result<RecordView<'a>>;
    type IntoIter = RecordIter<'a>;

    #[inline]
    fn into_iter(self) -> RecordIter<'a> {
        self.iter()
    }
}

/// How far a walk over a [`RecordSet`] has come. A new one is at the first record.
///
/// It belongs to the set that it was moved along: with another it finds errors or wrong records, never a panic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordCursor {
    position: usize,
    index: i32,
    last_delta: i32,
    finished: bool,
}

impl RecordCursor {
    /// A cursor at the first record.
    #[inline]
    pub const fn new() -> Self {
        Self { position: 0, index: 0, last_delta: -1, finished: false }
    }

    /// Ends the walk.
    fn finish(&mut self) {
        self.index = i32::MAX;
        self.finished = true;
    }
}

impl Default for RecordCursor {
    fn default() -> Self {
        Self::new()
    }
}

/// Walks the records of a batch. Ends after an error.
#[derive(Clone, Debug)]
pub struct RecordIter<'a> {
    records: &'a [u8],
    facts: BatchFacts,
    cursor: RecordCursor,
}

impl<'a> Iterator for RecordIter<'a> {
    type Item = Result<RecordView<'a>>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.facts.next(self.records, &mut self.cursor)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // One more than the count: bytes left behind the last record are an error of their own.
        let remaining = self.facts.records_count.saturating_sub(self.cursor.index).max(0) as usize;
        (0, Some(remaining.saturating_add(1)))
    }
}

impl std::iter::FusedIterator for RecordIter<'_> {}

/// What the records' fields are relative to.
#[derive(Copy, Clone, Debug)]
pub(super) struct BatchFacts {
    base_offset: Offset,
    base_timestamp: i64,
    /// The time of all records, with log append time.
    log_append_time: Option<i64>,
    last_offset_delta: i32,
    records_count: i32,
}

impl BatchFacts {
    pub(super) fn new(header: &BatchHeader) -> Self {
        Self {
            base_offset: header.base_offset,
            base_timestamp: header.base_timestamp,
            log_append_time: match header.timestamp_type() {
                TimestampType::CreateTime => None,
                TimestampType::LogAppendTime => Some(header.max_timestamp),
            },
            last_offset_delta: header.last_offset_delta,
            records_count: header.records_count,
        }
    }

    #[inline]
    pub(super) fn iter(self, records: &[u8]) -> RecordIter<'_> {
        RecordIter { records, facts: self, cursor: RecordCursor::new() }
    }

    #[inline]
    fn next<'a>(&self, records: &'a [u8], cursor: &mut RecordCursor) -> Option<Result<RecordView<'a>>> {
        if cursor.index >= self.records_count {
            return self.end(records, cursor);
        }
        let mut rest = records.get(cursor.position..).unwrap_or_default();
        let raw = match RawRecord::read(&mut rest) {
            Ok(raw) => raw,
            Err(reason) => return Some(Err(self.damage(cursor, reason))),
        };
        let delta = raw.offset_delta;
        if delta <= cursor.last_delta || delta > self.last_offset_delta {
            return Some(Err(self.bad_offset(cursor, delta)));
        }
        let offset = self.base_offset + i64::from(delta);
        // Wraps as Kafka's does: the delta is the producer's word and no reason to refuse the record.
        let timestamp = self.log_append_time.unwrap_or_else(|| self.base_timestamp.wrapping_add(raw.timestamp_delta));
        let view = RecordView::new(raw, offset, timestamp, BATCH_HEADER_BYTES + cursor.position);
        cursor.position = records.len() - rest.len();
        cursor.index += 1;
        cursor.last_delta = delta;
        Some(Ok(view))
    }

    /// After the last record: nothing may be left. Said once.
    #[cold]
    fn end<'a>(&self, records: &'a [u8], cursor: &mut RecordCursor) -> Option<Result<RecordView<'a>>> {
        if cursor.finished {
            return None;
        }
        let left = records.len().saturating_sub(cursor.position);
        if left == 0 {
            cursor.finish();
            return None;
        }
        Some(Err(self.damage(cursor, Corruption::TrailingBytes(left as u64))))
    }

    /// Ends the walk with an error at the cursor. The records from there to the end of the batch are lost.
    #[cold]
    fn damage(&self, cursor: &mut RecordCursor, reason: Corruption) -> Error {
        let error = Error::corrupt(BATCH_HEADER_BYTES + cursor.position, reason);
        let lost = self.offset(cursor.last_delta.saturating_add(1))..=self.offset(self.last_offset_delta);
        cursor.finish();
        if lost.is_empty() { error } else { error.with_offsets(lost) }
    }

    #[cold]
    fn bad_offset(&self, cursor: &mut RecordCursor, delta: i32) -> Error {
        let reason = if delta > self.last_offset_delta {
            let &Self { base_offset, last_offset_delta, records_count: records, .. } = self;
            Corruption::Offsets { base_offset, last_offset_delta, records }
        } else {
            let expected = self.offset(cursor.last_delta.saturating_add(1));
            Corruption::OffsetOrder { expected, found: self.offset(delta) }
        };
        self.damage(cursor, reason)
    }

    fn offset(&self, delta: i32) -> Offset {
        self.base_offset.saturating_add(i64::from(delta))
    }
}
