//! The segment that is appended to, from its writer's side.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::appender::{Appender, open_append};
use super::file_name::{LOG, OFFSET_INDEX, TIME_INDEX, TRANSACTION_INDEX};
use super::index::offset::OffsetEntry;
use super::index::time::TimeEntry;
use super::index::transaction::TransactionEntry;
use super::index::{Entry, last};
use super::index_writer::{IndexWriter, whole_entries};
use super::segment::{Segment, SegmentEnd, SegmentFiles};
use super::validator::Now;
use crate::config::LogConfig;
use crate::error::{Error, Result};
use crate::io::{AppendFile, StorageFile};
#[cfg(feature = "net")]
use crate::record::BatchHeader;
use crate::record::StampedHead;
use crate::types::{NO_TIMESTAMP, Offset};

/// A batch as it goes into the log: its first bytes stamped, the rest untouched.
#[derive(Debug)]
pub(super) struct StampedBatch<'a> {
    pub(super) head: StampedHead,
    pub(super) rest: &'a [u8],
    pub(super) base_offset: Offset,
    pub(super) last_offset: Offset,
    pub(super) max_timestamp: i64,
    /// The log's time for it, if the topic's timestamps are the log's.
    pub(super) log_append_time: Option<i64>,
}

impl StampedBatch<'_> {
    pub(super) fn size(&self) -> u64 {
        (self.head.as_ref().len() + self.rest.len()) as u64
    }
}

/// The one writer of a segment: its log file and its indexes, open for appending.
#[derive(Debug)]
pub(super) struct ActiveSegment {
    segment: Arc<Segment>,
    log: Appender,
    indexes: IndexWriter,
    /// None while no transaction was aborted.
    transaction_index: Option<Appender>,
    /// Against which `segment.ms` is measured: the largest timestamp of the first batch, once there is one.
    first_timestamp: Option<i64>,
    created_ms: i64,
    end: SegmentEnd,
    /// How large the log file may get.
    log_capacity: u64,
    /// Its end when its files were let go of last.
    rested_end: Option<SegmentEnd>,
    /// Its end when somebody looked whether it is still being appended to.
    seen_end: SegmentEnd,
    pace: Pace,
    /// How long the transaction index is.
    transaction_len: u64,
    /// A roll failed halfway, and may have left files of the next segment: nothing may be appended at their offset
    /// here, where the next open would not look for it.
    is_abandoned: bool,
}

/// How long the indexes of an active segment are, whatever is reserved behind them.
#[derive(Clone, Copy, Debug)]
pub(super) struct IndexLens {
    pub(super) offset: u64,
    pub(super) time: u64,
    pub(super) transaction: u64,
}

/// What is there already of a segment that is to be appended to.
struct Found {
    first_timestamp: Option<i64>,
    largest_timestamp: i64,
    offset_index_len: u64,
    time_index_len: u64,
    /// None if there is no transaction index.
    transaction_index_len: Option<u64>,
}

impl Found {
    /// A new segment. Whatever lies under the names of its files is left over from something that did not happen.
    const NOTHING: Self = Self {
        first_timestamp: None,
        largest_timestamp: NO_TIMESTAMP,
        offset_index_len: 0,
        time_index_len: 0,
        transaction_index_len: None,
    };

    fn look(segment: &Segment) -> Result<Self> {
        let first_timestamp = match segment.scan(0, segment.base_offset())?.next() {
            Some(Ok(first)) => Some(first.header.max_timestamp),
            // What is appended has nothing to do with what is damaged.
            None | Some(Err(Error::CorruptRecord { .. })) => None,
            Some(Err(error)) => return Err(error),
        };
        let largest_timestamp = segment.largest_timestamp()?;
        let files = segment.files()?;
        let len = |index: &Option<Arc<dyn StorageFile>>, entry_bytes| {
            index.as_ref().map_or(0, |file| whole_entries(file.len(), entry_bytes))
        };
        let last_entry = match &files.time_index {
            Some(file) => {
                last::<TimeEntry>(&**file).map_err(|error| Error::io("read", segment.path(TIME_INDEX), error))?
            }
            None => None,
        };
        // An entry beyond what the log has would keep all later ones out: the index is begun anew.
        let is_wrong = last_entry.is_some_and(|entry| entry.timestamp > largest_timestamp);
        if is_wrong {
            // And as another file: readers may have this one mapped.
            let path = segment.path(TIME_INDEX);
            segment.home().storage.remove_file(&path).map_err(|error| Error::io("remove", path, error))?;
        }
        let time_index_len = if is_wrong { 0 } else { len(&files.time_index, TimeEntry::BYTES) };
        let offset_index_len = len(&files.offset_index, OffsetEntry::BYTES);
        let transaction_index_len =
            files.transaction_index.as_ref().map(|file| whole_entries(file.len(), TransactionEntry::BYTES));
        Ok(Self { first_timestamp, largest_timestamp, offset_index_len, time_index_len, transaction_index_len })
    }
}

