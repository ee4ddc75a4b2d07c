//! The offset index and the time index of the segment that is appended to, from their writer's side.

use std::io;

use super::appender::{Appender, open_append};
use super::file_name::{OFFSET_INDEX, TIME_INDEX};
use super::index::offset::OffsetEntry;
use super::index::time::TimeEntry;
use super::index::{Entry, last};
use super::segment::Segment;
use crate::config::LogConfig;
use crate::error::{Error, Result};
use crate::io::AppendFile;
use crate::types::{NO_TIMESTAMP, Offset};

/// Writes the two indexes of a segment along with its log.
#[derive(Debug)]
pub(super) struct IndexWriter {
    base_offset: Offset,
    pub(super) offset_index: Appender,
    pub(super) time_index: Appender,
    /// The largest timestamp so far and the last offset of the first batch that has it.
    pub(super) largest: TimeEntry,
    /// The last entry of the time index.
    last_entry: Option<TimeEntry>,
    bytes_since_entry: u64,
    interval_bytes: u64,
    pub(super) offset_len: u64,
    pub(super) time_len: u64,
    /// How long the files may get, with room left for the time index's last entry.
    offset_len_max: u64,
    time_len_max: u64,
}

impl IndexWriter {
    pub(super) fn new(
        base_offset: Offset,
        offset_index: Box<dyn AppendFile>,
        time_index: Box<dyn AppendFile>,
        largest_timestamp: i64,
        config: &LogConfig,
    ) -> Result<Self> {
        let last_entry =
            last::<TimeEntry>(time_index.file().as_ref()).map_err(|error| Error::io("read", "time index", error))?;
        let largest = match last_entry {
            Some(entry) if entry.timestamp >= largest_timestamp => entry,
            Some(entry) => TimeEntry { timestamp: largest_timestamp, ..entry },
            None => TimeEntry { timestamp: largest_timestamp, relative_offset: 0 },
        };
        let capacity = u64::from(config.segment_index_bytes.unsigned_abs());
        Ok(Self {
            base_offset,
            offset_len: offset_index.file().len(),
            time_len: time_index.file().len(),
            offset_index: Appender(Some(offset_index)),
            time_index: Appender(Some(time_index)),
            largest,
            last_entry,
            bytes_since_entry: 0,
            interval_bytes: u64::from(config.index_interval_bytes.unsigned_abs()),
            offset_len_max: whole_entries(capacity, OffsetEntry::BYTES),
            time_len_max: whole_entries(capacity, TimeEntry::BYTES) - TimeEntry::BYTES as u64,
        })
    }

    /// Starts both indexes of `segment` anew, in files with these suffixes.
    pub(super) fn create_as(segment: &Segment, suffixes: [&str; 2], config: &LogConfig) -> Result<Self> {
        let capacity = u64::from(config.segment_index_bytes.unsigned_abs());
        let [offset_suffix, time_suffix] = suffixes;
        let offset_index = open_append(segment, offset_suffix, 0, whole_entries(capacity, OffsetEntry::BYTES))?;
        let time_index = open_append(segment, time_suffix, 0, whole_entries(capacity, TimeEntry::BYTES))?;
        Self::new(segment.base_offset(), offset_index, time_index, NO_TIMESTAMP, config)
    }

    pub(super) fn rest(&mut self) {
        (self.offset_index.0, self.time_index.0) = (None, None);
    }

    /// Opens the files again that were let go of.
    pub(super) fn resume(&mut self, segment: &Segment) -> Result<()> {
        // The last entry of a time index is one more than it takes in otherwise.
        let time_capacity = self.time_len_max + TimeEntry::BYTES as u64;
        let (offset_capacity, time_capacity) =
            (self.offset_len_max.max(self.offset_len), time_capacity.max(self.time_len));
        self.offset_index.0 = Some(reopen(segment, OFFSET_INDEX, &mut self.offset_len, offset_capacity)?);
        self.time_index.0 = Some(reopen(segment, TIME_INDEX, &mut self.time_len, time_capacity)?);
        if self.time_len == 0 {
            self.last_entry = None;
        }
        Ok(())
    }

    /// Whether the next batch is, with an entry of each if it gets them.
    #[cfg(feature = "net")]
    pub(super) fn appends_at_once(&self) -> bool {
        self.bytes_since_entry <= self.interval_bytes
            || self.offset_index.appends_at_once(OffsetEntry::BYTES as u64)
                && self.time_index.appends_at_once(TimeEntry::BYTES as u64)
    }

    pub(super) fn is_full(&self) -> bool {
        self.offset_len >= self.offset_len_max || self.time_len >= self.time_len_max
    }

    /// Notes that a batch was appended at `position`. An entry that can't be written is left out: the index is only
    /// sparser for it, and the batch is in the log.
    #[inline]
    pub(super) fn appended(&mut self, position: u64, size: u64, last_offset: Offset, max_timestamp: i64) {
        let relative_offset = (last_offset - self.base_offset) as u32;
        if max_timestamp > self.largest.timestamp {
            self.largest = TimeEntry { timestamp: max_timestamp, relative_offset };
        }
        if self.bytes_since_entry > self.interval_bytes {
            self.add_entries(OffsetEntry { relative_offset, position: position as u32 });
        }
        self.bytes_since_entry += size;
    }

    #[cold]
    fn add_entries(&mut self, entry: OffsetEntry) {
        let append = |index: &mut Appender| index.get().and_then(|index| index.append(&[&entry.encode()]));
        if self.offset_len < self.offset_len_max && append(&mut self.offset_index).is_ok() {
            self.offset_len += OffsetEntry::BYTES as u64;
            self.bytes_since_entry = 0;
        }
        if self.time_len < self.time_len_max {
            let _ = self.add_time_entry();
        }
    }

    fn add_time_entry(&mut self) -> io::Result<()> {
        if self.largest.timestamp > self.last_entry.map_or(NO_TIMESTAMP, |last| last.timestamp) {
            self.time_index.get()?.append(&[&self.largest.encode()])?;
            self.time_len += TimeEntry::BYTES as u64;
            self.last_entry = Some(self.largest);
        }
        Ok(())
    }

    /// The last entry of the time index must carry the largest timestamp: it is where a later load finds it.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        self.add_time_entry()
    }

    /// Ends indexes that were written apart from an active segment, and syncs nothing.
    pub(super) fn close(mut self) -> io::Result<i64> {
        self.finish()?;
        self.offset_index.get()?.seal()?;
        self.time_index.get()?.seal()?;
        Ok(self.largest.timestamp)
    }
}

/// Opens an index of `len` bytes again. One that somebody removed meanwhile, or cut, is begun anew: it is only sparser
/// for it, and its log goes on.
fn reopen(segment: &Segment, suffix: &str, len: &mut u64, capacity: u64) -> Result<Box<dyn AppendFile>> {
    let (storage, path) = (&segment.home().storage, segment.path(suffix));
    match storage.len(&path) {
        Ok(found) if found >= *len => {}
        Ok(_) => {
            // As another file: readers may have what is left of this one mapped.
            storage.remove_file(&path).map_err(|error| Error::io("remove", path, error))?;
            *len = 0;
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => *len = 0,
        Err(error) => return Err(Error::io("open", path, error)),
    }
    open_append(segment, suffix, *len, capacity)
}

pub(super) fn whole_entries(bytes: u64, entry_bytes: usize) -> u64 {
    bytes - bytes % entry_bytes as u64
}
