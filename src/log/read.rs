//! Reading, by offset and by timestamp, without a lock: find the segment, find a position in its index, walk to the
//! batch, and hand out a slice.

use std::sync::{Arc, Weak};

use bytes::Bytes;

use super::file_name::LOG;
use super::index::transaction::AbortedTransaction;
use super::scan::{BatchScan, ScannedBatch, damaged_offsets, resync};
use super::segment::{Segment, SegmentList};
use super::{Log, LogInner, State};
use crate::error::{Error, Result};
use crate::io::{FileRange, StorageFile};
use crate::record::{BATCH_HEADER_BYTES, BatchHeader, BatchRef, BatchView, RecordIter};
use crate::sync::atomic::Ordering;
use crate::types::{IsolationLevel, NO_TIMESTAMP, Offset};

/// How much one read returns, and what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct ReadLimits {
    max_bytes: usize,
    isolation: IsolationLevel,
}

impl ReadLimits {
    /// Kafka's defaults: 1 MiB (`max.partition.fetch.bytes`), and transactions are not looked at.
    pub fn new() -> Self {
        Self { max_bytes: 1 << 20, isolation: IsolationLevel::ReadUncommitted }
    }

    /// The most bytes to return. The first batch is always returned whole, however large it is, so that a reader with
    /// a small limit still gets on (KIP-74).
    pub fn max_bytes(mut self, max_bytes: usize) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    /// Up to where to read. With [`IsolationLevel::ReadCommitted`] that is the last stable offset; records of aborted
    /// transactions are among what is returned, for a batch is never taken apart, and
    /// [`Fetched::aborted_transactions`] tells which.
    pub fn isolation_level(mut self, isolation_level: IsolationLevel) -> Self {
        self.isolation = isolation_level;
        self
    }
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self::new()
    }
}

/// What a read returned: whole batches, as they lie in the log. The first may begin before the offset asked for.
#[derive(Clone, Debug)]
pub struct Fetched {
    bytes: Bytes,
    segment: Arc<Segment>,
    /// Where the bytes are in it. None if there are none.
    file: Option<Weak<dyn StorageFile>>,
    position: u64,
    next_offset: Offset,
    high_watermark: Offset,
    last_stable_offset: Offset,
    aborted: Vec<AbortedTransaction>,
}

impl Fetched {
    /// The batches as bytes, in Kafka's format, without a copy where the log is mapped. They stay valid and constant
    /// however long they are kept.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The same bytes as a range of a file, which the system can send to a socket without a copy. None on other systems
    /// than Linux and where files are not mapped, as in a store that is open read-only; if the file has been closed
    /// since; and while there are a quarter as many such ranges as there may be files open (`open.files.max`), for each
    /// keeps its file open.
    pub fn file_range(&self) -> Option<FileRange> {
        let file = self.file.as_ref()?.upgrade()?;
        FileRange::new(file, self.position, self.bytes.len(), self.segment.home().open_files.lend()?)
    }

    /// Whether there was nothing to read yet.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The offset to read next.
    pub fn next_offset(&self) -> Offset {
        self.next_offset
    }

    /// The partition's high watermark at the time of the read.
    pub fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    /// The partition's last stable offset at the time of the read. In a store that is opened read-only it is known only
    /// once somebody has asked for it, or read with [`IsolationLevel::ReadCommitted`], and the log start until then.
    pub fn last_stable_offset(&self) -> Offset {
        self.last_stable_offset
    }

    /// The aborted transactions that have records among these, for a read with [`IsolationLevel::ReadCommitted`]: the
    /// transactional batches of their producers are void from their first offset to their marker.
    pub fn aborted_transactions(&self) -> &[AbortedTransaction] {
        &self.aborted
    }

    /// The batches one by one, each with its CRC checked.
    pub fn batches(&self) -> FetchedBatches<'_> {
        FetchedBatches { fetched: self, at: 0 }
    }

    /// The batch at `at` of the bytes, which moves on to the next one.
    pub(crate) fn batch_at(&self, at: &mut usize) -> Option<Result<BatchView>> {
        let rest = self.bytes.get(*at..).filter(|rest| !rest.is_empty())?;
        let position = self.position + *at as u64;
        let located = |error: Error| error.in_file(&self.segment.path(LOG), position);
        match BatchView::parse_at(&self.bytes, *at) {
            Ok(batch) => {
                *at += batch.header().size();
                Some(Ok(batch))
            }
            // The read walked over these headers: they fit together, so they tell what is lost and where to go on.
            Err(error) => match BatchHeader::parse(rest) {
                Ok(header) => {
                    *at += header.size();
                    Some(Err(located(error).with_offsets(header.base_offset..=header.last_offset())))
                }
                Err(_) => {
                    *at = self.bytes.len();
                    Some(Err(located(error)))
                }
            },
        }
    }
}

