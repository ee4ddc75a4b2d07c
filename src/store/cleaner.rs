//! Compaction by itself and on demand: which log is next, how much of it at a time, and how far each has come.
//!
//! A tick does a bounded piece of work: it reads and writes some mebibytes, or what
//! `log.cleaner.io.max.bytes.per.second` leaves, and the pass goes on where it stopped at the next tick. How far each
//! log is compacted is in the file `cleaner-offset-checkpoint`, as Kafka has it.
//!
//! A pass that fails ends with its error, and the partition is *uncleanable*: it is left alone, as in Kafka, until the
//! store is opened again, but also until what is wrong may be gone, because the log has lost records at either end or
//! somebody compacts it on demand. If the failure was for want of space, it is tried again after
//! `log.cleaner.backoff.ms`. The others go on.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};

use super::{Store, StoreInner};
use crate::config::invalid;
use crate::error::{Error, Result};
use crate::log::cleaner::{Budget, Cleanable, Pass, Progress, first_dirty, is_gone};
use crate::log::{Checkpoints, Log};
use crate::types::{Offset, TopicPartition};

/// How many bytes a tick reads and writes at most, and a step of [`Store::compact`].
const STEP_BYTES: u64 = 16 << 20;
/// How many passes a tick begins at most: each costs a dozen syncs besides its bytes.
const PASSES_MAX: usize = 16;
/// Between which bounds the thread waits for its share of bytes.
const WAIT_MS: std::ops::RangeInclusive<u64> = 10..=1000;

pub(super) struct Cleaner {
    /// Held while somebody compacts.
    state: Mutex<State>,
    /// Partitions that are left alone. Held for a moment only.
    uncleanable: Mutex<BTreeMap<TopicPartition, Uncleanable>>,
}

/// Why a partition is left alone, and for how long.
struct Uncleanable {
    reason: Error,
    /// By the monotonic clock.
    until_ms: i64,
    /// What the log had when that was found.
    extent: (Offset, u64),
}

struct State {
    /// Everything below is compacted: what the checkpoint says.
    first_dirty: HashMap<TopicPartition, Offset>,
    pass: Option<Pass>,
    /// By the monotonic clock.
    look_again_ms: i64,
    throttle: Throttle,
}

/// Counts bytes against `log.cleaner.io.max.bytes.per.second`, by the store's monotonic clock.
#[derive(Debug)]
struct Throttle {
    bytes_per_second: u64,
    /// How many may be spent now; below 0 after a batch that was larger than what was left.
    credit: i128,
    last_ms: i64,
}

impl Throttle {
    fn new(bytes_per_second: u64, monotonic_ms: i64) -> Self {
        Self { bytes_per_second, credit: i128::from(bytes_per_second), last_ms: monotonic_ms }
    }

    /// How much may be done at `monotonic_ms`. What was not used for a second is lost.
    fn allowance(&mut self, monotonic_ms: i64) -> u64 {
        let elapsed_ms = i128::from(monotonic_ms.saturating_sub(self.last_ms).max(0));
        let earned = elapsed_ms * i128::from(self.bytes_per_second) / 1000;
        // Time that has earned nothing yet goes on counting.
        if earned > 0 || monotonic_ms < self.last_ms {
            self.last_ms = monotonic_ms;
        }
        self.credit = (self.credit + earned).min(i128::from(self.bytes_per_second));
        u64::try_from(self.credit).unwrap_or(0).min(STEP_BYTES)
    }

    fn spend(&mut self, bytes: u64) {
        self.credit -= i128::from(bytes);
    }

    /// How long until there is something to spend.
    fn wait(&self) -> Duration {
        let missing_ms = ((1 - self.credit).max(0) * 1000 / i128::from(self.bytes_per_second.max(1))) as u64;
        let wait_ms = if missing_ms == 0 { 0 } else { missing_ms.clamp(*WAIT_MS.start(), *WAIT_MS.end()) };
        Duration::from_millis(wait_ms)
    }
}