/// Tells whether appends come so fast that pages should be brought in ahead of them by another thread, and what was
/// appended lately.
#[derive(Debug)]
struct Pace {
    /// The size at which to look next.
    next_look: u64,
    last_look: Instant,
    /// What the next offset was when somebody looked last.
    last_offset: Offset,
}

impl Pace {
    /// How much is appended between two looks, and within which time if the writer is in a hurry.
    const STEP_BYTES: u64 = 1 << 20;
    /// How much space to hold for what a writer in a hurry appends next.
    const AHEAD_BYTES: u64 = 16 << 20;
    const STEP_HURRIED: Duration = Duration::from_millis(20);

    fn new(end: SegmentEnd) -> Self {
        Self { next_look: end.size + Self::STEP_BYTES, last_look: Instant::now(), last_offset: end.next_offset }
    }

    fn is_hurried(&self) -> bool {
        self.last_look.elapsed() < Self::STEP_HURRIED
    }
}

impl ActiveSegment {
    /// Opens the files of `segment` for appending, creating them if it is new.
    pub(super) fn open(segment: &Arc<Segment>, config: &LogConfig, now_ms: i64) -> Result<Self> {
        let end = segment.end();
        segment.set_flushed(false);
        let found = if end.size > 0 { Found::look(segment)? } else { Found::NOTHING };
        let open = |suffix, len, capacity| open_append(segment, suffix, len, capacity);
        let log_capacity = config.segment_size().max(end.size);
        let log = open_log(segment, end.size, log_capacity, config)?;
        let capacity = u64::from(config.segment_index_bytes.unsigned_abs());
        let (offset_len, time_len) = (found.offset_index_len, found.time_index_len);
        let offset_index = open(OFFSET_INDEX, offset_len, whole_entries(capacity, OffsetEntry::BYTES).max(offset_len))?;
        let time_index = open(TIME_INDEX, time_len, whole_entries(capacity, TimeEntry::BYTES).max(time_len))?;
        let transaction_index = match found.transaction_index_len {
            Some(len) => Some(open(TRANSACTION_INDEX, len, log_capacity.max(len))?),
            None => None,
        };
        let indexes =
            IndexWriter::new(segment.base_offset(), offset_index, time_index, found.largest_timestamp, config)?;
        let active = Self {
            segment: segment.clone(),
            log: Appender(Some(log)),
            indexes,
            transaction_index: transaction_index.map(|index| Appender(Some(index))),
            first_timestamp: found.first_timestamp,
            created_ms: now_ms,
            end,
            log_capacity,
            rested_end: None,
            seen_end: end,
            pace: Pace::new(end),
            transaction_len: found.transaction_index_len.unwrap_or(0),
            is_abandoned: false,
        };
        active.share_files();
        Ok(active)
    }

    /// Lets readers use the writer's files.
    fn share_files(&self) {
        self.segment.set_may_have_aborted(self.transaction_index.is_some());
        if let Some(log) = self.log.file() {
            self.segment.file_slot().set(SegmentFiles {
                log,
                offset_index: self.indexes.offset_index.file(),
                time_index: self.indexes.time_index.file(),
                transaction_index: self.transaction_index.as_ref().and_then(Appender::file),
            });
        }
    }

    /// Seals the files; should that fail halfway, nothing is appended to them any more.
    pub(super) fn seal_for_good(&mut self) -> bool {
        let is_sealed = self.seal().is_ok();
        self.is_abandoned |= !is_sealed;
        is_sealed
    }

    /// Lets go of the files, which were sealed. Everything else is kept for [`resume`](Self::resume).
    pub(super) fn rest(&mut self) {
        self.rested_end = Some(self.end);
        self.log.0 = None;
        self.indexes.rest();
        if let Some(index) = &mut self.transaction_index {
            index.0 = None;
        }
        self.segment.close_files();
    }

    /// Whether nothing has come since the files were let go of the last time.
    pub(super) fn is_as_it_rested(&self) -> bool {
        self.rested_end == Some(self.end)
    }

    #[inline]
    pub(super) fn is_at_rest(&self) -> bool {
        self.log.0.is_none()
    }