/// The batches of a read. A damaged one is an error that says which offsets it held; the ones after it follow.
#[derive(Clone, Debug)]
pub struct FetchedBatches<'a> {
    fetched: &'a Fetched,
    at: usize,
}

impl Iterator for FetchedBatches<'_> {
    type Item = Result<BatchView>;

    fn next(&mut self) -> Option<Self::Item> {
        self.fetched.batch_at(&mut self.at)
    }
}

/// An offset and the timestamp of the record there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OffsetAndTimestamp {
    /// The record's offset.
    pub offset: Offset,
    /// Its timestamp in milliseconds.
    pub timestamp: i64,
}

impl Log {
    /// Reads whole batches from the one that holds `offset` on, up to the high watermark, or to the last stable offset
    /// if the limits say so.
    ///
    /// There, there is nothing yet, and the result is empty: [`wait_for`](Log::wait_for) and
    /// [`wait_for_stable`](Log::wait_for_stable) wait.
    ///
    /// # Errors
    /// [`Error::Closed`] once the store is. [`Error::OffsetOutOfRange`] below the log start and above the high
    /// watermark. [`Error::CorruptRecord`] if the batch at `offset` is damaged so that it can't be walked over; it
    /// names the offsets that are lost, and those after them can be read. Damage inside of a batch shows when
    /// [`Fetched::batches`] comes to it.
    pub fn read(&self, offset: Offset, limits: ReadLimits) -> Result<Fetched> {
        if offset >= self.inner.log_end() {
            self.inner.look()?;
        }
        if limits.isolation == IsolationLevel::ReadCommitted {
            self.inner.follow_transactions()?;
        }
        self.inner.read_followed(|| self.inner.read(offset, limits))
    }

    /// Whether reading from `offset` on takes but a moment: there is nothing, or it was appended lately, so that it is
    /// in memory. A guess, for a caller who should not block.
    #[cfg(feature = "net")]
    pub(crate) fn reads_at_once(&self, offset: Offset, isolation: IsolationLevel) -> bool {
        let log = &*self.inner;
        // A reader of what was committed looks at the aborted transactions too.
        let is_recent = || isolation == IsolationLevel::ReadUncommitted && offset >= log.recent.load(Ordering::Acquire);
        !log.home.is_followed && (offset >= log.readable_end(isolation, log.log_end()) || is_recent())
    }

    /// Whether what comes at `offset` lies in a segment that was closed: there is more than a read of it returns.
    #[cfg(feature = "net")]
    pub(crate) fn is_on_older_segment(&self, offset: Offset) -> bool {
        offset < self.inner.segments.load().active().base_offset()
    }

    /// The first record whose timestamp is `timestamp` or later; None if there is none.
    ///
    /// # Errors
    /// [`Error::CorruptRecord`] if a batch that has to be looked at is damaged, and
    /// [`Error::UnsupportedCompressionType`] if its codec is not built in.
    pub fn offset_for_timestamp(&self, timestamp: i64) -> Result<Option<OffsetAndTimestamp>> {
        self.inner.look()?;
        self.inner.read_followed(|| self.inner.offset_by(|_, _| Ok(timestamp)))
    }

    /// The first of the records that have the largest timestamp; None if no record has one.
    ///
    /// # Errors
    /// As [`offset_for_timestamp`](Self::offset_for_timestamp).
    pub fn offset_of_max_timestamp(&self) -> Result<Option<OffsetAndTimestamp>> {
        self.inner.look()?;
        let found = self.inner.read_followed(|| {
            self.inner.offset_by(|segments, log_start| self.inner.largest_timestamp(segments, log_start))
        })?;
        Ok(found.filter(|found| found.timestamp > NO_TIMESTAMP))
    }
}

