//! Which leader epoch began at which offset: Kafka's `LeaderEpochFileCache`, and its file `leader-epoch-checkpoint`.
//!
//! ```text
//!   0        version
//!   2        number of entries
//!   0 0      epoch 0 began at offset 0,
//!   3 41     epoch 3 at offset 41: it is the latest, and goes on to the log's end
//! ```
//!
//! Epochs and offsets both grow from line to line. An epoch that never wrote anything may be missing. The file is
//! written when an epoch begins, before a batch carries it; what else changes here is written along with that, and
//! until then a load comes to the same by itself: it drops what lies beyond the log's end and clips what begins before
//! its start. Without the file the batches tell, for each carries its epoch.

use std::path::PathBuf;

use super::file_name::LEADER_EPOCH_CHECKPOINT;
use super::segment::{Home, SegmentList};
use super::{Log, checkpoint};
use crate::error::{Error, Result};
use crate::record::BatchHeader;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::types::{LeaderEpoch, Offset};

/// Where a leader epoch begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEntry {
    /// The epoch.
    pub epoch: LeaderEpoch,
    /// The offset of its first record, or of the log's end if it has none yet.
    pub start_offset: Offset,
}

/// Where a leader epoch ends, as [`Log::end_offset_for_epoch`] answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEndOffset {
    /// The epoch that was asked for, or the largest before it that this log has.
    pub leader_epoch: LeaderEpoch,
    /// The offset after its last record.
    pub end_offset: Offset,
}

impl EpochEntry {
    /// What a batch tells of its epoch.
    pub(super) fn of(header: &BatchHeader) -> Self {
        Self { epoch: header.partition_leader_epoch, start_offset: header.base_offset }
    }
}

impl Log {
    /// The leader epochs that the log has records of, oldest first, and the current one.
    pub fn leader_epochs(&self) -> Vec<EpochEntry> {
        self.inner.epochs.state.lock().epochs.entries.clone()
    }

    /// Where a leader epoch ends in this log: the question (`OffsetsForLeaderEpoch`, KIP-101) that tells two copies of
    /// a partition how far they agree. For the latest epoch that is the log's end, for an earlier one the start of the
    /// next.
    ///
    /// If the log never had that epoch, the answer is for the largest epoch before it (KIP-279): whoever asks then
    /// looks up that epoch in its own log, and so on until both know it. None if that says nothing: the epoch is
    /// negative, or later than all that the log knows.
    ///
    /// ```
    /// # use esker::{EpochEndOffset, Store, TopicConfig};
    /// # let store = Store::temporary()?;
    /// store.create_topic("events", TopicConfig::new())?;
    /// let log = store.partition("events", 0)?;
    /// log.set_leader_epoch(5)?;
    /// let end = log.end_offset_for_epoch(5);
    /// assert_eq!(end, Some(EpochEndOffset { leader_epoch: 5, end_offset: log.log_end() }));
    /// assert_eq!(log.end_offset_for_epoch(6), None);
    /// # Ok::<(), esker::Error>(())
    /// ```
    pub fn end_offset_for_epoch(&self, epoch: LeaderEpoch) -> Option<EpochEndOffset> {
        let state = self.inner.epochs.state.lock();
        state.epochs.end_offset_for(epoch, self.log_end())
    }
}

/// The epochs and where they begin: both strictly grow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Epochs {
    entries: Vec<EpochEntry>,
}

impl Epochs {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn latest(&self) -> Option<EpochEntry> {
        self.entries.last().copied()
    }

    /// An epoch begins, unless it is the latest already. Those that are not before it in epoch and offset alike never
    /// wrote anything that is left.
    pub(super) fn assign(&mut self, entry: EpochEntry) {
        if self.latest().is_some_and(|last| last.epoch == entry.epoch && last.start_offset <= entry.start_offset) {
            return;
        }
        self.entries.retain(|known| known.epoch < entry.epoch && known.start_offset < entry.start_offset);
        self.entries.push(entry);
    }

