//! Letting go of old segments, and of their files a while later.

use std::sync::Arc;

use super::file_name::{DELETED, SEGMENT_SUFFIXES};
use super::segment::SegmentList;
use super::validator::Now;
use super::{Log, LogInner, State, Writer};
use crate::config::LogConfig;
use crate::error::{Error, Result};
use crate::sync::atomic::Ordering;
use crate::types::Offset;

impl Log {
    /// Deletes the oldest segments that `retention.ms` or `retention.bytes` no longer keeps, where `cleanup.policy` has
    /// `delete`, and those below the log start. Returns how many.
    ///
    /// Their files are renamed now, and removed by [`remove_deleted_files`](Self::remove_deleted_files) once
    /// `file.delete.delay.ms` has passed. Slices that readers still have stay valid.
    pub(crate) fn delete_old_segments(&self, now_ms: i64) -> Result<usize> {
        let log = &*self.inner;
        let config = &log.config();
        // What an earlier call could not finish comes first.
        log.rename_leaving(config)?;
        let (count, failure) = log.let_go_of_old(config, now_ms)?;
        log.rename_leaving(config)?;
        failure.map_or(Ok(count), Err)
    }

    /// Closes the active segment of a compacted log if its first record is older than `max.compaction.lag.ms`, so that
    /// it can be compacted. Kafka leaves that to the next append, for which an idle partition may wait for ever.
    pub(crate) fn roll_overdue(&self, now_ms: i64) -> Result<()> {
        let log = &*self.inner;
        let config = &log.config();
        let is_bounded = config.cleanup_policy.compact && config.max_compaction_lag_ms < i64::MAX;
        if !is_bounded || log.segments.load().active().end().size == 0 {
            return Ok(());
        }
        let mut writer = log.writer.lock();
        log.check_open()?;
        let Writer { active, producers, .. } = &mut *writer;
        if active.as_ref().is_some_and(|active| !active.is_overdue(now_ms, config)) {
            return Ok(());
        }
        let active = log.activate(active, config, &Now::new(&*log.clock, &log.clock_last_read))?;
        if active.is_overdue(now_ms, config) {
            log.roll(active, producers, log.log_end(), config, now_ms)?;
        }
        Ok(())
    }

    /// Removes the files of deleted segments whose delay has passed. One that can't be removed keeps no other, and is
    /// left to the next call.
    pub(crate) fn remove_deleted_files(&self, monotonic_ms: i64) -> Result<()> {
        let mut failure = None;
        self.inner.deleted_files.lock().retain(|(path, due_ms)| {
            if *due_ms > monotonic_ms {
                return true;
            }
            match self.inner.home.storage.remove_file(path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    failure.get_or_insert_with(|| Error::io("remove", path, error));
                    true
                }
                _ => false,
            }
        });
        failure.map_or(Ok(()), Err)
    }
}

impl LogInner {
    /// Lets go of the segments that nothing keeps, in the writer's turn: appends wait for no more than that. Returns
    /// how many, and what keeps others.
    fn let_go_of_old(&self, config: &LogConfig, now_ms: i64) -> Result<(usize, Option<Error>)> {
        let mut writer = self.writer.lock();
        if self.state() != State::Open {
            return Ok((0, None));
        }
        let mut segments = self.segments.load_full();
        let (by_time, mut failure) = self.past_time(&segments, config, now_ms);
        let mut count = self.past_log_start(&segments).max(self.past_size(&segments, config)).max(by_time);
        if count == segments.len() {
            match self.roll_away(&mut writer, config, now_ms) {
                Ok(rolled) => segments = rolled,
                // The active one stays, and keeps no other: a full disk is when they should go.
                Err(error) => (count, failure) = (count - 1, Some(error)),
            }
        }
        if count > 0 {
            let left = segments.without_first(count);
            // Readers are told first: an offset is out of range before its file is gone.
            self.raise_log_start(left.first().base_offset());
            self.segments.store(Arc::new(left));
            self.leaving.lock().extend(segments.iter().take(count).cloned());
        }
        Ok((count, failure))
    }