    /// Opens the files again that were let go of.
    pub(super) fn resume(&mut self, config: &LogConfig) -> Result<()> {
        let segment = &self.segment;
        let log = open_log(segment, self.end.size, self.log_capacity, config)?;
        if let Some(index) = &mut self.transaction_index {
            index.0 = Some(open_append(segment, TRANSACTION_INDEX, self.transaction_len, self.log_capacity)?);
        }
        self.indexes.resume(segment)?;
        self.log.0 = Some(log);
        segment.set_flushed(false);
        self.share_files();
        Ok(())
    }

    /// Whether it has been appended to since the last call.
    pub(super) fn take_appended(&mut self) -> bool {
        std::mem::replace(&mut self.seen_end, self.end) != self.end
    }

    pub(super) fn segment(&self) -> &Arc<Segment> {
        &self.segment
    }

    /// Gives the time index the largest timestamp for its last entry, where whoever opens the files looks for it.
    pub(super) fn finish_time_index(&mut self) -> Result<()> {
        self.indexes.finish().map_err(|error| Error::io("append to", self.segment.path(TIME_INDEX), error))
    }

    /// How long the indexes are.
    pub(super) fn index_lens(&self) -> IndexLens {
        IndexLens { offset: self.indexes.offset_len, time: self.indexes.time_len, transaction: self.transaction_len }
    }

    /// From now on every append goes to a new segment.
    pub(super) fn abandon(&mut self) {
        self.is_abandoned = true;
    }

    /// Whether there may be files of a segment that a roll could not begin.
    pub(super) fn is_abandoned(&self) -> bool {
        self.is_abandoned
    }

    /// Whether a batch belongs into a new segment.
    #[inline]
    pub(super) fn is_full_for(&self, batch: &StampedBatch<'_>, now: &Now<'_>, config: &LogConfig) -> bool {
        self.is_full(batch.size(), batch.last_offset, batch.max_timestamp, now, config)
    }

    /// The same, of what is known of a batch before it is stamped.
    #[inline]
    fn is_full(&self, size: u64, last_offset: Offset, max_timestamp: i64, now: &Now<'_>, config: &LogConfig) -> bool {
        if self.is_abandoned {
            return true;
        }
        if self.end.size == 0 {
            return false;
        }
        let waited = match self.first_timestamp {
            Some(first) if first >= 0 => max_timestamp.saturating_sub(first),
            _ => now.fresh().saturating_sub(self.created_ms),
        };
        // It may have been opened under another configuration.
        self.end.size + size > config.segment_size().min(self.log_capacity)
            || waited > self.segment_ms(config)
            || self.indexes.is_full()
            || last_offset - self.segment.base_offset() > Offset::from(i32::MAX)
    }

    /// How much later than its first record one may be that goes into it. The jitter is the segment's for ever, also
    /// when it is opened again.
    #[inline]
    fn segment_ms(&self, config: &LogConfig) -> i64 {
        let jitter_ms = if config.segment_jitter_ms == 0 { 0 } else { self.segment.jitter_ms(config) };
        let segment_ms = config.segment_ms - jitter_ms;
        // What is in the active segment is not compacted.
        if config.cleanup_policy.compact { segment_ms.min(config.max_compaction_lag_ms) } else { segment_ms }
    }

    /// Whether compaction should have had its first record by now.
    pub(super) fn is_overdue(&self, now_ms: i64, config: &LogConfig) -> bool {
        let since = self.first_timestamp.filter(|first| *first >= 0).unwrap_or(self.created_ms);
        self.end.size > 0 && now_ms.saturating_sub(since) > config.max_compaction_lag_ms
    }

    /// Whether it is empty and was opened, under another configuration, with no room for a batch.
    #[inline]
    pub(super) fn is_too_small_for(&self, batch: &StampedBatch<'_>) -> bool {
        self.end.size == 0 && batch.size() > self.log_capacity
    }

    /// Whether a batch with this header is appended in a moment: no file has to be opened for it, or to grow, or to be
    /// brought into memory. A guess.
    #[cfg(feature = "net")]
    pub(super) fn appends_at_once(
        &self,
        header: &BatchHeader,
        max_timestamp: i64,
        now: &Now<'_>,
        config: &LogConfig,
    ) -> bool {
        let size = header.size() as u64;
        let last_offset = self.end.next_offset + Offset::from(header.last_offset_delta);
        !self.is_full(size, last_offset, max_timestamp, now, config)
            && self.end.size + size < self.pace.next_look
            && self.log.appends_at_once(size)
            && self.indexes.appends_at_once()
    }

