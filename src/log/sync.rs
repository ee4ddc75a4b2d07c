//! What a sync of a log consists of: its closed segments, the active one, the names in its directory, and who is told.
//! [`flush`] has whose turn it is.

use std::sync::Arc;

use super::flush::{self, SyncTarget};
use super::segment::{Segment, SegmentList};
use super::{LogInner, failed_sync};
use crate::config::SyncPolicy;
use crate::error::{Error, Result};
use crate::sync::atomic::Ordering;
use crate::types::Offset;

impl LogInner {
    pub(super) fn flush(&self) -> Result<()> {
        loop {
            let generation = self.commit.generation();
            match self.sync_to(SyncTarget { generation, end: self.log_end() }) {
                // There is less to sync now.
                Err(Error::LogTruncated { .. }) => {}
                synced => return synced,
            }
        }
    }

    pub(super) fn wait_synced(&self, target: SyncTarget) -> Result<()> {
        match self.sync {
            SyncPolicy::Always => self.sync_to(target),
            SyncPolicy::OsManaged => Ok(()),
        }
    }

    /// Returns once everything up to `target` is on the device. Where that takes a file that can't be opened, others
    /// are let go of for it: what it is to sync was appended, and must not be told of as if it could be tried again.
    pub(super) fn sync_to(&self, target: SyncTarget) -> Result<()> {
        let sync = || self.commit.wait(target, || self.or_fail(self.sync()));
        self.home.open_files.with_room(1, None, sync).map_err(|cause| self.offline(cause))
    }

    /// Sees to it that a sync that failed is the last one, and that the next open knows.
    pub(super) fn or_fail<T>(&self, synced: Result<T>) -> Result<T> {
        synced.inspect_err(|error| {
            if flush::is_final(error) {
                failed_sync::note(&self.home);
                self.commit.fail(error.clone());
            }
        })
    }

    /// Makes durable what has been appended by now, and returns the end of that. Called by the leader of a group
    /// commit alone.
    pub(super) fn sync(&self) -> Result<Offset> {
        self.sync_with(Segment::sync_log)
    }

    /// The same, and tells how to sync the active segment.
    pub(super) fn sync_with(&self, sync_active: impl Fn(&Segment) -> Result<()>) -> Result<Offset> {
        let segments = self.segments.load_full();
        let end = segments.active().end();
        self.sync_closed(&segments)?;
        if end.size > 0 {
            self.unless_gone(segments.active(), sync_active(segments.active()))?;
        }
        self.sync_dir()?;
        self.recovery_point.fetch_max(end.next_offset, Ordering::AcqRel);
        self.flushed_ms.store(self.clock.monotonic_ms(), Ordering::Relaxed);
        Ok(end.next_offset)
    }

    /// Syncs the segments that were closed, or recovered, and not synced since: with their indexes, so that the
    /// recovery point may pass them.
    pub(super) fn sync_closed(&self, segments: &SegmentList) -> Result<()> {
        for segment in segments.iter().take(segments.len() - 1).filter(|segment| !segment.is_flushed()) {
            self.unless_gone(segment, segment.sync_all().map(|()| segment.set_flushed(true)))?;
        }
        Ok(())
    }

    /// The failure to sync a segment is none if retention took it in the meantime, also one that was active just
    /// before.
    fn unless_gone(&self, segment: &Arc<Segment>, synced: Result<()>) -> Result<()> {
        let is_gone = || !self.segments.load().iter().any(|found| Arc::ptr_eq(found, segment));
        synced.or_else(|error| if is_gone() { Ok(()) } else { Err(error) })
    }

    /// Does the same outside of a group commit, for nobody may be waiting for one.
    pub(super) fn flush_closed(&self) -> Result<()> {
        let segments = self.segments.load_full();
        if segments.iter().take(segments.len() - 1).all(|segment| segment.is_flushed()) {
            return Ok(());
        }
        self.check_open()?;
        let _shared = self.commit.share_syncing();
        // Looked at again: a truncation may have taken some.
        let segments = self.segments.load_full();
        let synced = self.sync_closed(&segments).and_then(|()| self.sync_dir());
        self.or_fail(synced)?;
        self.recovery_point.fetch_max(segments.active().base_offset(), Ordering::AcqRel);
        Ok(())
    }

    /// Makes durable the names that were created by now. Whoever comes while somebody else is at it syncs too: that
    /// one's success is not known yet.
    pub(super) fn sync_dir(&self) -> Result<()> {
        let created = self.names_created.load(Ordering::Acquire);
        if self.names_synced.load(Ordering::Acquire) < created {
            self.home.sync_dir()?;
            self.names_synced.fetch_max(created, Ordering::AcqRel);
        }
        Ok(())
    }
}