impl LogInner {
    fn read(&self, offset: Offset, limits: ReadLimits) -> Result<Fetched> {
        self.check_state()?;
        let segments = self.segments.load();
        let high_watermark = segments.active().end().next_offset;
        let log_start = self.log_start.load(Ordering::Acquire);
        if offset < log_start || offset > high_watermark {
            let topic_partition = self.topic_partition().clone();
            return Err(Error::OffsetOutOfRange { topic_partition, requested: offset, log_start, high_watermark });
        }
        let last_stable_offset = self.readable_end(IsolationLevel::ReadCommitted, high_watermark);
        let is_committed = limits.isolation == IsolationLevel::ReadCommitted;
        let end = if is_committed { last_stable_offset } else { high_watermark };
        let fetched = |segment: &Arc<Segment>, FoundBatches { bytes, file, position, next_offset }| {
            let (segment, aborted) = (segment.clone(), Vec::new());
            Fetched { bytes, segment, file, position, next_offset, high_watermark, last_stable_offset, aborted }
        };
        // The batch may lie in a later segment than its offset says: compaction leaves gaps.
        for segment in segments.starting_with(offset).iter().take_while(|_| offset < end) {
            let found = read_segment(segment, offset, limits.max_bytes, end).and_then(|found| {
                let Some(found) = found else { return Ok(None) };
                let mut fetched = fetched(segment, found);
                if is_committed {
                    let entries = self.aborted_in(&segments, offset..fetched.next_offset)?;
                    fetched.aborted = entries.iter().map(|entry| entry.aborted).collect();
                }
                Ok(Some(fetched))
            });
            match found {
                Ok(None) => {}
                // An index that was taken away is no index without entries.
                Ok(Some(_)) if is_committed && self.has_changed(&segments) => return self.read(offset, limits),
                Ok(Some(fetched)) => return Ok(fetched),
                Err(Error::Io { .. }) if self.has_changed(&segments) => return self.read(offset, limits),
                Err(error) => return Err(error),
            }
        }
        // Nothing is left between the offset and the end, if there ever was.
        let nothing = FoundBatches { bytes: Bytes::new(), file: None, position: 0, next_offset: end.max(offset) };
        Ok(fetched(segments.active(), nothing))
    }

    /// The first record whose timestamp is that which `timestamp` finds in the segments from the log start on, or
    /// later.
    fn offset_by(&self, timestamp: impl Fn(&SegmentList, Offset) -> Result<i64>) -> Result<Option<OffsetAndTimestamp>> {
        loop {
            self.check_state()?;
            let segments = self.segments.load();
            let log_start = self.log_start.load(Ordering::Acquire);
            let found =
                timestamp(&segments, log_start).and_then(|timestamp| self.offset_from(&segments, log_start, timestamp));
            match found {
                Err(Error::Io { .. }) if self.has_changed(&segments) => {}
                found => return found,
            }
        }
    }

    /// Whether retention, compaction, a truncation or the deletion of the topic may have taken a segment while somebody
    /// looked into it.
    fn has_changed(&self, segments: &Arc<SegmentList>) -> bool {
        self.state() != State::Open || !Arc::ptr_eq(segments, &self.segments.load())
    }

