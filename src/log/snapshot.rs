//! A partition's part in a snapshot of its store: where it is cut, and its files up to there.
//!
//! ```text
//!   hold (the writer lock) → point: the end, and how long the active segment's files are → let go → copy_to
//! ```
//!
//! What lies below the end never changes, so the files are copied while appends go on. Nothing else changes or removes
//! them meanwhile: the store keeps retention and compaction away, and a truncation fails the snapshot. Where the
//! partition is deleted they are found in the directory that they were moved to.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::active::IndexLens;
use super::file_name::{
    LEADER_EPOCH_CHECKPOINT, LOG, OFFSET_INDEX, PARTITION_METADATA, SNAPSHOT, TIME_INDEX, TRANSACTION_INDEX,
};
use super::producer_state::{self, ProducerStates};
use super::segment::{Home, Segment, SegmentEnd, SegmentList};
use super::{Log, LogInner, Writer};
use crate::error::{Error, Result};
use crate::sync::MutexGuard;
use crate::types::{Offset, TopicPartition};

/// A log that nobody can append to for as long as this lives.
pub(crate) struct Held<'a> {
    log: &'a LogInner,
    writer: MutexGuard<'a, Writer>,
}

/// Where a log is cut.
#[derive(Debug)]
pub(crate) struct SnapshotPoint {
    log: Log,
    log_start: Offset,
    segments: Arc<SegmentList>,
    end: SegmentEnd,
    /// How long the indexes of the active segment are: where it is appended to, the files are longer.
    index_lens: IndexLens,
    /// What the partition knows of its producers there.
    producers: ProducerStates,
    /// How often the log had been truncated by then.
    generation: u64,
}

impl Log {
    /// Keeps everybody from appending, with indexes that are complete up to here.
    ///
    /// # Errors
    /// As for an append: what a failed sync has lost must not come into a snapshot.
    pub(crate) fn hold(&self) -> Result<Held<'_>> {
        let mut writer = self.inner.writer.lock();
        self.inner.check_open()?;
        if let Some(active) = &mut writer.active {
            active.finish_time_index()?;
        }
        Ok(Held { log: &self.inner, writer })
    }
}

impl Held<'_> {
    /// Cuts `log`, which is the one that is held, where it ends now.
    pub(crate) fn point(&self, log: &Log) -> SnapshotPoint {
        assert!(std::ptr::eq(self.log, &*log.inner), "the log that is held is the one that is cut");
        let segments = self.log.segments.load_full();
        SnapshotPoint {
            log: log.clone(),
            log_start: log.log_start(),
            end: segments.active().end(),
            index_lens: match &self.writer.active {
                Some(active) => active.index_lens(),
                // Nobody appends to them yet.
                None => index_lens(segments.active()),
            },
            segments,
            producers: self.writer.producers.clone(),
            generation: self.log.commit.generation(),
        }
    }
}

/// How long the files are.
fn index_lens(segment: &Segment) -> IndexLens {
    let len = |suffix| segment.home().storage.len(&segment.path(suffix)).unwrap_or(0);
    IndexLens { offset: len(OFFSET_INDEX), time: len(TIME_INDEX), transaction: len(TRANSACTION_INDEX) }
}

impl SnapshotPoint {
    pub(crate) fn topic_partition(&self) -> &TopicPartition {
        self.log.topic_partition()
    }

    pub(crate) fn log_start(&self) -> Offset {
        self.log_start
    }

    pub(crate) fn log_end(&self) -> Offset {
        self.end.next_offset
    }

    /// How many bytes of records there are.
    pub(crate) fn size(&self) -> u64 {
        self.segments.iter().map(|segment| self.size_of(segment)).sum()
    }

    /// How much of a segment belongs to it.
    fn size_of(&self, segment: &Arc<Segment>) -> u64 {
        if self.is_active(segment) { self.end.size } else { segment.end().size }
    }

    fn is_active(&self, segment: &Arc<Segment>) -> bool {
        Arc::ptr_eq(segment, self.segments.active())
    }

    /// Copies the files into `dir`, which is created, and makes them durable there. Calls `copied` with the bytes of
    /// records in each segment, and ends with its failure.
    ///
    /// # Errors
    /// [`Error::LogTruncated`] if a truncation has taken or replaced files meanwhile: what was copied is of no use.
    pub(crate) fn copy_to(&self, dir: &Path, copied: impl FnMut(u64) -> Result<()>) -> Result<()> {
        let result = self.copy_files(dir, copied);
        if self.log.inner.commit.generation() != self.generation {
            let topic_partition = self.topic_partition().clone();
            return Err(Error::LogTruncated { topic_partition, log_end: self.log.log_end() });
        }
        result
    }

