//! A segment: the batches from one base offset up to the next segment's, in a log file with its indexes.
//!
//! This is the side that any number of readers share. How far the segment can be read is one atomic word, stored by
//! the one writer ([`ActiveSegment`](super::active::ActiveSegment)) after the bytes are in place; everything below is
//! constant. Files are opened when they are first needed, so a partition that nobody touches costs no handle.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock, Weak};

use super::LogInner;
use super::file_name::{self, LOG, OFFSET_INDEX, SNAPSHOT, TIME_INDEX, TRANSACTION_INDEX};
use super::index::offset::OffsetEntry;
use super::index::time::TimeEntry;
use super::index::{last, last_at_or_below};
use super::open_files::OpenFiles;
use super::producer_state::snapshot;
use super::scan::BatchScan;
use super::segment_files::FileSlot;
pub(super) use super::segment_files::SegmentFiles;
use crate::config::LogConfig;
use crate::error::{Error, Result};
use crate::io::{Storage, StorageFile};
use crate::record::{BATCH_HEADER_BYTES, BatchHeader};
use crate::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use crate::types::{NO_TIMESTAMP, Offset, TopicPartition};

/// Where a partition's files are.
#[derive(Debug)]
pub(crate) struct Home {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) dir: PathBuf,
    pub(crate) topic_partition: TopicPartition,
    /// Another process may be writing them.
    pub(crate) is_followed: bool,
    pub(super) open_files: Arc<OpenFiles>,
    /// The log that is open here, once it is.
    log: OnceLock<Weak<LogInner>>,
}

impl Home {
    /// Files that are opened here count among `open_files`.
    pub(crate) fn new(
        storage: Arc<dyn Storage>,
        dir: PathBuf,
        topic_partition: TopicPartition,
        open_files: Arc<OpenFiles>,
    ) -> Self {
        Self { storage, dir, topic_partition, is_followed: false, open_files, log: OnceLock::new() }
    }

    /// The same, where another process may be writing the files.
    pub(crate) fn followed(self) -> Self {
        Self { is_followed: true, ..self }
    }

    pub(super) fn log(&self) -> Option<Arc<LogInner>> {
        self.log.get()?.upgrade()
    }

    pub(super) fn set_log(&self, log: &Arc<LogInner>) {
        // A home has one log.
        let _ = self.log.set(Arc::downgrade(log));
    }

    /// Makes the names in the directory durable, and that others are gone.
    pub(super) fn sync_dir(&self) -> Result<()> {
        self.storage.sync_dir(&self.dir).map_err(|error| Error::io("sync", &self.dir, error))
    }

    /// The path of a file of the segment at `base_offset`.
    pub(super) fn path(&self, base_offset: Offset, suffix: &str) -> PathBuf {
        self.dir.join(file_name::segment_file(base_offset, suffix))
    }

    /// Opens a file of the segment at `base_offset` under the first of its names that is there: with each of `seconds`
    /// behind its suffix. None if it has none of them.
    pub(super) fn open_first(
        &self,
        base_offset: Offset,
        suffix: &str,
        seconds: &[&str],
    ) -> Result<Option<Arc<dyn StorageFile>>> {
        for second in seconds {
            let path = self.path(base_offset, &format!("{suffix}{second}"));
            match self.storage.open(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                opened => return opened.map(Some).map_err(|error| Error::io("open", path, error)),
            }
        }
        Ok(None)
    }
}

#[derive(Debug)]
pub(crate) struct Segment {
    home: Arc<Home>,
    base_offset: Offset,
    /// How far it can be read, in one word: `(next offset − base offset) << 32 | size in bytes`.
    published: AtomicU64,
    /// The largest timestamp of any batch, or [`UNKNOWN`] until somebody asks.
    largest_timestamp: AtomicI64,
    /// There may be a transaction index. Saves readers from opening all segments after theirs to look for one.
    may_have_aborted: AtomicBool,
    /// When the log file was last written, where no record's timestamp tells.
    modified_ms: AtomicI64,
    files: Arc<FileSlot>,
}

