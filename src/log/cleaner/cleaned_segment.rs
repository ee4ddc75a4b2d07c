//! A segment that compaction writes, under names of its own: nobody reads it before it takes its place.

use std::path::PathBuf;
use std::sync::Arc;

use crate::config::LogConfig;
use crate::error::{Error, Result};
use crate::io::{AppendFile, StorageFile};
use crate::log::appender::open_append;
use crate::log::file_name::{CLEANED, INDEX_SUFFIXES, LOG, OFFSET_INDEX, TIME_INDEX, TRANSACTION_INDEX};
use crate::log::index::Entry;
use crate::log::index::transaction::TransactionEntry;
use crate::log::index_writer::IndexWriter;
use crate::log::segment::{Segment, SegmentEnd, SegmentFiles};
use crate::record::BatchHeader;

/// The one writer of a compacted segment.
#[derive(Debug)]
pub(super) struct CleanedSegment {
    segment: Segment,
    log: Box<dyn AppendFile>,
    indexes: IndexWriter,
    size: u64,
}

impl CleanedSegment {
    /// Begins the segment that takes the place of these.
    pub(super) fn create(sources: &[Arc<Segment>], config: &LogConfig) -> Result<Self> {
        let (Some(first), Some(last)) = (sources.first(), sources.last()) else {
            unreachable!("a group has a segment");
        };
        let end = SegmentEnd { next_offset: last.end().next_offset, size: 0 };
        let segment = Segment::new(first.shared_home(), first.base_offset(), end, false, last.modified_ms());
        // A record that counts from a delete horizon can take some bytes more than before, and codecs differ.
        let bytes: u64 = sources.iter().map(|source| source.end().size).sum();
        let capacity = (3 * bytes + (1 << 20)).min(u64::from(u32::MAX));
        let log = open_append(&segment, &cleaned(LOG), 0, capacity)?;
        let [offset_index, time_index] = [cleaned(OFFSET_INDEX), cleaned(TIME_INDEX)];
        let indexes = IndexWriter::create_as(&segment, [&offset_index, &time_index], config)?;
        Ok(Self { segment, log, indexes, size: 0 })
    }

    pub(super) fn append(&mut self, header: &BatchHeader, batch: &[u8]) -> Result<()> {
        let appended = self.log.append(&[batch]);
        appended.map_err(|error| Error::io("append to", self.segment.path(&cleaned(LOG)), error))?;
        self.indexes.appended(self.size, batch.len() as u64, header.last_offset(), header.max_timestamp);
        self.size += batch.len() as u64;
        Ok(())
    }

    /// Ends the segment, with these transactions in its index. All of it is on the device then, apart from its names.
    pub(super) fn finish(self, aborted: &[TransactionEntry]) -> Result<Arc<Segment>> {
        let Self { segment, mut log, indexes, size } = self;
        log.seal().map_err(|error| Error::io("trim", segment.path(&cleaned(LOG)), error))?;
        drop(log);
        let largest = indexes.close().map_err(|error| Error::io("write", segment.path(&cleaned(TIME_INDEX)), error))?;
        if !aborted.is_empty() {
            write_transactions(&segment, aborted)?;
        }
        let sync = |suffix: &str| -> Result<Arc<dyn StorageFile>> {
            let path = segment.path(&cleaned(suffix));
            let file = segment.home().storage.open(&path).map_err(|error| Error::io("open", &path, error))?;
            file.sync().map_err(|error| Error::io("sync", path, error))?;
            Ok(file)
        };
        let files = SegmentFiles {
            log: sync(LOG)?,
            offset_index: Some(sync(OFFSET_INDEX)?),
            time_index: Some(sync(TIME_INDEX)?),
            transaction_index: if aborted.is_empty() { None } else { Some(sync(TRANSACTION_INDEX)?) },
        };
        segment.set_may_have_aborted(!aborted.is_empty());
        segment.publish(SegmentEnd { next_offset: segment.end().next_offset, size });
        segment.set_largest_timestamp(largest);
        segment.set_flushed(true);
        segment.file_slot().use_files_of_other_names(files);
        Ok(Arc::new(segment))
    }

    /// The files of a segment that is being written, or that a failure left.
    pub(super) fn paths(segment: &Segment) -> impl Iterator<Item = PathBuf> {
        [LOG].iter().chain(&INDEX_SUFFIXES).map(|suffix| segment.path(&cleaned(suffix)))
    }
}

fn cleaned(suffix: &str) -> String {
    format!("{suffix}{CLEANED}")
}

fn write_transactions(segment: &Segment, aborted: &[TransactionEntry]) -> Result<()> {
    let suffix = cleaned(TRANSACTION_INDEX);
    let bytes: Vec<u8> = aborted.iter().flat_map(TransactionEntry::encode).collect();
    debug_assert_eq!(bytes.len(), aborted.len() * TransactionEntry::BYTES);
    let mut index = open_append(segment, &suffix, 0, bytes.len() as u64)?;
    let written = index.append(&[&bytes]).and_then(|()| index.seal());
    written.map_err(|error| Error::io("write", segment.path(&suffix), error))
}
