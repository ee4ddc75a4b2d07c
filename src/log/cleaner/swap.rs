//! Putting a compacted segment in the place of those that it was made of, so that a crash leaves the old ones or the
//! new one.
//!
//! ```text
//!   1  .log.cleaned   → .log.swap     sync   a crash before this:          the old ones are whole
//!   2  its indexes    → .swap         sync
//!      readers get the new segment
//!   3  the old files  → .deleted      sync   a crash from 2 on:            the open does the rest
//!   4  .index.swap, … → .index, …
//!      .log.swap      → .log          sync
//! ```
//!
//! These are Kafka's names and steps, so that either finishes what the other began. The syncs between them are ours:
//! of names that are not synced the loss of power may keep any, and an old segment beside the new one, or a new index
//! beside an old log, would be worse than either.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use super::cleaned_segment::CleanedSegment;
use crate::config::LogConfig;
use crate::error::{Error, Result};
use crate::log::LogInner;
use crate::log::file_name::{CLEANED, DELETED, INDEX_SUFFIXES, LOG, SEGMENT_SUFFIXES, SNAPSHOT, SWAP};
use crate::log::segment::Segment;

impl LogInner {
    /// Swaps `new` for `old`. False, with nothing changed, if those are not all closed segments of the log any more, or
    /// `last` is not.
    ///
    /// # Errors
    /// Before the new segment has taken its place nothing has changed. A failure after that, and that of a sync, ends
    /// the log: the next open finishes the swap.
    pub(super) fn replace_segments(
        &self,
        old: &[Arc<Segment>],
        last: &Arc<Segment>,
        new: &Arc<Segment>,
        config: &LogConfig,
    ) -> Result<bool> {
        // Nobody rolls, deletes, cuts or closes meanwhile. Readers go on.
        let writer = self.writer.lock();
        let segments = self.segments.load_full();
        let replacing = segments.replacing(old, new.clone()).filter(|_| segments.has_closed(last));
        let complete = |list| {
            self.check_open()?;
            self.remove_leftovers(new)?;
            self.rename(new, LOG, CLEANED, SWAP)?;
            self.or_fail(self.sync_swap())?;
            for suffix in INDEX_SUFFIXES {
                self.rename(new, suffix, CLEANED, SWAP)?;
            }
            self.or_fail(self.sync_swap())?;
            Ok(list)
        };
        let Some(list) = replacing.map(complete).transpose().inspect_err(|_| self.discard_cleaned(new))? else {
            self.discard_cleaned(new);
            return Ok(false);
        };
        self.segments.store(Arc::new(list));
        old.iter().for_each(|segment| segment.file_slot().lose_names());
        // From here on appends go on too: whoever deletes, cuts or closes waits for the names.
        let _names = self.leaving.lock();
        drop(writer);
        self.or_fail(self.take_place(old, new, config))?;
        new.file_slot().take_names();
        Ok(true)
    }

    fn take_place(&self, old: &[Arc<Segment>], new: &Segment, config: &LogConfig) -> Result<()> {
        let due_ms = self.clock.monotonic_ms().saturating_add(config.file_delete_delay_ms);
        for segment in old {
            // The producers at the beginning of the new segment are those that they were.
            let goes = |suffix: &&str| *suffix != SNAPSHOT || segment.base_offset() != new.base_offset();
            for suffix in SEGMENT_SUFFIXES.into_iter().filter(goes) {
                if let Some(path) = self.rename(segment, suffix, "", DELETED)? {
                    self.deleted_files.lock().push((path, due_ms));
                }
            }
        }
        self.sync_swap()?;
        for suffix in INDEX_SUFFIXES.into_iter().chain([LOG]) {
            self.rename(new, suffix, SWAP, "")?;
        }
        self.home.sync_dir()
    }

    /// Makes names durable between two steps.
    fn sync_swap(&self) -> Result<()> {
        if self.syncs_swaps { self.home.sync_dir() } else { Ok(()) }
    }

    /// Gives a file of a segment another second suffix, if there is such a file. Returns its new path.
    fn rename(&self, segment: &Segment, suffix: &str, from: &str, to: &str) -> Result<Option<PathBuf>> {
        let path = |second: &str| segment.path(&format!("{suffix}{second}"));
        match self.home.storage.rename(&path(from), &path(to)) {
            Ok(()) => Ok(Some(path(to))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("rename", path(from), error)),
        }
    }

    /// Removes what an earlier pass may have left: an open would take it for a sign that this segment is not complete.
    fn remove_leftovers(&self, new: &Segment) -> Result<()> {
        let dir = &self.home.dir;
        let entries = self.home.storage.list(dir).map_err(|error| Error::io("list", dir, error))?;
        let own: Vec<_> = CleanedSegment::paths(new).collect();
        for entry in entries.iter().filter(|entry| entry.name.ends_with(CLEANED) || entry.name.ends_with(SWAP)) {
            let path = dir.join(&entry.name);
            if !own.contains(&path) {
                self.home.storage.remove_file(&path).map_err(|error| Error::io("remove", path, error))?;
            }
        }
        Ok(())
    }

    /// Removes what is left of a compacted segment that did not take its place. What can't be removed the next open
    /// removes.
    pub(super) fn discard_cleaned(&self, segment: &Segment) {
        for path in CleanedSegment::paths(segment) {
            let _ = self.home.storage.remove_file(&path);
        }
        let swap = [LOG].into_iter().chain(INDEX_SUFFIXES).map(|suffix| segment.path(&format!("{suffix}{SWAP}")));
        swap.for_each(|path| drop(self.home.storage.remove_file(&path)));
    }
}