    /// The first record at or after `log_start` whose timestamp is `timestamp` or later.
    fn offset_from(
        &self,
        segments: &SegmentList,
        log_start: Offset,
        timestamp: i64,
    ) -> Result<Option<OffsetAndTimestamp>> {
        for segment in segments.starting_with(log_start) {
            if segment.end().size == 0 || segment.largest_timestamp()? < timestamp {
                continue;
            }
            let from = segment.offset_before_timestamp(timestamp)?.max(log_start);
            let mut scan = segment.scan_to(from)?;
            while let Some(batch) = scan.next() {
                let batch = batch.map_err(|error| locate(error, segment, scan.position(), scan.expected()))?;
                if batch.header.max_timestamp < timestamp || batch.header.last_offset() < from {
                    continue;
                }
                let is_wanted = |record: OffsetAndTimestamp| record.timestamp >= timestamp && record.offset >= from;
                if let Some(found) = find_record(segment, &mut scan, &batch, is_wanted)? {
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }

    /// The largest timestamp of a record from `log_start` on; [`NO_TIMESTAMP`] if there is none.
    fn largest_timestamp(&self, segments: &SegmentList, log_start: Offset) -> Result<i64> {
        let mut largest = NO_TIMESTAMP;
        for segment in segments.starting_with(log_start) {
            if segment.end().size == 0 || segment.largest_timestamp()? <= largest {
                continue;
            }
            if segment.base_offset() >= log_start {
                largest = segment.largest_timestamp()?;
                continue;
            }
            // The largest one may be that of a record before the log start.
            let mut scan = segment.scan_to(log_start)?;
            while let Some(batch) = scan.next() {
                let batch = batch.map_err(|error| locate(error, segment, scan.position(), scan.expected()))?;
                if batch.header.base_offset >= log_start {
                    largest = largest.max(batch.header.max_timestamp);
                } else if batch.header.last_offset() >= log_start {
                    find_record(segment, &mut scan, &batch, |record| {
                        largest = if record.offset >= log_start { largest.max(record.timestamp) } else { largest };
                        false
                    })?;
                }
            }
        }
        Ok(largest)
    }
}

/// The first record of a batch that `is_wanted`.
fn find_record(
    segment: &Segment,
    scan: &mut BatchScan<'_>,
    batch: &ScannedBatch,
    mut is_wanted: impl FnMut(OffsetAndTimestamp) -> bool,
) -> Result<Option<OffsetAndTimestamp>> {
    let bytes = scan.bytes(batch)?;
    let located = |error: Error| {
        let lost = batch.header.base_offset..=batch.header.last_offset();
        error.in_file(&segment.path(LOG), batch.position).with_offsets(lost)
    };
    let find = |records: RecordIter<'_>| {
        for record in records {
            let record = record?;
            let record = OffsetAndTimestamp { offset: record.offset, timestamp: record.timestamp };
            if is_wanted(record) {
                return Ok(Some(record));
            }
        }
        Ok(None)
    };
    BatchRef::parse(&bytes).and_then(|batch| batch.look_at_records(find)).map_err(located)
}

/// What a read finds in a segment.
struct FoundBatches {
    bytes: Bytes,
    /// The file that they are in, and where.
    file: Option<Weak<dyn StorageFile>>,
    position: u64,
    /// The offset after them.
    next_offset: Offset,
}

/// Reads from one segment what lies below `end`. None if there is nothing in it from `offset` on.
fn read_segment(
    segment: &Arc<Segment>,
    offset: Offset,
    max_bytes: usize,
    readable_end: Offset,
) -> Result<Option<FoundBatches>> {
    let end = segment.end();
    if end.next_offset <= offset || end.size == 0 {
        return Ok(None);
    }
    let mut scan = segment.scan_to(offset)?;
    let first = loop {
        match scan.next() {
            None => return Ok(None),
            Some(Ok(batch)) if batch.header.last_offset() < offset => {}
            Some(Ok(batch)) => break batch,
            // Damage on the way to the offset does not matter, unless the offset is in it.
            Some(Err(error @ Error::CorruptRecord { .. })) => {
                let (position, expected) = (scan.position(), scan.expected());
                match resync(segment, position, end, expected)? {
                    Some((resumed, base_offset)) if base_offset <= offset => scan.resume(resumed, base_offset),
                    found => return Err(error.with_offsets(damaged_offsets(expected, found, end))),
                }
            }
            Some(Err(error)) => return Err(error),
        }
    };
    if first.header.base_offset >= readable_end {
        return Ok(None);
    }
    let rest = end.size - first.position;
    let limit = (max_bytes as u64).max(first.header.size() as u64).min(rest);
    let files = segment.files()?;
    let view = files.log.view(first.position, rest.min(limit + BATCH_HEADER_BYTES as u64) as usize);
    let bytes = view.map_err(|error| Error::io("read", segment.path(LOG), error))?;
    let (len, next_offset) = whole_batches(&bytes, limit as usize, &first.header, readable_end.min(end.next_offset));
    let (bytes, file) = (bytes.slice(..len), Some(Arc::downgrade(&files.log)));
    Ok(Some(FoundBatches { bytes, file, position: first.position, next_offset }))
}

/// How many of `bytes`, within `limit`, are whole batches below `end`, and the offset after them. They begin with
/// `first`, which fits; what does not fit its neighbours is left for the next read to find.
fn whole_batches(bytes: &[u8], limit: usize, first: &BatchHeader, end: Offset) -> (usize, Offset) {
    let header_at = |at: usize| bytes.get(at..).and_then(|rest| BatchHeader::parse(rest).ok());
    let (mut len, mut next_offset) = (first.size(), first.next_offset());
    let mut ahead = header_at(len);
    while let Some(header) = ahead {
        // Offsets in their place prove a header; a gap takes the longer look of a scan.
        let after = len + header.size();
        if header.base_offset != next_offset || header.next_offset() > end || after > limit {
            break;
        }
        ahead = header_at(after);
        let following = ahead.as_ref().map_or(end, |ahead| ahead.base_offset);
        if following != header.next_offset() && BatchRef::parse(&bytes[len..]).is_err() {
            break;
        }
        (len, next_offset) = (after, header.next_offset());
    }
    (len, next_offset)
}

/// Adds to an error about damage at `position` which offsets it makes unreadable.
fn locate(error: Error, segment: &Segment, position: u64, expected: Offset) -> Error {
    let end = segment.end();
    match resync(segment, position, end, expected) {
        Ok(found) => error.with_offsets(damaged_offsets(expected, found, end)),
        Err(_) => error,
    }
}