impl Cleaner {
    pub(super) fn new(first_dirty: HashMap<TopicPartition, Offset>, bytes_per_second: u64, monotonic_ms: i64) -> Self {
        let throttle = Throttle::new(bytes_per_second, monotonic_ms);
        let state = State { first_dirty, pass: None, look_again_ms: i64::MIN, throttle };
        Self { state: Mutex::new(state), uncleanable: Mutex::default() }
    }

    /// Ends the pass that is under way. Whoever compacts must see first that it is to end.
    pub(super) fn stop(&self) {
        if let Some(mut pass) = self.state.lock().pass.take() {
            pass.abandon();
        }
    }

    /// Takes up again what need not be left alone any more.
    fn forgive(&self, logs: &[Log], monotonic_ms: i64) {
        let extent =
            |partition: &TopicPartition| logs.iter().find(|log| log.topic_partition() == partition).map(Log::extent);
        let is_unchanged = |partition: &TopicPartition, known: &Uncleanable| extent(partition) == Some(known.extent);
        self.uncleanable
            .lock()
            .retain(|partition, known| monotonic_ms < known.until_ms && is_unchanged(partition, known));
    }

    /// Why each partition is left alone that is.
    pub(super) fn uncleanable(&self) -> BTreeMap<TopicPartition, Error> {
        let uncleanable = self.uncleanable.lock();
        uncleanable.iter().map(|(partition, known)| (partition.clone(), known.reason.clone())).collect()
    }

    /// Forgets a topic that was deleted.
    pub(super) fn forget(&self, topic: &str) {
        let mut state = self.state.lock();
        state.first_dirty.retain(|partition, _| &*partition.topic != topic);
        self.uncleanable.lock().retain(|partition, _| &*partition.topic != topic);
        if let Some(mut pass) = state.pass.take_if(|pass| &*pass.log().topic_partition().topic == topic) {
            pass.abandon();
        }
    }
}

impl Store {
    /// Compacts a topic now: of each key the last record stays, of those appended before the call.
    ///
    /// Compaction runs by itself where `cleanup.policy` has `compact`; this does not wait until a partition is dirty
    /// enough for that (`min.cleanable.dirty.ratio`), and goes without a limit to its speed. It closes the active
    /// segments, which are never compacted, so that all of the topic is. What the topic promises its readers holds here
    /// too: records younger than `min.compaction.lag.ms` stay, and tombstones for `delete.retention.ms` after the first
    /// pass over them. Returns when all partitions are done; [`Log::last_compaction`] tells what came of each.
    ///
    /// ```
    /// use esker::{CleanupPolicy, ProducerConfig, Record, Store, TopicConfig};
    ///
    /// let store = Store::temporary()?;
    /// store.create_topic("prices", TopicConfig::new().cleanup_policy(CleanupPolicy::COMPACT))?;
    /// let producer = store.producer(ProducerConfig::new())?;
    /// for price in ["9.99", "8.49", "7.99"] {
    ///     producer.send(Record::to("prices").key("tea").value(price))?;
    /// }
    /// store.compact("prices")?;
    ///
    /// let compaction = store.partition("prices", 0)?.last_compaction().expect("there was one");
    /// assert_eq!((compaction.records_read, compaction.records_kept), (3, 1));
    /// # Ok::<(), esker::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::UnknownTopicOrPartition`]; [`Error::InvalidConfig`] if `cleanup.policy` has no `compact`;
    /// [`Error::CorruptRecord`] and [`Error::UnsupportedCompressionType`] where something that can't be read would have
    /// to be compacted, which is then left as it is; [`Error::StorageFull`] and [`Error::Io`] where the new segment
    /// can't be written. Nothing is lost by any of them.
    pub fn compact(&self, topic: &str) -> Result<()> {
        self.check_writable()?;
        let logs = self.inner.topic(topic)?.partitions.clone();
        for log in &logs {
            if !log.is_compacted() {
                return Err(invalid("cleanup.policy", "delete", "a list with compact"));
            }
            self.inner.compact(log)?;
        }
        Ok(())
    }
}