const UNKNOWN: i64 = i64::MIN;

/// The end of what can be read in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentEnd {
    pub(crate) next_offset: Offset,
    pub(crate) size: u64,
}

impl Segment {
    /// A segment that ends at `end`; whether its files are all on the device is for the caller to know.
    pub(super) fn new(home: Arc<Home>, base_offset: Offset, end: SegmentEnd, flushed: bool, modified_ms: i64) -> Self {
        let files = Arc::new(FileSlot::new(home.clone(), base_offset, flushed));
        let segment = Self {
            home,
            base_offset,
            published: AtomicU64::new(0),
            largest_timestamp: AtomicI64::new(if end.size == 0 { NO_TIMESTAMP } else { UNKNOWN }),
            may_have_aborted: AtomicBool::new(true),
            modified_ms: AtomicI64::new(modified_ms),
            files,
        };
        segment.publish(end);
        segment
    }

    pub(crate) fn base_offset(&self) -> Offset {
        self.base_offset
    }

    /// By how much `segment.jitter.ms` shortens the time of this segment: the same whenever it is asked for.
    #[cold]
    pub(super) fn jitter_ms(&self, config: &LogConfig) -> i64 {
        let mut hasher = DefaultHasher::new();
        (&self.home.topic_partition, self.base_offset).hash(&mut hasher);
        let jitter_max = config.segment_jitter_ms.min(config.segment_ms).max(1).unsigned_abs();
        (hasher.finish() % jitter_max) as i64
    }

    /// How far it can be read now.
    #[inline]
    pub(crate) fn end(&self) -> SegmentEnd {
        let published = self.published.load(Ordering::Acquire);
        SegmentEnd {
            next_offset: self.base_offset + (published >> 32) as Offset,
            size: published & u64::from(u32::MAX),
        }
    }

    /// Lets readers see up to `end`. What lies before it must be in place.
    #[inline]
    pub(super) fn publish(&self, end: SegmentEnd) {
        let relative = (end.next_offset - self.base_offset) as u64;
        assert!(relative <= u64::from(u32::MAX) && end.size <= u64::from(u32::MAX), "a segment spans 32 bits at most");
        self.published.store((relative << 32) | end.size, Ordering::Release);
    }

    pub(super) fn set_largest_timestamp(&self, timestamp: i64) {
        self.largest_timestamp.store(timestamp, Ordering::Relaxed);
    }

    /// There is a batch with this timestamp. Returns the largest that is known now.
    pub(super) fn raise_largest_timestamp(&self, timestamp: i64) -> i64 {
        self.largest_timestamp.fetch_max(timestamp, Ordering::Relaxed).max(timestamp)
    }

    /// A batch without timestamps was appended at `now_ms`.
    pub(super) fn set_modified(&self, now_ms: i64) {
        self.modified_ms.fetch_max(now_ms, Ordering::Relaxed);
    }

    pub(super) fn is_flushed(&self) -> bool {
        self.files.is_flushed()
    }

    pub(super) fn set_flushed(&self, flushed: bool) {
        self.files.set_flushed(flushed);
    }

    pub(super) fn may_have_aborted(&self) -> bool {
        self.may_have_aborted.load(Ordering::Acquire)
    }

    pub(super) fn set_may_have_aborted(&self, may_have: bool) {
        self.may_have_aborted.store(may_have, Ordering::Release);
    }

    /// When it was last written: the newest record's timestamp, or else the file's.
    pub(super) fn last_modified_ms(&self) -> Result<i64> {
        match self.largest_timestamp()? {
            NO_TIMESTAMP => Ok(self.modified_ms.load(Ordering::Relaxed)),
            timestamp => Ok(timestamp),
        }
    }

    pub(super) fn path(&self, suffix: &str) -> PathBuf {
        self.home.path(self.base_offset, suffix)
    }

