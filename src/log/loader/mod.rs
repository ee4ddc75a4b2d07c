//! Opening a partition: what is there, and after a crash, what of it can be kept.
//!
//! After a clean shutdown the files are taken as they are; only the end of the last segment is looked at. After a
//! crash everything from the recovery point on is checked, batch by batch:
//!
//! ```text
//!   below the recovery point   it was on the device: whatever is wrong now is damage. It stays where it is, is
//!                              reported, and readers get an error for exactly the offsets in it
//!   from there on              it may never have reached the device: at the first batch that is not whole the log is
//!                              cut. Zeros are space that was reserved; anything else is moved aside to a `.cut` file
//! ```
//!
//! Indexes of the segments that are checked are written anew. Nothing that recovery can't read is deleted.

mod aside;

use std::ops::RangeInclusive;
use std::sync::Arc;

pub(super) use aside::{PAGE_BYTES, content_end};

use super::failed_sync;
use super::file_name::{
    self, DELETED, LEADER_EPOCH_CHECKPOINT, LOG, OFFSET_INDEX, SNAPSHOT, SYNC_FAILED, TEMPORARY, TIME_INDEX,
    TRANSACTION_INDEX, parse_base_offset,
};
use super::follow::Follower;
use super::index::Entry;
use super::index::offset::OffsetEntry;
use super::index::time::TimeEntry;
use super::index::transaction;
use super::leader_epoch::{EpochEntry, Epochs, LeaderEpochCache};
use super::partition_recovery::{Cut, Damage, PartitionRecovery};
use super::producer_state::ProducerStates;
use super::producer_state::reload::Reload;
use super::rebuild::rebuild_indexes;
use super::scan::{BatchScan, ScannedBatch, resync};
use super::segment::{Home, Segment, SegmentEnd, SegmentList};
use super::unfinished_swap;
use crate::config::LogConfig;
use crate::error::{Corruption, Error, Result};
use crate::io::DirEntry;
use crate::record::BatchRef;
use crate::types::Offset;

/// A partition's files, found and made good.
#[derive(Debug)]
pub(crate) struct LogLoad {
    pub(super) home: Arc<Home>,
    pub(super) segments: SegmentList,
    pub(super) log_start: Offset,
    pub(super) epochs: LeaderEpochCache,
    pub(super) recovery_point: Offset,
    pub(super) producers: ProducerStates,
    pub(crate) report: PartitionRecovery,
    /// There if the log is opened read-only.
    pub(super) follower: Option<Follower>,
}

/// How a partition was left, as the store's checkpoints tell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LastKnown {
    /// The store was closed properly.
    pub(crate) clean: bool,
    pub(crate) recovery_point: Offset,
    pub(crate) log_start: Offset,
    /// What lies below was compacted: gaps are no loss there.
    pub(crate) first_dirty: Offset,
    /// False only where a test plants that bug.
    pub(crate) checks_crc: bool,
    /// Likewise.
    pub(crate) replays_producers: bool,
}

/// Opens the partition at `home`.
pub(crate) fn load(home: Home, config: &LogConfig, known: LastKnown) -> Result<LogLoad> {
    let report = PartitionRecovery::nothing(home.topic_partition.clone(), 0);
    let epochs = Epochs::default();
    let mut loader =
        Loader { home: Arc::new(home), config, known, report, epochs, names_changed: false, ends_in_damage: false };
    let is_lost = loader.read_epochs()?;
    let read = loader.epochs.clone();
    let segments = loader.load()?;
    let end = segments.active().end().next_offset;
    loader.report.log_end = end;
    let rebuilt = &loader.report.indexes_rebuilt;
    let (clean, replays) = (known.clean, known.replays_producers);
    let reloaded = Reload { home: &loader.home, segments: &segments, rebuilt, clean, replays }.run()?;
    loader.names_changed |= reloaded.names_changed;
    let ignored = reloaded.damaged.iter().map(|offset| file_name::segment_file(*offset, SNAPSHOT));
    loader.report.snapshots_ignored = ignored.collect();
    // After a crash all names are in doubt: those of files that were just created before it too.
    if loader.names_changed || !known.clean {
        loader.home.sync_dir()?;
    }
    let log_start = known.log_start.clamp(segments.first().base_offset(), end);
    let epochs = loader.finish_epochs(&segments, is_lost, &read, log_start)?;
    Ok(LogLoad {
        log_start,
        epochs,
        recovery_point: if known.clean { end } else { known.recovery_point.min(end) },
        segments,
        producers: reloaded.states,
        report: loader.report,
        home: loader.home,
        follower: None,
    })
}