impl Store {
    /// The partitions that compaction leaves alone because a pass over them has failed, and why: what Kafka counts as
    /// `uncleanable-partitions-count`. They grow until what is wrong is gone; most often it is damage, which
    /// [`StoreOptions::repair`](super::StoreOptions::repair) sets aside.
    ///
    /// One is taken up again when its log has lost records at either end, when [`compact`](Self::compact) succeeds,
    /// when the store is opened again, and after `log.cleaner.backoff.ms` if there was no space.
    pub fn uncleanable_partitions(&self) -> BTreeMap<TopicPartition, Error> {
        self.inner.cleaner.uncleanable()
    }
}

impl StoreInner {
    fn compact(&self, log: &Log) -> Result<()> {
        let mut state = self.cleaner.state.lock();
        self.cleaner.uncleanable.lock().remove(log.topic_partition());
        // One pass at a time bounds the memory.
        self.finish_pass(&mut state, log)?;
        log.roll_for_compaction()?;
        let target = log.log_end();
        loop {
            let cleanable = log.cleanable(self.first_dirty(&mut state, log), self.clock.now_ms())?;
            self.begin_pass(&mut state, log, cleanable)?;
            self.finish_pass(&mut state, log)?;
            // Memory may have been too small for all keys at once.
            let reached = self.first_dirty(&mut state, log);
            if reached >= cleanable.first_uncleanable.min(target) || reached <= cleanable.first_dirty {
                return Ok(());
            }
        }
    }

    /// Brings the pass that is under way to its end, for a caller who waits for that of `log`.
    fn finish_pass(&self, state: &mut MutexGuard<'_, State>, log: &Log) -> Result<()> {
        while state.pass.is_some() {
            // A snapshot that is being taken ends first. Whoever closes the store or deletes a topic need not wait for
            // that, nor for the end of the pass.
            let _files = MutexGuard::unlocked_fair(state, || self.snapshots.files.read());
            let _ticking = self.ticking.lock();
            self.check_open()?;
            let Some(pass) = &state.pass else { break };
            let is_awaited = pass.log().topic_partition() == log.topic_partition();
            match self.step(state, &mut Budget::new(STEP_BYTES)) {
                Err(error) if is_awaited => return Err(error),
                Err(error) => self.schedule.note_failure(error),
                Ok(()) => {}
            }
        }
        Ok(())
    }

    /// Does a piece of what there is to compact. Returns in how long to go on, if there is more. To be called by who
    /// holds `snapshots.files`.
    pub(super) fn clean_some(&self, logs: &[Log], monotonic_ms: i64) -> (Option<Duration>, Vec<Error>) {
        let mut failures = Vec::new();
        if !self.config.log_cleaner_enable {
            return (None, failures);
        }
        // Somebody compacts on demand.
        let Some(mut state) = self.cleaner.state.try_lock() else { return (None, failures) };
        let mut budget = Budget::new(state.throttle.allowance(monotonic_ms));
        for _ in 0..PASSES_MAX {
            if budget.left() == 0
                || (state.pass.is_none() && !self.begin_dirtiest(&mut state, logs, monotonic_ms, &mut failures))
            {
                break;
            }
            failures.extend(self.step(&mut state, &mut budget).err());
        }
        let spent = budget.spent();
        state.throttle.spend(spent);
        let goes_on = state.pass.is_some() || monotonic_ms >= state.look_again_ms;
        (goes_on.then(|| state.throttle.wait()), failures)
    }

    /// Begins a pass over the dirtiest log that is worth one. False if there is none.
    fn begin_dirtiest(
        &self,
        state: &mut MutexGuard<'_, State>,
        logs: &[Log],
        monotonic_ms: i64,
        failures: &mut Vec<Error>,
    ) -> bool {
        if monotonic_ms < state.look_again_ms {
            return false;
        }
        let mut dirtiest: Option<(f64, &Log, Cleanable)> = None;
        let now_ms = self.clock.now_ms();
        self.cleaner.forgive(logs, monotonic_ms);
        for log in logs.iter().filter(|log| log.is_compacted() && !log.is_deleted()) {
            if self.cleaner.uncleanable.lock().contains_key(log.topic_partition()) {
                continue;
            }
            let first_dirty = self.first_dirty(state, log);
            match log.cleanable(first_dirty, now_ms) {
                Ok(cleanable) if cleanable.is_eligible(log.min_cleanable_dirty_ratio()) => {
                    let ratio = cleanable.dirty_ratio();
                    if dirtiest.as_ref().is_none_or(|(most, ..)| ratio > *most) {
                        dirtiest = Some((ratio, log, cleanable));
                    }
                }
                Ok(_) => {}
                Err(error) => failures.extend(self.exclude(log, error)),
            }
        }
        let Some((_, log, cleanable)) = dirtiest else {
            state.look_again_ms = monotonic_ms.saturating_add(self.config.log_cleaner_backoff_ms);
            return false;
        };
        if let Err(error) = self.begin_pass(state, log, cleanable) {
            failures.extend(self.exclude(log, error));
        }
        state.pass.is_some()
    }