    /// How many segments lie wholly below the log start: their records were deleted on demand, or an earlier deletion
    /// was not finished.
    fn past_log_start(&self, segments: &SegmentList) -> usize {
        let log_start = self.log_start.load(Ordering::Acquire);
        segments.iter().skip(1).take_while(|next| next.base_offset() <= log_start).count()
    }

    /// How many segments can go so that the log still holds `retention.bytes`.
    fn past_size(&self, segments: &SegmentList, config: &LogConfig) -> usize {
        let Ok(limit) = u64::try_from(config.retention_bytes) else { return 0 };
        if !config.cleanup_policy.delete {
            return 0;
        }
        let total: u64 = segments.iter().map(|segment| segment.end().size).sum();
        let Some(mut excess) = total.checked_sub(limit) else { return 0 };
        let fits = segments.iter().take_while(|segment| {
            let size = segment.end().size;
            let goes = !segments.is_empty_active(segment) && excess >= size;
            excess = excess.saturating_sub(size);
            goes
        });
        fits.count()
    }

    /// How many segments have no record that is young enough for `retention.ms`, and what was wrong with the next one
    /// if it can't be read: it must not keep those before it, or the disk fills up.
    fn past_time(&self, segments: &SegmentList, config: &LogConfig, now_ms: i64) -> (usize, Option<Error>) {
        if config.retention_ms < 0 || !config.cleanup_policy.delete {
            return (0, None);
        }
        let mut failure = None;
        let expired = segments.iter().take_while(|segment| {
            !segments.is_empty_active(segment)
                && match segment.last_modified_ms() {
                    Ok(modified_ms) => now_ms - modified_ms > config.retention_ms,
                    Err(error) => {
                        failure = Some(error);
                        false
                    }
                }
        });
        (expired.count(), failure)
    }

    /// The active segment goes too: begins a new one first, so that the log keeps its end.
    fn roll_away(&self, writer: &mut Writer, config: &LogConfig, now_ms: i64) -> Result<Arc<SegmentList>> {
        let base_offset = self.log_end();
        let Writer { active, producers, .. } = writer;
        let active = self.activate(active, config, &Now::new(&*self.clock, &self.clock_last_read))?;
        self.roll(active, producers, base_offset, config, now_ms)?;
        Ok(self.segments.load_full())
    }

    /// Renames the files of the segments that were let go of, one after the other on the device too: first the names of
    /// those that stay are made durable, and then each deletion before the next begins. So whatever the loss of power
    /// leaves of this, the log ends where it did and has no hole, which recovery would take for the log's end.
    ///
    /// Takes syncs, for which nobody who appends should wait.
    pub(super) fn rename_leaving(&self, config: &LogConfig) -> Result<()> {
        let due_ms = self.clock.monotonic_ms().saturating_add(config.file_delete_delay_ms);
        let mut leaving = self.leaving.lock();
        // The names of a log that was closed or deleted may be another's.
        if self.state() != State::Open {
            return Ok(());
        }
        while let Some(segment) = leaving.front() {
            self.home.sync_dir()?;
            segment.file_slot().lose_names();
            for suffix in SEGMENT_SUFFIXES {
                let from = segment.path(suffix);
                let mut to = from.clone().into_os_string();
                to.push(DELETED);
                match self.home.storage.rename(&from, to.as_ref()) {
                    Ok(()) => self.deleted_files.lock().push((to.into(), due_ms)),
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                    Err(error) => return Err(Error::io("rename", from, error)),
                }
            }
            leaving.pop_front();
        }
        Ok(())
    }

    pub(super) fn raise_log_start(&self, offset: Offset) {
        let before = self.log_start.fetch_max(offset, Ordering::AcqRel);
        assert!(before.max(offset) <= self.log_end(), "log start ≤ log end");
        self.epochs.truncate_from_start(before.max(offset));
        // A transaction that was open may have gone, and so what kept what is behind it from being stable.
        self.wake_readers(self.log_end());
    }
}
