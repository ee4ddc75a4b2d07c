//! Cutting off the end of a log: what a follower does with records that its leader never had.
//!
//! ```text
//!   1  the records of the last segment that stay are copied to a file beside it     nothing has changed yet
//!   2  the recovery point comes down in the store's checkpoint                       or a crash would miss what goes
//!   3  a list of segments that ends earlier is published                             readers see the old log or the new
//!   4  the files of the others go, from the last one back, each for good before      a crash leaves the log up to
//!      the next; then the copy takes the place of its original                       some later end, without a hole
//! ```
//!
//! Slices that were handed out stay valid: files are unlinked or replaced, and never cut while somebody may have them
//! mapped. A reader that came before the third step reads on in the files that it has open; one that would have to
//! open them now begins again, with the new list.

use std::sync::Arc;

use super::active::ActiveSegment;
use super::file_name::{
    INDEX_SUFFIXES, LOG, OFFSET_INDEX, OFFSET_MAX, TIME_INDEX, TRANSACTION_INDEX, parse_base_offset,
};
use super::index::Entry;
use super::index::transaction::TransactionEntry;
use super::producer_state::{ProducerStates, snapshot};
use super::rebuild::rebuild_indexes;
use super::scan::resync;
use super::segment::{Segment, SegmentEnd, SegmentList};
use super::{Log, LogInner, Writer, rewrite};
use crate::error::{Error, Result};
use crate::sync::atomic::Ordering;
use crate::types::Offset;

/// Where a log is to be cut.
struct CutAt {
    /// The segment that becomes the last one.
    index: usize,
    /// How much of it stays.
    end: SegmentEnd,
}

impl Log {
    /// How often the log has been truncated: whoever keeps what its records add up to begins anew when this changes.
    pub(crate) fn generation(&self) -> u64 {
        self.inner.commit.generation()
    }

    /// Changes whenever a part of the log is gone that was there before.
    pub(crate) fn extent(&self) -> (Offset, u64) {
        (self.log_start(), self.generation())
    }

    /// Takes everything from `offset` on off the log, and returns its end: `offset`, or less where that lies within a
    /// batch, for only whole batches are cut. Nothing happens if the log ends there or before.
    ///
    /// On return that survives the loss of power; a crash in the meantime leaves everything below the offset, and more
    /// or less of what follows, without a hole. Appends go on at the new end, where the current leader epoch begins
    /// anew if all of its records are gone. An append of `acks=all` that was still waiting for a record that is gone
    /// fails with [`Error::LogTruncated`]. Slices that were handed out stay as they are, and reads above the new end
    /// are out of range. The log start does not move, unless all records go from before it: then the log starts at
    /// `offset`, without records.
    ///
    /// Meant for replication, where a new leader's log decides ([`end_offset_for_epoch`](Log::end_offset_for_epoch)
    /// tells how far two copies agree, KIP-101). Kafka keeps `offset` as the end where it lies within a batch, until
    /// the next start.
    ///
    /// # Errors
    /// [`Error::OffsetOutOfRange`] for a negative offset. [`Error::StorageFull`], [`Error::Io`] and [`Error::Closed`]
    /// leave the log as it was: the records that stay of a segment take their space once more until they are in place.
    /// [`Error::LogOffline`] if the cut was made and files could not be removed: open the store again, which may find
    /// some of the records back.
    pub fn truncate_to(&self, offset: Offset) -> Result<Offset> {
        let log = &*self.inner;
        let mut writer = log.writer.lock();
        log.begin_truncation(&writer, offset)?;
        let segments = log.segments.load_full();
        if offset < log.log_end() {
            let log_start = self.log_start();
            let cut = if offset > log_start { Some(find_cut(&segments, offset)?) } else { None };
            match cut.filter(|cut| cut.end.next_offset > log_start) {
                Some(cut) => log.cut(&mut writer, &segments, &cut)?,
                None => log.start_anew(&mut writer, &segments, offset.min(log_start))?,
            }
        }
        Ok(log.log_end())
    }

    /// Takes all records off the log, which starts and ends at `offset` then: what a follower does that fell behind its
    /// leader's log start. Otherwise as [`truncate_to`](Self::truncate_to).
    ///
    /// A crash in the meantime may also leave the log without records where it started before.
    ///
    /// # Errors
    /// As [`truncate_to`](Self::truncate_to).
    pub fn truncate_fully_and_start_at(&self, offset: Offset) -> Result<()> {
        let log = &*self.inner;
        let mut writer = log.writer.lock();
        log.begin_truncation(&writer, offset)?;
        log.start_anew(&mut writer, &log.segments.load_full(), offset)
    }

    /// The lowest offset that the log was cut to since somebody asked last: what was known of the records from there on
    /// holds no more.
    pub(crate) fn take_lowest_cut(&self) -> Offset {
        self.inner.lowest_cut.swap(Offset::MAX, Ordering::AcqRel)
    }
}

