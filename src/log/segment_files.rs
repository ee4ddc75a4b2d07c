//! The files of a segment: opened when somebody needs them, and let go of when they can be spared, so that a partition
//! that nobody touches costs no handle and no map. [`OpenFiles`](super::open_files::OpenFiles)
//! decides when.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use super::LogInner;
use super::file_name::{DELETED, LOG, OFFSET_INDEX, TIME_INDEX, TRANSACTION_INDEX};
use super::index::Entry;
use super::index::growing::GrowingIndex;
use super::index::offset::OffsetEntry;
use super::index::time::TimeEntry;
use super::index::transaction::TransactionEntry;
use super::open_files::Spare;
use super::segment::Home;
use crate::error::{Error, Result};
use crate::io::StorageFile;
use crate::sync::RwLock;
use crate::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use crate::types::Offset;

/// The open files of a segment. An index that is missing is None: the log itself answers, more slowly.
#[derive(Debug)]
pub(super) struct SegmentFiles {
    pub(super) log: Arc<dyn StorageFile>,
    pub(super) offset_index: Option<Arc<dyn StorageFile>>,
    pub(super) time_index: Option<Arc<dyn StorageFile>>,
    /// None too where no transaction was aborted.
    pub(super) transaction_index: Option<Arc<dyn StorageFile>>,
}

impl SegmentFiles {
    /// How many files a segment has, most of the time.
    pub(super) const USUAL_COUNT: usize = 3;

    /// Opens the files of a segment that may not have their own names, each by the first one that is there: with each
    /// of `seconds` behind it.
    pub(super) fn open_first(home: &Home, base_offset: Offset, seconds: &[&str]) -> Result<Self> {
        let open = |suffix| home.open_first(base_offset, suffix, seconds);
        let gone = || Error::io("open", home.path(base_offset, LOG), io::ErrorKind::NotFound.into());
        Ok(Self {
            log: open(LOG)?.ok_or_else(gone)?,
            offset_index: open(OFFSET_INDEX)?,
            time_index: open(TIME_INDEX)?,
            transaction_index: open(TRANSACTION_INDEX)?,
        })
    }

    fn count(&self) -> usize {
        let indexes = [&self.offset_index, &self.time_index, &self.transaction_index];
        1 + indexes.into_iter().flatten().count()
    }
}

/// Whether a segment's files have its names. Compaction and truncation change that, and only with `open` locked for
/// writing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Names {
    Own,
    /// Not yet: the open files must not be let go of.
    Other,
    /// No more: they are another segment's.
    Lost,
}

/// Where the open files of a segment are, if they are open.
#[derive(Debug)]
pub(super) struct FileSlot {
    home: Arc<Home>,
    base_offset: Offset,
    open: RwLock<Option<Arc<SegmentFiles>>>,
    /// They were used since somebody asked last.
    used: AtomicBool,
    /// The segment is closed, and all of its files are on the device.
    flushed: AtomicBool,
    /// It is known to [`OpenFiles`](super::open_files::OpenFiles). Set and taken back with `open` locked for writing.
    listed: AtomicBool,
    names: AtomicU8,
}

impl FileSlot {
    pub(super) fn new(home: Arc<Home>, base_offset: Offset, flushed: bool) -> Self {
        Self {
            home,
            base_offset,
            open: RwLock::default(),
            used: AtomicBool::new(false),
            flushed: AtomicBool::new(flushed),
            listed: AtomicBool::new(false),
            names: AtomicU8::new(Names::Own as u8),
        }
    }

    pub(super) fn is_flushed(&self) -> bool {
        self.flushed.load(Ordering::Acquire)
    }

    pub(super) fn set_flushed(&self, flushed: bool) {
        self.flushed.store(flushed, Ordering::Release);
    }

    /// The open files, opening them if they are not, for which others may have to go.
    #[inline]
    pub(super) fn files(self: &Arc<Self>) -> Result<Arc<SegmentFiles>> {
        self.used.store(true, Ordering::Relaxed);
        if let Some(files) = &*self.open.read() {
            return Ok(files.clone());
        }
        self.home.open_files.with_room(SegmentFiles::USUAL_COUNT, None, || self.open())
    }

    /// The same for whoever syncs, and may be doing so to let others go.
    pub(super) fn files_to_sync(self: &Arc<Self>) -> Result<Arc<SegmentFiles>> {
        if let Some(files) = &*self.open.read() {
            return Ok(files.clone());
        }
        self.open()
    }

