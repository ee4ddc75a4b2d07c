//! Letting go of files that can be spared, for [`OpenFiles`](super::open_files::OpenFiles), and opening those of the
//! active segment again.
//!
//! Whoever asks to let go is in need of a file itself, and may hold the writer's lock of any log, or lead its group
//! commit: so nothing here waits for either.
//!
//! What has not been synced is synced first: a device that fails to write a page tells those who have the file open
//! then, and whoever opens it later might take the next sync for proof. So a segment that was let go of is as one that
//! was closed properly, and the recovery point has passed it.

use super::active::ActiveSegment;
use super::flush::Lead;
use super::open_files::Spare;
use super::segment::{Segment, SegmentFiles, SegmentList};
use super::segment_files::FileSlot;
use super::{LogInner, State};
use crate::config::{LogConfig, SyncPolicy};
use crate::error::Result;
use crate::sync::atomic::Ordering;
use crate::types::Offset;

impl LogInner {
    /// Lets go of the files in `slot`. False if they can't be spared now.
    #[cold]
    pub(super) fn let_go(&self, slot: &FileSlot, spare: Spare) -> bool {
        // Somebody appends, rolls, cuts or closes.
        let Some(mut writer) = self.writer.try_lock() else { return false };
        let segments = self.segments.load();
        if !is_active(&segments, slot) {
            return self.let_go_of_closed(&segments, slot, spare);
        }
        let is_spare = match &mut writer.active {
            Some(active) => active.is_at_rest() || self.rest(active, spare),
            // It has only been read.
            None => true,
        };
        // Where nothing was appended there is nothing to go on behind: it is opened anew, as one that is abandoned it
        // would be followed by itself.
        writer.active.take_if(|active| active.is_abandoned() && active.segment().end().size == 0);
        is_spare && slot.try_close(|| true)
    }

    /// The same for whoever has the writer's lock, and needs the active segment.
    #[cold]
    pub(super) fn let_go_but_active(&self, slot: &FileSlot, spare: Spare) -> bool {
        let segments = self.segments.load();
        !is_active(&segments, slot) && self.let_go_of_closed(&segments, slot, spare)
    }

    fn let_go_of_closed(&self, segments: &SegmentList, slot: &FileSlot, spare: Spare) -> bool {
        self.can_do_without(segments, slot, spare) && slot.try_close(|| true)
    }

    /// Whether a segment that is not appended to has been synced, or never will be.
    fn can_do_without(&self, segments: &SegmentList, slot: &FileSlot, spare: Spare) -> bool {
        let is_in_log = segments.iter().any(|segment| std::ptr::eq(&**segment.file_slot(), slot));
        if !is_in_log || self.state() != State::Open || self.commit.failure().is_some() {
            return true;
        }
        spare == Spare::Any && self.flush_closed().is_ok() && slot.is_flushed()
    }

    /// Trims and syncs the active segment, and closes its files, unless it was appended to since somebody asked last.
    fn rest(&self, active: &mut ActiveSegment, spare: Spare) -> bool {
        if active.take_appended() || self.check_open().is_err() {
            return false;
        }
        let syncs = self.sync == SyncPolicy::Always;
        let has_changed = !active.is_as_it_rested();
        if syncs && has_changed {
            // Whoever leads a sync needs the files.
            let lead = if spare == Spare::Any { Lead::take(&self.commit) } else { None };
            let Some(lead) = lead else { return false };
            if !active.seal_for_good() || lead.sync(|| self.or_fail(self.sync_with(Segment::sync_all))).is_err() {
                return false;
            }
        } else if !active.seal_for_good() {
            return false;
        }
        active.segment().set_flushed(syncs);
        active.rest();
        self.recent.store(Offset::MAX, Ordering::Release);
        true
    }

    /// Opens the active segment for appending, for the first time or again.
    #[cold]
    pub(super) fn open_active(
        &self,
        active: &mut Option<ActiveSegment>,
        config: &LogConfig,
        now_ms: i64,
    ) -> Result<()> {
        self.home.open_files.with_room(SegmentFiles::USUAL_COUNT, Some(self), || match &mut *active {
            Some(active) => active.resume(config),
            None => {
                self.epochs.ensure(&self.home, self.leader_epoch.load(Ordering::Relaxed), self.log_end())?;
                *active = Some(ActiveSegment::open(self.segments.load().active(), config, now_ms)?);
                self.note_names();
                Ok(())
            }
        })?;
        if let Some(active) = active {
            self.set_recent(self.log_end(), active);
        }
        Ok(())
    }
}

fn is_active(segments: &SegmentList, slot: &FileSlot) -> bool {
    std::ptr::eq(&**segments.active().file_slot(), slot)
}