impl LogInner {
    fn begin_truncation(&self, writer: &Writer, offset: Offset) -> Result<()> {
        self.check_open()?;
        if !(0..=OFFSET_MAX).contains(&offset) {
            return Err(self.out_of_range(offset));
        }
        // What retention could not finish: its segments are in no list any more.
        self.rename_leaving(&self.config())?;
        if writer.active.as_ref().is_some_and(ActiveSegment::is_abandoned) { self.remove_unlisted() } else { Ok(()) }
    }

    /// Removes the files of segments behind the active one: those that a roll has left that failed. Once the log has
    /// gone beyond them by another way, the next open would take it for ending there.
    fn remove_unlisted(&self) -> Result<()> {
        let (storage, dir) = (&self.home.storage, &self.home.dir);
        let active = self.segments.load().active().base_offset();
        for entry in storage.list(dir).map_err(|error| Error::io("list", dir, error))? {
            let is_unlisted = |suffix| parse_base_offset(&entry.name, suffix).is_some_and(|base| base > active);
            if INDEX_SUFFIXES.into_iter().chain([LOG]).any(is_unlisted) {
                let path = dir.join(&entry.name);
                storage.remove_file(&path).map_err(|error| Error::io("remove", path, error))?;
            }
        }
        self.home.sync_dir()
    }

    fn cut(&self, writer: &mut Writer, segments: &SegmentList, cut: &CutAt) -> Result<()> {
        let gone = segments.starting_at(cut.index);
        let segment = &gone[0];
        let log = segment.path(LOG);
        let is_inside = cut.end.size < segment.end().size;
        let last = if cut.end == segment.end() { segment.clone() } else { Arc::new(segment.up_to(cut.end)) };
        let kept = segments.ending_with(cut.index, last.clone());
        // Snapshots beyond the new end go. Should the cut fail, a close has to write one again.
        writer.producers.last_snapshot = None;
        let producers = self.producers_of(&kept)?;
        if is_inside {
            rewrite::copy(&self.home, &log, cut.end.size)?;
        }
        let _alone = self.commit.exclude_syncing();
        self.lower_recovery_point(cut.end.next_offset).inspect_err(|_| rewrite::drop_copy(&self.home, &log))?;
        self.end_with(writer, kept, producers);
        gone[usize::from(!is_inside)..].iter().for_each(|segment| segment.file_slot().lose_names());
        let removed = self.remove_from_end(&gone[1..]).and_then(|()| match is_inside {
            true => self.shorten(&last),
            false => Ok(()),
        });
        removed.map_err(|error| self.end_in_failure(error))
    }

    /// Puts the copy of what stays of a segment in its place.
    fn shorten(&self, segment: &Segment) -> Result<()> {
        rewrite::replace_by_copy(&self.home, &segment.path(LOG))?;
        for suffix in [OFFSET_INDEX, TIME_INDEX] {
            self.remove(segment, suffix)?;
        }
        self.shorten_transaction_index(segment)?;
        segment.close_files();
        // Without its indexes a segment is only slower to search.
        if let Ok(largest) = rebuild_indexes(segment, &self.config(), |_| {}) {
            segment.set_largest_timestamp(largest);
        }
        segment.close_files();
        self.note_names();
        Ok(())
    }