    fn open(self: &Arc<Self>) -> Result<Arc<SegmentFiles>> {
        let mut files = self.open.write();
        if let Some(files) = &*files {
            return Ok(files.clone());
        }
        if self.has(Names::Lost) {
            let error = io::Error::new(io::ErrorKind::NotFound, "the segment was replaced or cut off");
            return Err(Error::io("open", self.path(LOG), error));
        }
        let path = self.path(LOG);
        let log = self.home.storage.open(&path).map_err(|error| Error::io("open", path, error))?;
        // Of a log that is followed, compaction may be taking the files away: this one has another name just then.
        let transaction_names: &[&str] = if self.home.is_followed { &["", DELETED] } else { &[""] };
        let index = |suffix, seconds| self.home.open_first(self.base_offset, suffix, seconds);
        let opened = SegmentFiles {
            log,
            offset_index: index(OFFSET_INDEX, &[""])?.map(|file| self.as_index::<OffsetEntry>(file)),
            time_index: index(TIME_INDEX, &[""])?.map(|file| self.as_index::<TimeEntry>(file)),
            transaction_index: index(TRANSACTION_INDEX, transaction_names)?
                .map(|file| self.as_index::<TransactionEntry>(file)),
        };
        Ok(self.put(&mut files, opened))
    }

    fn path(&self, suffix: &str) -> PathBuf {
        self.home.path(self.base_offset, suffix)
    }

    fn as_index<E: Entry>(&self, file: Arc<dyn StorageFile>) -> Arc<dyn StorageFile> {
        if self.home.is_followed { GrowingIndex::of::<E>(file) } else { file }
    }

    fn put(self: &Arc<Self>, open: &mut Option<Arc<SegmentFiles>>, files: SegmentFiles) -> Arc<SegmentFiles> {
        self.take(open);
        self.home.open_files.opened(files.count());
        if !self.listed.swap(true, Ordering::Relaxed) {
            self.home.open_files.list(self);
        }
        open.insert(Arc::new(files)).clone()
    }

    fn take(&self, open: &mut Option<Arc<SegmentFiles>>) {
        if let Some(files) = open.take() {
            self.home.open_files.closed(files.count());
        }
    }

    /// Makes the files of the writer the ones that readers use.
    pub(super) fn set(self: &Arc<Self>, files: SegmentFiles) {
        self.put(&mut self.open.write(), files);
    }

    /// Lets go of the open files; the next reader opens them again. Slices handed out stay valid.
    pub(super) fn close(&self) {
        let mut open = self.open.write();
        if !self.has(Names::Other) {
            self.take(&mut open);
        }
    }

    fn has(&self, names: Names) -> bool {
        self.names.load(Ordering::Relaxed) == names as u8
    }

    /// Whether the open files do not have the segment's names yet.
    pub(super) fn has_other_names(&self) -> bool {
        self.has(Names::Other)
    }

    /// Uses these files, which do not have the segment's names yet, until [`take_names`](Self::take_names).
    pub(super) fn use_files_of_other_names(self: &Arc<Self>, files: SegmentFiles) {
        let mut open = self.open.write();
        self.names.store(Names::Other as u8, Ordering::Relaxed);
        self.put(&mut open, files);
    }

    /// The files have the segment's names now.
    pub(super) fn take_names(&self) {
        let _open = self.open.write();
        self.names.store(Names::Own as u8, Ordering::Relaxed);
    }

    /// The names of the files are about to become another segment's. Who has the files open keeps them; from now on
    /// nobody opens them.
    pub(super) fn lose_names(&self) {
        let _open = self.open.write();
        self.names.store(Names::Lost as u8, Ordering::Relaxed);
    }

    /// Whether the files were used since the last call.
    pub(super) fn take_used(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }

    /// Lets go of the files if they are spare, on behalf of [`OpenFiles`](super::open_files::OpenFiles), which forgets
    /// them then. False if it should ask again later.
    pub(super) fn let_go(&self, spare: Spare, held: Option<&LogInner>) -> bool {
        if self.take_used() {
            return false;
        }
        if self.is_flushed() || self.home.is_followed {
            // Looked at again in there: whoever opens the segment for appending first takes the mark away, and then
            // puts the files here that it needs.
            return self.try_close(|| self.is_flushed() || self.home.is_followed);
        }
        match self.home.log() {
            Some(log) if held.is_some_and(|held| std::ptr::eq(held, &*log)) => log.let_go_but_active(self, spare),
            Some(log) => log.let_go(self, spare),
            // The log is being opened, or nobody has it any more.
            None => self.try_close(|| true),
        }
    }

    /// Closes the files if they are still spare, unless somebody is just looking at them.
    pub(super) fn try_close(&self, is_spare: impl Fn() -> bool) -> bool {
        let Some(mut open) = self.open.try_write() else { return false };
        if !is_spare() || (open.is_some() && self.has(Names::Other)) {
            return false;
        }
        self.take(&mut open);
        self.listed.store(false, Ordering::Relaxed);
        true
    }
}

impl Drop for FileSlot {
    fn drop(&mut self) {
        // Nobody else has it.
        if let Some(mut open) = self.open.try_write() {
            self.take(&mut open);
        }
    }
}