    /// A batch that is in the log carries this epoch: it began here if no later one is known.
    pub(super) fn regain(&mut self, entry: EpochEntry) {
        if entry.epoch >= 0 && self.latest().is_none_or(|last| last.epoch < entry.epoch) {
            self.assign(entry);
        }
    }

    /// What the batches of a log tell, where no file does. Damaged ones tell nothing.
    pub(super) fn of_batches(segments: &SegmentList) -> Result<Self> {
        let mut epochs = Self::default();
        for segment in segments.iter().filter(|segment| segment.end().size > 0) {
            let mut scan = segment.scan(0, segment.base_offset())?;
            while let Some(batch) = scan.next() {
                match batch {
                    Ok(batch) => epochs.regain(EpochEntry::of(&batch.header)),
                    Err(Error::CorruptRecord { .. }) => {
                        if !scan.skip_damage()? {
                            break;
                        }
                    }
                    Err(error) => return Err(error),
                }
            }
            drop(scan);
            segment.close_files();
        }
        Ok(epochs)
    }

    fn end_offset_for(&self, epoch: LeaderEpoch, log_end: Offset) -> Option<EpochEndOffset> {
        if epoch < 0 {
            return None;
        }
        let after = self.entries.partition_point(|entry| entry.epoch <= epoch);
        let found = self.entries[..after].last().map_or(epoch, |entry| entry.epoch);
        match self.entries.get(after) {
            Some(next) => Some(EpochEndOffset { leader_epoch: found, end_offset: next.start_offset }),
            None => {
                (found == epoch && after > 0).then_some(EpochEndOffset { leader_epoch: epoch, end_offset: log_end })
            }
        }
    }

    /// The log ends at `end` now, and what is appended there carries `current`: that no epoch is forgotten keeps
    /// whoever was fenced fenced.
    pub(super) fn truncate_from_end(&mut self, end: Offset, current: LeaderEpoch) {
        self.entries.retain(|entry| entry.start_offset < end);
        self.assign(EpochEntry { epoch: current, start_offset: end });
    }

    /// The log starts at `start` now: the epoch there begins with it.
    pub(super) fn truncate_from_start(&mut self, start: Offset) {
        let before = self.entries.partition_point(|entry| entry.start_offset <= start);
        if before > 0 {
            self.entries.drain(..before - 1);
            self.entries[0].start_offset = start;
        }
    }

    /// Reads the file. What its lines would not have been written as is dropped, as Kafka does.
    pub(super) fn read(home: &Home) -> Result<Self> {
        let file = path(home);
        let mut epochs = Self::default();
        for [epoch, start_offset] in checkpoint::read::<2>(&*home.storage, &file)? {
            let (epoch, start_offset) =
                (checkpoint::number(&file, &epoch)?, checkpoint::number::<Offset>(&file, &start_offset)?);
            if epoch < 0 || start_offset < 0 {
                let reason = format!("epoch {epoch} at offset {start_offset}: neither can be negative");
                return Err(Error::MalformedFile { file, line: 0, reason });
            }
            epochs.assign(EpochEntry { epoch, start_offset });
        }
        Ok(epochs)
    }

    /// Replaces the file.
    pub(super) fn write(&self, home: &Home) -> Result<()> {
        let line = |entry: &EpochEntry| [entry.epoch.to_string(), entry.start_offset.to_string()];
        checkpoint::write(&*home.storage, &path(home), &self.entries.iter().map(line).collect::<Vec<_>>())
    }
}

fn path(home: &Home) -> PathBuf {
    home.dir.join(LEADER_EPOCH_CHECKPOINT)
}

/// The epochs of an open log, and whether the file has them.
#[derive(Debug)]
pub(super) struct LeaderEpochCache {
    state: Mutex<State>,
    /// The file could not be written: it may have an epoch that did not begin.
    is_doubtful: AtomicBool,
}

