//! Mending a partition that nobody has open: what can't be read is set aside, so that everything else can be.
//!
//! ```text
//!   plan      unfinished swaps → each log surveyed → overlaps, gaps → what is derived          reads alone
//!   execute   the steps of the plan, in order; each leaves the files before it or after it
//!
//!   |whole batches|damage|whole batches|                    |whole|torn
//!         ↓           ↓        ↓                               ↓     ↓
//!   |whole batches|empty |whole batches| + .cut file         |whole| + .cut file
//! ```
//!
//! The offsets of damage are filled by a batch without records, of the kind that compaction leaves: readers pass over
//! it, and no later open takes it for a loss. A plan depends on the files alone, so a repair that a crash interrupted
//! is planned and done again, and comes to the same end.
//!
//! Other than recovery, which ends a log at the first batch that is not whole if nothing was promised from there on,
//! this keeps every whole batch that can be kept.

mod aside;
mod draft;
mod plan;
mod report;

use std::io;
use std::ops::Range;
use std::sync::Arc;

pub(crate) use aside::{AsideNames, copy_aside};
pub(crate) use plan::plan;
pub use report::{LostOffsets, RepairAction, RepairOptions, RepairReport, RepairStep};

use super::file_name::{CUT, LOG, OFFSET_INDEX, TEMPORARY, TIME_INDEX, TRANSACTION_INDEX};
use super::findings::Finding;
use super::index::transaction::TransactionEntry;
use super::leader_epoch::Epochs;
use super::rebuild::rebuild_indexes_as;
use super::segment::{Home, Segment, SegmentEnd};
use crate::config::LogConfig;
use crate::error::{Error, Result};
use crate::io::replace_file;
use crate::types::Offset;
use draft::Draft;

/// What the store knows of a partition that is to be mended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) log_start: Offset,
    pub(crate) recovery_point: Offset,
    /// It is compacted, or may be: a gap is no loss.
    pub(crate) may_have_gaps: bool,
    pub(crate) removes_leftovers: bool,
}

/// What is to be done with a partition.
#[derive(Debug)]
pub(crate) struct Plan {
    home: Arc<Home>,
    steps: Vec<Step>,
    pub(crate) actions: Vec<RepairAction>,
    pub(crate) lost: Vec<LostOffsets>,
    pub(crate) unrepaired: Vec<Finding>,
    /// Where the log will start and end.
    pub(crate) log_start: Offset,
    pub(crate) log_end: Offset,
    /// Nothing is left of it below the log start, which is to be written down.
    pub(crate) begins_anew: bool,
}

/// One change, all or nothing.
#[derive(Debug)]
enum Step {
    Remove(String),
    Rename {
        from: String,
        to: String,
    },
    /// Makes the names durable.
    Sync,
    CopyAside {
        file: String,
        bytes: Range<u64>,
        kept_as: String,
    },
    Truncate {
        file: String,
        len: u64,
    },
    WriteLog(Draft),
    WriteIndexes {
        base_offset: Offset,
        next_offset: Offset,
    },
    WriteTransactions {
        base_offset: Offset,
        entries: Vec<TransactionEntry>,
    },
    WriteEpochs(Epochs),
}

impl Plan {
    /// Does it. On return what was changed is on the device.
    pub(crate) fn execute(&self, config: &LogConfig) -> Result<()> {
        self.steps.iter().try_for_each(|step| self.take(step, config))?;
        if self.steps.is_empty() { Ok(()) } else { self.home.sync_dir() }
    }

    fn take(&self, step: &Step, config: &LogConfig) -> Result<()> {
        let (home, storage) = (&*self.home, &*self.home.storage);
        let path = |name: &str| home.dir.join(name);
        match step {
            Step::Sync => self.home.sync_dir(),
            Step::Remove(name) => match storage.remove_file(&path(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", path(name), error)),
                _ => Ok(()),
            },
            Step::Rename { from, to } => {
                storage.rename(&path(from), &path(to)).map_err(|error| Error::io("rename", path(from), error))
            }
            Step::CopyAside { file, bytes, kept_as } => copy_aside(storage, &path(file), bytes, kept_as),
            Step::Truncate { file, len } => {
                storage.truncate(&path(file), *len).map_err(|error| Error::io("truncate", path(file), error))
            }
            Step::WriteLog(draft) => aside::write_log(home, draft),
            Step::WriteIndexes { base_offset, next_offset } => {
                let size = storage.len(&home.path(*base_offset, LOG));
                let size = size.map_err(|error| Error::io("look at", home.path(*base_offset, LOG), error))?;
                let end = SegmentEnd { next_offset: *next_offset, size };
                write_indexes(&Segment::new(self.home.clone(), *base_offset, end, true, 0), config)?;
                self.home.sync_dir()
            }
            Step::WriteTransactions { base_offset, entries } => {
                let path = home.path(*base_offset, TRANSACTION_INDEX);
                let bytes: Vec<u8> = entries.iter().flat_map(TransactionEntry::encode).collect();
                replace_file(storage, &path, &bytes).map_err(|error| Error::io("write", path, error))
            }
            Step::WriteEpochs(epochs) => epochs.write(home),
        }
    }

    /// Puts everything of the partition on the device.
    pub(crate) fn sync_files(&self) -> Result<()> {
        let (storage, dir) = (&*self.home.storage, &self.home.dir);
        let entries = storage.list(dir).map_err(|error| Error::io("list", dir, error))?;
        for entry in entries.iter().filter(|entry| !entry.is_dir && !entry.name.ends_with(CUT)) {
            let path = dir.join(&entry.name);
            storage.open(&path).and_then(|file| file.sync()).map_err(|error| Error::io("sync", path, error))?;
        }
        self.home.sync_dir()
    }
}

/// Writes both indexes of a segment, and puts them in their place when they are on the device.
fn write_indexes(segment: &Segment, config: &LogConfig) -> Result<()> {
    let suffixes = [OFFSET_INDEX, TIME_INDEX];
    let temporary = suffixes.map(|suffix| format!("{suffix}{TEMPORARY}"));
    rebuild_indexes_as(segment, [&temporary[0], &temporary[1]], config, |_| {})?;
    segment.close_files();
    let storage = &*segment.home().storage;
    for (suffix, temporary) in suffixes.into_iter().zip(&temporary) {
        let (from, to) = (segment.path(temporary), segment.path(suffix));
        let synced = storage.open(&from).and_then(|file| file.sync());
        synced.and_then(|()| storage.rename(&from, &to)).map_err(|error| Error::io("write", to, error))?;
    }
    Ok(())
}