    /// Takes out of the transaction index what ended beyond the segment's end, and the zeros behind its entries if
    /// space is reserved there: a transaction ends behind its first record.
    fn shorten_transaction_index(&self, segment: &Segment) -> Result<()> {
        let path = segment.path(TRANSACTION_INDEX);
        let bytes = match self.home.storage.read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            read => read.map_err(|error| Error::io("read", &path, error))?,
        };
        let stays = |entry: &&[u8]| {
            let aborted = TransactionEntry::decode(entry).aborted;
            aborted.first_offset < aborted.last_offset && aborted.last_offset < segment.end().next_offset
        };
        let kept = bytes.chunks_exact(TransactionEntry::BYTES).filter(stays).collect::<Vec<_>>().concat();
        let replaced = crate::io::replace_file(&*self.home.storage, &path, &kept);
        replaced.map_err(|error| Error::io("write", path, error))
    }

    /// Lets go of everything, and goes on at `offset`.
    fn start_anew(&self, writer: &mut Writer, segments: &SegmentList, offset: Offset) -> Result<()> {
        let _alone = self.commit.exclude_syncing();
        let log_start = self.log_start.load(Ordering::Acquire);
        self.lower_recovery_point(offset.min(segments.first().base_offset()))?;
        self.end_with(writer, self.nothing_at(log_start), ProducerStates::default());
        segments.iter().for_each(|segment| segment.file_slot().lose_names());
        let removed = snapshot::remove_all(&self.home).and_then(|()| self.remove_from_end(segments.starting_at(0)));
        // Only where nothing is left may another start be written down: what is below it would be taken for deleted.
        let moved = removed.and_then(|()| self.move_to(writer, offset, log_start));
        moved.map_err(|error| self.end_in_failure(error))
    }

    /// The log has no records: it starts and ends at `offset` instead of at `before`.
    fn move_to(&self, writer: &mut Writer, offset: Offset, before: Offset) -> Result<()> {
        if offset < before {
            self.log_start.store(offset, Ordering::Release);
            self.end_with(writer, self.nothing_at(offset), ProducerStates::default());
        } else {
            self.end_with(writer, self.nothing_at(offset), ProducerStates::default());
            self.log_start.store(offset, Ordering::Release);
        }
        self.epochs.truncate_from_start(offset);
        self.write_checkpoints()
    }

    /// A list of one segment that has no files yet.
    fn nothing_at(&self, offset: Offset) -> SegmentList {
        let end = SegmentEnd { next_offset: offset, size: 0 };
        SegmentList::new(vec![Arc::new(Segment::new(self.home.clone(), offset, end, true, self.clock.now_ms()))])
    }

    /// Below its recovery point a log is taken for whole, so that comes down before anything goes; and so does up to
    /// where it is compacted, for what comes in the place of the records is not.
    fn lower_recovery_point(&self, offset: Offset) -> Result<()> {
        self.recovery_point.fetch_min(offset, Ordering::AcqRel);
        self.lowest_cut.fetch_min(offset, Ordering::AcqRel);
        if let Some(checkpoints) = &self.checkpoints {
            checkpoints.lower_first_dirty(self.topic_partition(), offset)?;
        }
        self.write_checkpoints()
    }

    /// Publishes a list of segments that ends earlier, or elsewhere. The one place where everything else that is known
    /// of the records from the new end on is forgotten, and everybody who waits for them is told. Syncs are excluded.
    fn end_with(&self, writer: &mut Writer, segments: SegmentList, producers: ProducerStates) {
        (writer.active, writer.producers) = (None, producers);
        self.recent.store(Offset::MAX, Ordering::Release);
        // A transaction whose marker goes is open again before readers see that.
        let first_unstable = writer.producers.first_unstable_offset().unwrap_or(Offset::MAX);
        self.first_unstable.fetch_min(first_unstable, Ordering::AcqRel);
        self.segments.store(Arc::new(segments));
        self.publish_first_unstable(&writer.producers);
        let log_end = self.log_end();
        assert!(self.recovery_point.load(Ordering::Acquire) <= log_end, "recovery point ≤ log end");
        self.epochs.truncate_from_end(log_end, self.leader_epoch.load(Ordering::Relaxed));
        // After the list was published: who sees the new generation must see it too.
        let topic_partition = self.topic_partition().clone();
        self.commit.truncate(log_end, Error::LogTruncated { topic_partition, log_end });
        self.wake_all_readers();
    }

    /// Removes the files of segments from the last one back, one after the other on the device too: so whatever the
    /// loss of power leaves of this, the log has no hole.
    fn remove_from_end(&self, segments: &[Arc<Segment>]) -> Result<()> {
        for segment in segments.iter().rev() {
            for suffix in INDEX_SUFFIXES.into_iter().chain([LOG]) {
                self.remove(segment, suffix)?;
            }
            self.home.sync_dir()?;
        }
        Ok(())
    }

    fn remove(&self, segment: &Segment, suffix: &str) -> Result<()> {
        let path = segment.path(suffix);
        match self.home.storage.remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", path, error)),
            _ => Ok(()),
        }
    }

    /// Files and what readers see have come apart: nothing may be appended until an open has looked at the files.
    fn end_in_failure(&self, error: Error) -> Error {
        self.commit.fail(error.clone());
        self.offline(error)
    }
}

/// Where to cut so that everything below `offset` stays that is in whole batches.
fn find_cut(segments: &SegmentList, offset: Offset) -> Result<CutAt> {
    let index = segments.index_of(offset);
    let segment = &segments.starting_at(index)[0];
    if segment.end().size == 0 {
        // Compaction may have left it empty: it ends where its last batch does, and it has none.
        let is_beyond = segment.end().next_offset > offset;
        let next_offset = if is_beyond { segment.base_offset() } else { segment.end().next_offset };
        return Ok(CutAt { index, end: SegmentEnd { next_offset, size: 0 } });
    }
    let mut scan = segment.scan_to(offset)?;
    loop {
        let (size, next_offset) = (scan.position(), scan.expected());
        match scan.next() {
            Some(Ok(batch)) if batch.header.last_offset() < offset => {}
            Some(Ok(_)) | None => return Ok(CutAt { index, end: SegmentEnd { next_offset, size } }),
            // What is damaged below the offset stays, and what holds it is as one batch.
            Some(Err(Error::CorruptRecord { .. })) => match resync(segment, size, segment.end(), next_offset)? {
                Some((position, base_offset)) if base_offset <= offset => scan.resume(position, base_offset),
                _ => return Ok(CutAt { index, end: SegmentEnd { next_offset, size } }),
            },
            Some(Err(error)) => return Err(error),
        }
    }
}