    pub(super) fn home(&self) -> &Home {
        &self.home
    }

    pub(super) fn shared_home(&self) -> Arc<Home> {
        self.home.clone()
    }

    /// When the log file was last written, as far as that was noted.
    pub(super) fn modified_ms(&self) -> i64 {
        self.modified_ms.load(Ordering::Relaxed)
    }

    /// The open files, opening them if they are not.
    #[inline]
    pub(super) fn files(&self) -> Result<Arc<SegmentFiles>> {
        self.files.files()
    }

    /// Where the files are open, if they are.
    pub(super) fn file_slot(&self) -> &Arc<FileSlot> {
        &self.files
    }

    /// Lets go of the open files; the next reader opens them again. Slices handed out stay valid.
    pub(super) fn close_files(&self) {
        self.files.close();
    }

    /// Whether the log that is open is still the one with the segment's name.
    pub(super) fn is_in_place(&self) -> Result<bool> {
        let open = self.files()?.log.len();
        Ok(self.files.has_other_names() || self.home.storage.len(&self.path(LOG)).is_ok_and(|len| len == open))
    }

    /// The same segment up to an earlier end, or one that fits its batches more tightly.
    pub(super) fn up_to(&self, end: SegmentEnd) -> Self {
        Self::new(self.home.clone(), self.base_offset, end, false, self.modified_ms.load(Ordering::Relaxed))
    }