    fn copy_files(&self, dir: &Path, mut copied: impl FnMut(u64) -> Result<()>) -> Result<()> {
        let storage = &self.log.inner.home.storage;
        storage.create_dir_all(dir).map_err(|error| Error::io("create", dir, error))?;
        for name in [PARTITION_METADATA, LEADER_EPOCH_CHECKPOINT] {
            self.copy_whole(name, dir)?;
        }
        for segment in self.segments.iter() {
            let size = self.size_of(segment);
            // Compaction leaves empty segments, and the end of a log can be in its name alone.
            match self.copy_segment(segment, size, self.is_active(segment).then_some(self.index_lens), dir) {
                // One that nothing was appended to may have no files yet, and needs none.
                Err(Error::Io { source, .. }) if size == 0 && source.kind() == io::ErrorKind::NotFound => {}
                result => result?,
            }
            copied(size)?;
        }
        if !self.producers.is_empty() {
            self.write_producers(dir)?;
        }
        storage.sync_dir(dir).map_err(|error| Error::io("sync", dir, error))
    }

    /// Without this the copy, which was closed properly, would be taken to have no producers.
    fn write_producers(&self, dir: &Path) -> Result<()> {
        let home = &self.log.inner.home;
        let (storage, topic_partition) = (home.storage.clone(), home.topic_partition.clone());
        let home = Home::new(storage, dir.to_owned(), topic_partition, Arc::default());
        let path = home.path(self.log_end(), SNAPSHOT);
        let written = self.producers.clone().write_snapshot(&home, self.log_end());
        written.map_err(|error| Error::io("write", &path, error))?;
        producer_state::snapshot::sync(&*home.storage, &path).map_err(|error| Error::io("sync", path, error))
    }

    fn copy_segment(&self, segment: &Segment, size: u64, index_lens: Option<IndexLens>, dir: &Path) -> Result<()> {
        // The log comes last: while it is there, the segment is.
        for (suffix, len) in [
            (OFFSET_INDEX, index_lens.map(|lens| lens.offset)),
            (TIME_INDEX, index_lens.map(|lens| lens.time)),
            (TRANSACTION_INDEX, index_lens.map(|lens| lens.transaction)),
        ] {
            match self.copy(&segment.path(suffix), len, dir) {
                // The next open builds it, or nothing was aborted.
                Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                copied => copied?,
            }
        }
        self.copy(&segment.path(LOG), Some(size), dir)
    }

    /// Copies the first `len` bytes of a file, or all of it.
    fn copy(&self, from: &Path, len: Option<u64>, dir: &Path) -> Result<()> {
        let storage = &self.log.inner.home.storage;
        let name = from.file_name().unwrap_or_default();
        let to = dir.join(name);
        let mut is_tried_again = false;
        let copied = self.find(name, |from| {
            if std::mem::replace(&mut is_tried_again, true) {
                // What was copied may be another partition's.
                match storage.remove_file(&to) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
            let len = len.map_or_else(|| storage.len(from), Ok)?;
            storage.copy_file(from, &to, len)
        });
        copied.map_err(|error| Error::io("copy", from, error))
    }

    /// Copies a small file that is replaced as a whole when it changes, if there is one.
    fn copy_whole(&self, name: &str, dir: &Path) -> Result<()> {
        let storage = &self.log.inner.home.storage;
        match self.find(name.as_ref(), |from| storage.read(from)) {
            Ok(contents) => crate::io::replace_file(&**storage, &dir.join(name), &contents)
                .map_err(|error| Error::io("write", dir.join(name), error)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Error::io("read", self.dir().join(name), error)),
        }
    }

    /// Looks at a file where the partition's are. Who deletes the partition moves them, and after that another one may
    /// have their place: what was found there counts if they are there still, and is looked for anew if not.
    fn find<T>(&self, name: &OsStr, mut look: impl FnMut(&Path) -> io::Result<T>) -> io::Result<T> {
        loop {
            let dir = self.dir();
            let found = look(&dir.join(name));
            if self.dir() == dir {
                return found;
            }
        }
    }

    /// Where the files are now.
    fn dir(&self) -> PathBuf {
        let log = &self.log.inner;
        log.moved_to.lock().clone().unwrap_or_else(|| log.home.dir.clone())
    }
}