struct Loader<'a> {
    home: Arc<Home>,
    config: &'a LogConfig,
    known: LastKnown,
    report: PartitionRecovery,
    epochs: Epochs,
    names_changed: bool,
    /// The segment that was gone through last ends in damage.
    ends_in_damage: bool,
}

impl Loader<'_> {
    fn load(&mut self) -> Result<SegmentList> {
        let mut entries = self.list()?;
        self.finish_deletions(&entries)?;
        if unfinished_swap::finish(&self.home, &entries)? {
            self.names_changed = true;
            entries = self.list()?;
        }
        let logs: Vec<(Offset, &DirEntry)> =
            entries.iter().filter_map(|entry| Some((parse_base_offset(&entry.name, LOG)?, entry))).collect();
        if entries.iter().any(|entry| entry.name == SYNC_FAILED) {
            self.repeat_sync(&logs)?;
        }
        let mut segments: Vec<Arc<Segment>> = Vec::with_capacity(logs.len().max(1));
        for (index, (base_offset, log)) in logs.iter().enumerate() {
            let next_base = logs.get(index + 1).map(|(next, _)| *next);
            self.ends_in_damage = false;
            let has_indexes = has_sane_indexes(*base_offset, &entries)
                && self.has_sane_transactions(*base_offset, next_base, &entries)?;
            let segment = match (self.must_check(next_base), has_indexes, next_base) {
                (false, true, Some(next_base)) => self.take_sealed(*base_offset, log, next_base)?,
                (false, true, None) => match self.take_last(*base_offset, log)? {
                    Some(segment) => segment,
                    None => self.check(*base_offset, log, next_base)?,
                },
                _ => self.check(*base_offset, log, next_base)?,
            };
            let end = segment.end();
            segments.push(Arc::new(segment));
            // In a log that is not compacted each segment begins where the one before it ends.
            if let Some(next_base) = next_base
                && end.next_offset < next_base.min(self.known.recovery_point)
                && !self.config.cleanup_policy.compact
            {
                let missing = end.next_offset.max(self.known.log_start).max(self.known.first_dirty)
                    ..=next_base.min(self.known.recovery_point) - 1;
                self.report_missing(*base_offset, end.size, missing);
            }
            // After a crash a gap from the recovery point on means that what filled it never reached the device; so
            // what follows can't be trusted to be what was appended there. Below the log start there is nothing to
            // fill: a deleted segment that came back may have any end.
            if let Some(next_base) = next_base
                && !self.known.clean
                && end.next_offset >= self.known.recovery_point
                && next_base > self.known.log_start.max(self.known.first_dirty)
                && end.next_offset != next_base
            {
                for (base_offset, log) in &logs[index + 1..] {
                    self.set_aside_segment(*base_offset, log, end.next_offset)?;
                }
                break;
            }
        }
        if self.ends_in_damage {
            // What is appended next must not run into it.
            let start = segments.last().map_or(0, |last| last.end().next_offset);
            segments.push(self.empty_segment(start));
        }
        self.end_at_recovery_point(&mut segments);
        Ok(SegmentList::new(segments))
    }

    fn list(&self) -> Result<Vec<DirEntry>> {
        let dir = &self.home.dir;
        let mut entries = self.home.storage.list(dir).map_err(|error| Error::io("list", dir, error))?;
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    /// A log never ends below its recovery point, or offsets that were acknowledged would be given out again: what
    /// lay there is damaged. A log without segments starts at its log start.
    fn end_at_recovery_point(&mut self, segments: &mut Vec<Arc<Segment>>) {
        let start = self.known.log_start.max(self.known.recovery_point);
        let end = segments.last().map(|last| (last.base_offset(), last.end()));
        let next_offset = end.map_or(self.known.log_start, |(_, end)| end.next_offset);
        if next_offset < start {
            let (base_offset, size) = end.map_or((next_offset, 0), |(base_offset, end)| (base_offset, end.size));
            self.report_missing(base_offset, size, next_offset.max(self.known.log_start)..=start - 1);
        }
        if end.is_none() || next_offset < start {
            segments.push(self.empty_segment(start));
        }
    }

    /// A segment at `start` that has no files yet.
    fn empty_segment(&self, start: Offset) -> Arc<Segment> {
        let end = SegmentEnd { next_offset: start, size: 0 };
        Arc::new(Segment::new(self.home.clone(), start, end, true, 0))
    }

    /// Records that were on the device are not there, and nothing is in their place.
    fn report_missing(&mut self, base_offset: Offset, position: u64, missing: RangeInclusive<Offset>) {
        if !missing.is_empty() {
            let error = Error::corrupt(0, Corruption::Missing).in_file(&self.home.path(base_offset, LOG), position);
            self.report.damage.push(Damage { error: error.with_offsets(missing) });
        }
    }

    /// Puts what a failed sync may have lost on the device: everything from the recovery point on.
    fn repeat_sync(&mut self, logs: &[(Offset, &DirEntry)]) -> Result<()> {
        for (index, (base_offset, _)) in logs.iter().enumerate() {
            if self.must_check(logs.get(index + 1).map(|(next, _)| *next)) {
                failed_sync::rewrite(&self.home, &self.home.path(*base_offset, LOG))?;
            }
        }
        failed_sync::forget(&self.home)?;
        self.names_changed = true;
        Ok(())
    }

    /// Whether a segment has to be gone through: after a crash, all that reach the recovery point. One that ends right
    /// there may have been closed after the sync, so that the last entry of its time index is missing.
    fn must_check(&self, next_base: Option<Offset>) -> bool {
        !self.known.clean && next_base.is_none_or(|next_base| next_base >= self.known.recovery_point)
    }

    /// Removes what a crash left of deletions, and what it left of files that were being written.
    fn finish_deletions(&mut self, entries: &[DirEntry]) -> Result<()> {
        let has_log = |name: &str, suffix| {
            parse_base_offset(name, suffix).is_some_and(|base| {
                let log = file_name::segment_file(base, LOG);
                entries.binary_search_by(|entry| entry.name.as_str().cmp(&log)).is_ok()
            })
        };
        for entry in entries.iter().filter(|entry| !entry.is_dir) {
            let name = entry.name.as_str();
            let is_index = |suffix| parse_base_offset(name, suffix).is_some();
            let is_orphan = (is_index(OFFSET_INDEX) && !has_log(name, OFFSET_INDEX))
                || (is_index(TIME_INDEX) && !has_log(name, TIME_INDEX))
                || (is_index(TRANSACTION_INDEX) && !has_log(name, TRANSACTION_INDEX));
            if name.ends_with(DELETED) || name.ends_with(TEMPORARY) || is_orphan {
                let path = self.home.dir.join(name);
                self.home.storage.remove_file(&path).map_err(|error| Error::io("remove", path, error))?;
                if name.ends_with(DELETED) {
                    self.report.deletions_finished.push(name.to_owned());
                }
                self.names_changed = true;
            }
        }
        Ok(())
    }

    /// Whether the transaction index of a segment, if it has one, could be its own.
    fn has_sane_transactions(
        &self,
        base_offset: Offset,
        next_base: Option<Offset>,
        entries: &[DirEntry],
    ) -> Result<bool> {
        let name = file_name::segment_file(base_offset, TRANSACTION_INDEX);
        if entries.binary_search_by(|entry| entry.name.cmp(&name)).is_err() {
            return Ok(true);
        }
        let path = self.home.dir.join(name);
        let bytes = self.home.storage.read(&path).map_err(|error| Error::io("read", path, error))?;
        Ok(transaction::is_sane(&bytes, base_offset, next_base.unwrap_or(Offset::MAX)))
    }

    /// A closed segment, taken as it is.
    fn take_sealed(&self, base_offset: Offset, log: &DirEntry, next_base: Offset) -> Result<Segment> {
        self.check_size(base_offset, log)?;
        // Compaction can leave gaps that no segment spans: the next one may begin far beyond this one's reach.
        let next_base = next_base.min(base_offset + Offset::from(u32::MAX));
        let end = SegmentEnd { next_offset: next_base, size: log.len };
        Ok(Segment::new(self.home.clone(), base_offset, end, true, log.modified_ms))
    }

    /// A file can be larger than positions reach.
    fn check_size(&self, base_offset: Offset, log: &DirEntry) -> Result<()> {
        let max = u64::from(u32::MAX);
        if log.len > max {
            let reason = Corruption::FileLength { len: log.len, max };
            return Err(Error::corrupt(0, reason).in_file(&self.home.path(base_offset, LOG), max));
        }
        Ok(())
    }

    /// The last segment after a clean shutdown: where it ends shows from its last index entry on. None if it turns
    /// out not to be clean.
    fn take_last(&self, base_offset: Offset, log: &DirEntry) -> Result<Option<Segment>> {
        let segment = self.unbounded(base_offset, log)?;
        // The next entries go behind the last one, so it must prove right.
        if !segment.confirms_last_entry()? {
            return Ok(None);
        }
        let mut scan = segment.scan_to(Offset::MAX)?;
        loop {
            let expected = scan.expected();
            match scan.next() {
                None => break,
                Some(Ok(batch)) if self.leaps(expected, &batch) => return Ok(None),
                Some(Ok(_)) => {}
                Some(Err(Error::CorruptRecord { .. })) => return Ok(None),
                Some(Err(error)) => return Err(error),
            }
        }
        let end = SegmentEnd { next_offset: scan.expected(), size: log.len };
        drop(scan);
        segment.publish(end);
        segment.close_files();
        segment.set_flushed(true);
        Ok(Some(segment))
    }

    /// Whether a batch leaves a gap behind `expected` that reaches beyond the recovery point: that was an end of the
    /// log once, so it can't be the batch that was written there.
    fn leaps(&self, expected: Offset, batch: &ScannedBatch) -> bool {
        let once_end = self.known.recovery_point;
        let base_offset = batch.header.base_offset;
        base_offset > expected.max(self.known.first_dirty - 1)
            && expected < once_end
            && batch.header.next_offset() > once_end
    }

    /// A segment of which only the file's length is known.
    fn unbounded(&self, base_offset: Offset, log: &DirEntry) -> Result<Segment> {
        self.check_size(base_offset, log)?;
        let end = SegmentEnd { next_offset: base_offset + Offset::from(u32::MAX), size: log.len };
        Ok(Segment::new(self.home.clone(), base_offset, end, false, log.modified_ms))
    }

    /// Goes through a segment batch by batch, writes its indexes anew, and cuts off what is not whole.
    fn check(&mut self, base_offset: Offset, log: &DirEntry, next_base: Option<Offset>) -> Result<Segment> {
        let segment = self.unbounded(base_offset, log)?;
        let (walked, cut) = self.walk(&segment, next_base)?;
        self.report.segments_checked += 1;
        self.report.bytes_checked += walked.size;
        segment.close_files();
        if let Some(reason) = cut {
            self.cut_tail(&segment, walked.size, reason)?;
        }
        segment.publish(walked);
        let largest = rebuild_indexes(&segment, self.config, |header| self.epochs.regain(EpochEntry::of(header)))?;
        segment.set_largest_timestamp(largest);
        segment.close_files();
        self.report.indexes_rebuilt.push(base_offset);
        self.names_changed = true;
        Ok(segment)
    }

    /// Reads the leader epochs. True if there are none, though there may be batches that carry some: a file that is
    /// malformed is moved aside.
    fn read_epochs(&mut self) -> Result<bool> {
        match Epochs::read(&self.home) {
            Ok(epochs) => self.epochs = epochs,
            Err(reason @ Error::MalformedFile { .. }) => {
                let path = self.home.dir.join(LEADER_EPOCH_CHECKPOINT);
                let storage = &self.home.storage;
                let bytes = storage.len(&path).map_err(|error| Error::io("look at", &path, error))?;
                let kept_as = self.cut_name(LEADER_EPOCH_CHECKPOINT, 0)?;
                let kept = storage.rename(&path, &self.home.dir.join(&kept_as));
                kept.map_err(|error| Error::io("rename", &path, error))?;
                self.report.cuts.push(Cut {
                    file: LEADER_EPOCH_CHECKPOINT.into(),
                    position: 0,
                    bytes,
                    kept_as,
                    reason,
                });
            }
            Err(error) => return Err(error),
        }
        Ok(self.epochs.is_empty())
    }

    /// Makes the leader epochs fit the log: no epoch begins beyond its end, but none is forgotten, for whoever was
    /// fenced stays fenced. Those that no file had are taken from the batches.
    fn finish_epochs(
        &mut self,
        segments: &SegmentList,
        is_lost: bool,
        read: &Epochs,
        log_start: Offset,
    ) -> Result<LeaderEpochCache> {
        let end = segments.active().end().next_offset;
        if is_lost {
            self.epochs = Epochs::of_batches(segments)?;
            self.report.leader_epochs_rebuilt = !self.epochs.is_empty();
        }
        if let Some(latest) = self.epochs.latest().filter(|latest| latest.start_offset > end) {
            self.epochs.truncate_from_end(end, latest.epoch);
        }
        let is_written = self.epochs == *read;
        let cache = LeaderEpochCache::new(std::mem::take(&mut self.epochs), is_written);
        if !is_written {
            cache.ensure(&self.home, cache.current(), end)?;
        }
        cache.truncate_from_start(log_start);
        Ok(cache)
    }

    /// Finds where a segment ends: how far its batches are whole. Also why it goes no further, if bytes are left.
    fn walk(&mut self, segment: &Segment, next_base: Option<Offset>) -> Result<(SegmentEnd, Option<Error>)> {
        let unbounded = segment.end();
        let recovery_point = if self.known.clean { Offset::MAX } else { self.known.recovery_point };
        let mut scan =
            BatchScan::new(segment, 0, unbounded, segment.base_offset())?.checking_crc(self.known.checks_crc);
        loop {
            let (position, expected) = (scan.position(), scan.expected());
            let found = match scan.next() {
                None => return Ok((SegmentEnd { next_offset: expected, size: position }, None)),
                Some(Ok(batch)) if self.leaps(expected, &batch) => {
                    let reason = Corruption::OffsetOrder { expected, found: batch.header.base_offset };
                    Error::corrupt(0, reason).in_file(&segment.path(LOG), position)
                }
                Some(Ok(batch)) if batch.header.last_offset() < recovery_point => continue,
                Some(Ok(batch)) => {
                    let bytes = scan.bytes(&batch)?;
                    match self.verify(&bytes) {
                        Ok(()) => continue,
                        Err(error) => error.in_file(&segment.path(LOG), position),
                    }
                }
                Some(Err(error @ Error::CorruptRecord { .. })) => error,
                Some(Err(error)) => return Err(error),
            };
            // From the recovery point on nothing was promised: this is the end. So it is after a clean shutdown, if
            // what is left is only space that was never given back.
            if expected >= recovery_point || self.is_zero(segment, position)? {
                return Ok((SegmentEnd { next_offset: expected, size: position }, Some(found)));
            }
            let resumed = resync(segment, position, unbounded, expected)?;
            let next = match resumed {
                Some((_, base_offset)) => base_offset,
                None => next_base.unwrap_or(self.known.recovery_point).max(expected + 1),
            };
            // A segment reaches no further; what lies beyond is missing, and reported as that.
            let next = next.min(unbounded.next_offset);
            self.report.damage.push(Damage { error: found.with_offsets(expected..=(next - 1).max(expected)) });
            match resumed {
                Some((position, base_offset)) => scan.resume(position, base_offset),
                None => {
                    self.ends_in_damage = true;
                    return Ok((SegmentEnd { next_offset: next, size: unbounded.size }, None));
                }
            }
        }
    }

    /// Whether a batch from beyond the recovery point is whole.
    fn verify(&self, bytes: &[u8]) -> Result<()> {
        if !self.known.checks_crc {
            return Ok(());
        }
        BatchRef::parse(bytes).map(|_| ())
    }

    /// Whether everything from `position` on is zero: space that was reserved and never written.
    fn is_zero(&self, segment: &Segment, position: u64) -> Result<bool> {
        Ok(content_end(segment, position)? == position)
    }
}

/// Whether the indexes of a segment are there and could be its own. A length of zero is fine for a small one.
fn has_sane_indexes(base_offset: Offset, entries: &[DirEntry]) -> bool {
    let has_whole_entries = |suffix, entry_bytes: usize| {
        let name = file_name::segment_file(base_offset, suffix);
        let found = entries.binary_search_by(|entry| entry.name.cmp(&name)).ok();
        found.is_some_and(|found| entries[found].len.is_multiple_of(entry_bytes as u64))
    };
    has_whole_entries(OFFSET_INDEX, OffsetEntry::BYTES) && has_whole_entries(TIME_INDEX, TimeEntry::BYTES)
}