    /// Whether it has gone on by so much that somebody should [look](Self::look).
    #[inline]
    pub(super) fn is_to_be_looked_at(&self) -> bool {
        self.end.size >= self.pace.next_look
    }

    /// From which offset on all was appended lately, and whether the writer is in a hurry.
    pub(super) fn look(&mut self) -> (Offset, bool) {
        let last = std::mem::replace(&mut self.pace, Pace::new(self.end));
        (last.last_offset, last.is_hurried())
    }

    /// Whether readers have the log file's bytes from where they are in memory.
    pub(super) fn is_viewed_in_place(&self) -> bool {
        self.log.file().is_some_and(|file| file.is_viewed_in_place())
    }

    /// The log file, for somebody to populate ahead.
    pub(super) fn file_to_populate(&mut self) -> Option<Arc<dyn StorageFile>> {
        // Pages need space first. Where there is none, the append that needs it will say so.
        let _ = self.log.get().and_then(|log| log.reserve(Pace::AHEAD_BYTES.min(self.log_capacity - self.end.size)));
        self.log.file()
    }

    /// Appends a batch that fits, and lets readers see it. After an error nothing has changed.
    #[inline]
    pub(super) fn append(&mut self, batch: &StampedBatch<'_>) -> Result<()> {
        assert!(batch.base_offset >= self.end.next_offset, "offsets only grow");
        self.log
            .get()
            .and_then(|log| log.append(&[batch.head.as_ref(), batch.rest]))
            .map_err(|error| Error::io("append to", self.segment.path(LOG), error))?;
        self.indexes.appended(self.end.size, batch.size(), batch.last_offset, batch.max_timestamp);
        self.segment.set_largest_timestamp(self.indexes.largest.timestamp);
        self.first_timestamp.get_or_insert(batch.max_timestamp);
        self.end = SegmentEnd { next_offset: batch.last_offset + 1, size: self.end.size + batch.size() };
        self.segment.publish(self.end);
        Ok(())
    }

    /// Sees to it that [`append_aborted`](Self::append_aborted) can't fail for want of space. Tells whether that took a
    /// new file.
    pub(super) fn prepare_aborted(&mut self) -> Result<bool> {
        let is_new = self.transaction_index.is_none();
        if is_new {
            // A transaction takes more room in the log than in its index.
            let open = || open_append(&self.segment, TRANSACTION_INDEX, 0, self.log_capacity);
            let index = self.segment.home().open_files.with_room(1, None, open)?;
            self.transaction_index = Some(Appender(Some(index)));
            self.share_files();
        }
        if let Some(index) = &mut self.transaction_index {
            let reserved = index.get().and_then(|index| index.reserve(TransactionEntry::BYTES as u64));
            reserved.map_err(|error| Error::io("append to", self.segment.path(TRANSACTION_INDEX), error))?;
        }
        Ok(is_new)
    }

    /// Notes in the transaction index that a transaction was aborted, whose marker was appended just before.
    pub(super) fn append_aborted(&mut self, entry: &TransactionEntry) -> Result<()> {
        let Some(index) = &mut self.transaction_index else { return Ok(()) };
        let appended = index.get().and_then(|index| index.append(&[&entry.encode()]));
        appended.map_err(|error| Error::io("append to", self.segment.path(TRANSACTION_INDEX), error))?;
        self.transaction_len += TransactionEntry::BYTES as u64;
        Ok(())
    }

    /// Gives the indexes their last entries and all files their true length. A sync makes that durable.
    pub(super) fn seal(&mut self) -> Result<()> {
        self.finish_time_index()?;
        let mut files = [
            (LOG, &mut self.log),
            (OFFSET_INDEX, &mut self.indexes.offset_index),
            (TIME_INDEX, &mut self.indexes.time_index),
        ];
        for (suffix, file) in files.iter_mut().filter_map(|(suffix, file)| Some((suffix, file.0.as_mut()?))) {
            file.seal().map_err(|error| Error::io("trim", self.segment.path(suffix), error))?;
        }
        if let Some(index) = self.transaction_index.as_mut().and_then(|index| index.0.as_mut()) {
            index.seal().map_err(|error| Error::io("trim", self.segment.path(TRANSACTION_INDEX), error))?;
        }
        Ok(())
    }
}

fn open_log(segment: &Segment, len: u64, capacity: u64, config: &LogConfig) -> Result<Box<dyn AppendFile>> {
    let mut log = open_append(segment, LOG, len, capacity)?;
    if config.preallocate {
        let reserved = log.reserve(capacity - len);
        reserved.map_err(|error| Error::io("reserve space for", segment.path(LOG), error))?;
    }
    Ok(log)
}