    /// Walks the batches from `position` on, up to what is published now. `expected` is the lowest offset that can
    /// come first.
    pub(super) fn scan(&self, position: u64, expected: Offset) -> Result<BatchScan<'_>> {
        BatchScan::new(self, position, self.end(), expected)
    }

    /// Walks the batches from as near before `offset` as the index tells.
    pub(super) fn scan_to(&self, offset: Offset) -> Result<BatchScan<'_>> {
        let (position, expected) = self.position_before(offset)?;
        self.scan(position, expected)
    }

    /// A position from which a walk meets the batch that holds `offset`, and the lowest offset that can be there.
    pub(super) fn position_before(&self, offset: Offset) -> Result<(u64, Offset)> {
        let start = (0, self.base_offset);
        let files = self.files()?;
        let Some(index) = &files.offset_index else { return Ok(start) };
        // An offset before the segment, in a gap, is met at its start.
        let relative = (offset - self.base_offset).clamp(0, Offset::from(u32::MAX)) as u32;
        let entry = last_at_or_below(index.as_ref(), |entry: &OffsetEntry| entry.relative_offset <= relative);
        let Some(entry) = entry.map_err(|error| Error::io("read", self.path(OFFSET_INDEX), error))? else {
            return Ok(start);
        };
        Ok(self.confirm_append(&files, &entry).map_or(start, |offset| (u64::from(entry.position), offset)))
    }

    /// Whether the last entry of the offset index, if there is one, is right.
    pub(super) fn confirms_last_entry(&self) -> Result<bool> {
        let files = self.files()?;
        let Some(index) = &files.offset_index else { return Ok(false) };
        let entry = last::<OffsetEntry>(index.as_ref());
        let entry = entry.map_err(|error| Error::io("read", self.path(OFFSET_INDEX), error))?;
        Ok(entry.is_none_or(|entry| self.confirm_append(&files, &entry).is_some()))
    }

    /// Where the append begins that an entry of the offset index stands for, if there is one. An index is never
    /// evidence: the append there must end with the very offset that the entry names.
    pub(super) fn confirm_append(&self, files: &SegmentFiles, entry: &OffsetEntry) -> Option<Offset> {
        let last_offset = self.base_offset + Offset::from(entry.relative_offset);
        let mut position = u64::from(entry.position);
        let mut header = self.header_at(files, position)?;
        let base_offset = header.base_offset;
        // Kafka's appends can have several batches.
        while header.last_offset() < last_offset {
            position += header.size() as u64;
            let next_offset = header.next_offset();
            header = self.header_at(files, position).filter(|next| next.base_offset == next_offset)?;
        }
        (header.last_offset() == last_offset && base_offset >= self.base_offset).then_some(base_offset)
    }

    /// The header at `position`, if there is a plausible one.
    fn header_at(&self, files: &SegmentFiles, position: u64) -> Option<BatchHeader> {
        if position + BATCH_HEADER_BYTES as u64 > self.end().size {
            return None;
        }
        let mut bytes = [0; BATCH_HEADER_BYTES];
        files.log.read_at(position, &mut bytes).ok()?;
        BatchHeader::parse(&bytes).ok()
    }

    /// The largest timestamp of any batch, [`NO_TIMESTAMP`] if there is none.
    pub(super) fn largest_timestamp(&self) -> Result<i64> {
        match self.largest_timestamp.load(Ordering::Relaxed) {
            UNKNOWN => {
                let largest = self.find_largest_timestamp()?;
                Ok(self.raise_largest_timestamp(largest))
            }
            known => Ok(known),
        }
    }

    /// From the last entry of the time index, if that can be read and proves right, and the batches after it: it may
    /// not be the last one that was written.
    fn find_largest_timestamp(&self) -> Result<i64> {
        let files = self.files()?;
        let (mut largest, mut from) = (NO_TIMESTAMP, self.base_offset);
        if let Some(index) = &files.time_index
            && let Ok(Some(entry)) = last::<TimeEntry>(index.as_ref())
            && self.confirms(&entry)?
        {
            (largest, from) = (entry.timestamp, self.base_offset + Offset::from(entry.relative_offset));
        }
        let mut scan = self.scan_to(from)?;
        while let Some(batch) = scan.next() {
            match batch {
                Ok(batch) => largest = largest.max(batch.header.max_timestamp),
                Err(Error::CorruptRecord { .. }) => {
                    if !scan.skip_damage()? {
                        break;
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(largest)
    }

    /// Whether the batch that a time index entry points at carries the entry's timestamp.
    pub(super) fn confirms(&self, entry: &TimeEntry) -> Result<bool> {
        let offset = self.base_offset + Offset::from(entry.relative_offset);
        let mut scan = self.scan_to(offset)?;
        let batch = scan.find_map(|batch| match batch {
            Ok(batch) if batch.header.last_offset() < offset => None,
            other => Some(other),
        });
        match batch {
            Some(Ok(batch)) => {
                Ok(batch.header.last_offset() == offset && batch.header.max_timestamp == entry.timestamp)
            }
            None | Some(Err(Error::CorruptRecord { .. })) => Ok(false),
            Some(Err(error)) => Err(error),
        }
    }

    /// An offset such that no record below it in this segment has a timestamp of `timestamp` or later.
    pub(super) fn offset_before_timestamp(&self, timestamp: i64) -> Result<Offset> {
        let files = self.files()?;
        let Some(index) = &files.time_index else { return Ok(self.base_offset) };
        let entry = last_at_or_below(index.as_ref(), |entry: &TimeEntry| entry.timestamp < timestamp);
        let entry = entry.map_err(|error| Error::io("read", self.path(TIME_INDEX), error))?;
        match entry {
            Some(entry) if self.confirms(&entry)? => Ok(self.base_offset + Offset::from(entry.relative_offset) + 1),
            _ => Ok(self.base_offset),
        }
    }

    /// Syncs the log file: its records survive the loss of power.
    pub(super) fn sync_log(&self) -> Result<()> {
        self.sync_file(LOG, &self.files.files_to_sync()?.log)
    }

    /// Syncs the indexes and the producer snapshot at its beginning too: they can be trusted after the loss of power.
    pub(super) fn sync_all(&self) -> Result<()> {
        self.sync_log()?;
        let files = self.files.files_to_sync()?;
        let indexes = [
            (OFFSET_INDEX, &files.offset_index),
            (TIME_INDEX, &files.time_index),
            (TRANSACTION_INDEX, &files.transaction_index),
        ];
        for (suffix, index) in indexes {
            if let Some(index) = index {
                self.sync_file(suffix, index)?;
            }
        }
        let snapshot = self.path(SNAPSHOT);
        snapshot::sync(&*self.home.storage, &snapshot).map_err(|error| Error::io("sync", snapshot, error))
    }

    fn sync_file(&self, suffix: &str, file: &Arc<dyn StorageFile>) -> Result<()> {
        file.sync().map_err(|error| Error::io("sync", self.path(suffix), error))
    }
}

/// The segments of a log in order, at least one. A list never changes; the log swaps it for another.
#[derive(Clone, Debug)]
pub(super) struct SegmentList {
    segments: Vec<Arc<Segment>>,
}

impl SegmentList {
    pub(super) fn new(segments: Vec<Arc<Segment>>) -> Self {
        assert!(!segments.is_empty(), "a log has a segment at its end");
        assert!(segments.is_sorted_by(|a, b| a.base_offset < b.base_offset), "segments are in order");
        Self { segments }
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<Segment>> + ExactSizeIterator {
        self.segments.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.segments.len()
    }

    /// The one that is appended to.
    pub(super) fn active(&self) -> &Arc<Segment> {
        self.segments.last().expect("never empty")
    }

    pub(super) fn first(&self) -> &Arc<Segment> {
        self.segments.first().expect("never empty")
    }

    /// The index of the segment that holds `offset`, or would.
    pub(super) fn index_of(&self, offset: Offset) -> usize {
        self.segments.partition_point(|segment| segment.base_offset <= offset).saturating_sub(1)
    }

    /// The segments from the one that holds `offset`, or would, to the last.
    pub(super) fn starting_with(&self, offset: Offset) -> &[Arc<Segment>] {
        self.starting_at(self.index_of(offset))
    }

    /// The segments from the one at `index` to the last.
    pub(super) fn starting_at(&self, index: usize) -> &[Arc<Segment>] {
        &self.segments[index..]
    }

    /// This list with another segment at its end.
    pub(super) fn with(&self, segment: Arc<Segment>) -> Self {
        let mut segments = self.segments.clone();
        segments.push(segment);
        Self::new(segments)
    }

    /// This list up to the segment at `index`, in the place of which comes `last`.
    pub(super) fn ending_with(&self, index: usize, last: Arc<Segment>) -> Self {
        let mut segments = self.segments[..index].to_vec();
        segments.push(last);
        Self::new(segments)
    }

    /// This list with `new` in the place of `old`, if those are all in it, one after the other, and not at its end.
    pub(super) fn replacing(&self, old: &[Arc<Segment>], new: Arc<Segment>) -> Option<Self> {
        let first = old.first()?;
        let start = self.segments.iter().position(|segment| Arc::ptr_eq(segment, first))?;
        let end = start + old.len();
        let found = self.segments.get(start..end).filter(|_| end < self.segments.len())?;
        let are_same = found.iter().zip(old).all(|(found, old)| Arc::ptr_eq(found, old));
        are_same.then(|| Self::new([&self.segments[..start], &[new], &self.segments[end..]].concat()))
    }

    /// Whether it is the one that is appended to, and nothing has been. Compaction can leave closed ones empty too.
    pub(super) fn is_empty_active(&self, segment: &Arc<Segment>) -> bool {
        segment.end().size == 0 && Arc::ptr_eq(segment, self.active())
    }

    /// Whether the segment is in the list, and not the one that is appended to.
    pub(super) fn has_closed(&self, segment: &Arc<Segment>) -> bool {
        self.segments.iter().rev().skip(1).any(|found| Arc::ptr_eq(found, segment))
    }

    /// This list without its first `count` segments.
    pub(super) fn without_first(&self, count: usize) -> Self {
        Self::new(self.segments[count..].to_vec())
    }
}