    fn begin_pass(&self, state: &mut State, log: &Log, cleanable: Cleanable) -> Result<()> {
        // After a crash recovery takes a gap beyond the recovery point for a loss, so the point must be known to it
        // before there are gaps.
        self.checkpoints.write()?;
        let map_bytes = self.config.log_cleaner_dedupe_buffer_size;
        state.pass = Some(log.begin_pass(cleanable, self.clock.now_ms(), map_bytes)?);
        Ok(())
    }

    /// Goes on with the pass that is under way.
    fn step(&self, state: &mut State, budget: &mut Budget) -> Result<()> {
        let Some(pass) = &mut state.pass else { return Ok(()) };
        let log = pass.log().clone();
        match pass.step(budget) {
            Ok(Progress::Going) => Ok(()),
            Ok(Progress::Overtaken) => {
                state.pass = None;
                Ok(())
            }
            Ok(Progress::Done { end }) => {
                state.pass = None;
                state.first_dirty.insert(log.topic_partition().clone(), end);
                self.write_cleaner_checkpoint(state)
            }
            Err(error) => {
                state.pass = None;
                self.exclude(&log, error).map_or(Ok(()), Err)
            }
        }
    }

    /// Leaves a partition alone after a failure. Returns the failure, if it is one.
    fn exclude(&self, log: &Log, reason: Error) -> Option<Error> {
        if is_gone(&reason) {
            return None;
        }
        let until_ms = match reason.is_retriable() {
            true => self.clock.monotonic_ms().saturating_add(self.config.log_cleaner_backoff_ms),
            false => i64::MAX,
        };
        let uncleanable = Uncleanable { reason: reason.clone(), until_ms, extent: log.extent() };
        self.cleaner.uncleanable.lock().insert(log.topic_partition().clone(), uncleanable);
        Some(reason)
    }

    /// Where the dirty part of a log begins.
    fn first_dirty(&self, state: &mut State, log: &Log) -> Offset {
        let checkpointed = state.first_dirty.get(log.topic_partition()).copied();
        // What came in the place of records that were cut off is dirty.
        let clean_end = checkpointed.map(|checkpointed| checkpointed.min(log.take_lowest_cut()));
        let first_dirty = first_dirty(clean_end, log.log_start(), log.log_end());
        if checkpointed.is_some_and(|checkpointed| checkpointed != first_dirty) {
            state.first_dirty.insert(log.topic_partition().clone(), first_dirty);
        }
        first_dirty
    }

    fn write_cleaner_checkpoint(&self, state: &mut State) -> Result<()> {
        let logs = self.logs();
        self.checkpoints.write_first_dirty(|| {
            let is_known = |log: &&Log, state: &State| state.first_dirty.contains_key(log.topic_partition());
            let known: Vec<&Log> = logs.iter().filter(|log| is_known(log, state)).collect();
            // A truncation meanwhile counts.
            known.into_iter().map(|log| (log.topic_partition().clone(), self.first_dirty(state, log))).collect()
        })
    }

    /// Takes topics that do not exist out of the checkpoint.
    pub(super) fn forget_first_dirty(&self, topics: &HashSet<Arc<str>>) -> Result<()> {
        topics.iter().for_each(|topic| self.cleaner.forget(topic));
        self.write_cleaner_checkpoint(&mut self.cleaner.state.lock())
    }
}