#[derive(Debug)]
struct State {
    epochs: Epochs,
    is_written: bool,
}

impl LeaderEpochCache {
    pub(super) fn new(epochs: Epochs, is_written: bool) -> Self {
        Self { state: Mutex::new(State { epochs, is_written }), is_doubtful: AtomicBool::new(false) }
    }

    /// The partition's epoch: the latest that began, or 0.
    pub(super) fn current(&self) -> LeaderEpoch {
        self.state.lock().epochs.latest().map_or(0, |latest| latest.epoch)
    }

    /// Sees to it that the file has the epochs, the partition's among them, before a batch carries it.
    pub(super) fn ensure(&self, home: &Home, epoch: LeaderEpoch, log_end: Offset) -> Result<()> {
        let mut state = self.state.lock();
        if state.epochs.is_empty() {
            state.epochs.assign(EpochEntry { epoch, start_offset: log_end });
            state.is_written = false;
        }
        if !state.is_written {
            state.epochs.write(home)?;
            state.is_written = true;
            self.is_doubtful.store(false, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Whether the file has to be made [sure](Self::ensure) of before a batch is appended, also to a segment that is
    /// open.
    #[inline]
    pub(super) fn is_doubtful(&self) -> bool {
        self.is_doubtful.load(Ordering::Relaxed) // changes under the writer lock only
    }

    /// Notes durably that an epoch begins. After an error it has not begun.
    pub(super) fn assign(&self, home: &Home, entry: EpochEntry) -> Result<()> {
        let mut state = self.state.lock();
        let mut epochs = state.epochs.clone();
        epochs.assign(entry);
        if let Err(error) = epochs.write(home) {
            state.is_written = false;
            self.is_doubtful.store(true, Ordering::Relaxed);
            return Err(error);
        }
        *state = State { epochs, is_written: true };
        self.is_doubtful.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Takes over what was found out in another way.
    pub(super) fn replace(&self, epochs: &Epochs) {
        self.state.lock().epochs.clone_from(epochs);
    }

    /// As [`Epochs::truncate_from_end`]; the file follows with [`ensure`](Self::ensure).
    pub(super) fn truncate_from_end(&self, end: Offset, current: LeaderEpoch) {
        self.change(|epochs| epochs.truncate_from_end(end, current));
    }

    /// As [`Epochs::truncate_from_start`].
    pub(super) fn truncate_from_start(&self, start: Offset) {
        self.change(|epochs| epochs.truncate_from_start(start));
    }

    fn change(&self, change: impl FnOnce(&mut Epochs)) {
        let mut state = self.state.lock();
        let before = state.epochs.clone();
        change(&mut state.epochs);
        state.is_written &= state.epochs == before;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn epochs(entries: &[(LeaderEpoch, Offset)]) -> Epochs {
        let entries =
            entries.iter().map(|(epoch, start_offset)| EpochEntry { epoch: *epoch, start_offset: *start_offset });
        Epochs { entries: entries.collect() }
    }

    fn assigned(before: &[(LeaderEpoch, Offset)], epoch: LeaderEpoch, start_offset: Offset) -> Epochs {
        let mut after = epochs(before);
        after.assign(EpochEntry { epoch, start_offset });
        after
    }

    #[test]
    fn an_epoch_that_begins_takes_the_place_of_those_that_left_nothing() {
        assert_eq!(assigned(&[], 2, 5), epochs(&[(2, 5)]));
        assert_eq!(assigned(&[(2, 5)], 2, 9), epochs(&[(2, 5)]), "it has begun");
        assert_eq!(assigned(&[(2, 5)], 2, 3), epochs(&[(2, 3)]));
        assert_eq!(assigned(&[(0, 0), (2, 5)], 3, 5), epochs(&[(0, 0), (3, 5)]));
        assert_eq!(assigned(&[(0, 0), (2, 5), (4, 8)], 3, 9), epochs(&[(0, 0), (2, 5), (3, 9)]));
        assert_eq!(assigned(&[(0, 0), (2, 5), (4, 8)], 5, 4), epochs(&[(0, 0), (5, 4)]));
    }

    /// Kafka's answers, in its tests of the same name as far as there are any.
    #[test]
    fn an_epoch_ends_where_the_next_begins() {
        let known = epochs(&[(2, 5), (4, 8), (7, 20)]);
        let end = |epoch| known.end_offset_for(epoch, 31).map(|end| (end.leader_epoch, end.end_offset));
        assert_eq!(end(7), Some((7, 31)), "the latest ends with the log");
        assert_eq!([end(2), end(4)], [Some((2, 8)), Some((4, 20))]);
        assert_eq!([end(3), end(5), end(6)], [Some((2, 8)), Some((4, 20)), Some((4, 20))], "the largest before it");
        assert_eq!([end(0), end(1)], [Some((0, 5)), Some((1, 5))], "before all: where the first begins");
        assert_eq!([end(8), end(-1)], [None, None]);
        assert_eq!(epochs(&[]).end_offset_for(0, 31), None);
    }

    #[test]
    fn what_is_cut_off_takes_its_epochs_along() {
        let known = [(2, 5), (4, 8), (7, 20)];
        let from_end = |end| {
            let mut left = epochs(&known);
            left.truncate_from_end(end, 7);
            left
        };
        assert_eq!(from_end(25), epochs(&known));
        assert_eq!(from_end(20), epochs(&known), "the current epoch begins there again");
        assert_eq!(from_end(19), epochs(&[(2, 5), (4, 8), (7, 19)]));
        assert_eq!(from_end(8), epochs(&[(2, 5), (7, 8)]));
        let from_start = |start| {
            let mut left = epochs(&known);
            left.truncate_from_start(start);
            left
        };
        assert_eq!([from_start(4), from_start(5)], [epochs(&known), epochs(&known)]);
        assert_eq!(from_start(7), epochs(&[(2, 7), (4, 8), (7, 20)]));
        assert_eq!(from_start(8), epochs(&[(4, 8), (7, 20)]));
        assert_eq!(from_start(99), epochs(&[(7, 99)]));
    }

    proptest! {
        /// The model is the epoch of each record.
        #[test]
        fn epochs_are_what_the_records_carry(
            steps in prop::collection::vec((0_i32..3, 0_i64..6, prop::option::of((0_i64..40, prop::bool::ANY))), 0..30),
        ) {
            let (mut known, mut records, mut current, mut start) = (Epochs::default(), Vec::new(), 0, 0_usize);
            for (raise, appended, cut) in steps {
                current += raise;
                known.assign(EpochEntry { epoch: current, start_offset: records.len() as Offset });
                records.extend((0..appended).map(|_| current));
                match cut {
                    Some((at, true)) if at as usize >= start && (at as usize) < records.len() => {
                        records.truncate(at as usize);
                        known.truncate_from_end(at, current);
                    }
                    Some((at, false)) if at as usize > start && at as usize <= records.len() => {
                        start = at as usize;
                        known.truncate_from_start(at);
                    }
                    _ => {}
                }
                let is_sorted = |a: &EpochEntry, b: &EpochEntry| a.epoch < b.epoch && a.start_offset < b.start_offset;
                prop_assert!(known.entries.is_sorted_by(is_sorted));
                let log_end = records.len() as Offset;
                for epoch in 0..=current {
                    let before = records.iter().skip(start).filter(|found| **found <= epoch).count() + start;
                    let end = known.end_offset_for(epoch, log_end).expect("a later epoch is known");
                    prop_assert_eq!(end.end_offset, before as Offset, "epoch {} of {:?}", epoch, known);
                }
            }
        }
    }
}
