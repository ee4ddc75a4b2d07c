//! Records out: a consumer reads the partitions that it was given, remembers where it stands, and commits that for its
//! group.
//!
//! ```text
//!   poll → for each partition in turn: fetcher → Log::read → records, decoded lazily from slices of the log
//! ```

#[cfg(not(feature = "coordinator"))]
mod alone;
mod config;
mod fetcher;
#[cfg(feature = "coordinator")]
mod group;
mod pause;
mod record;
mod waker;

use std::time::{Duration, Instant};

pub use config::{AutoOffsetReset, ConsumerConfig};
#[cfg(feature = "coordinator")]
pub use group::RebalanceListener;
pub use record::ConsumerRecord;
pub use waker::ConsumerWaker;

#[cfg(feature = "coordinator")]
use group::GroupSeat;

use crate::error::{Error, Result};
use crate::log::follow::park_until;
use crate::log::wait::{NEVER, Parker};
use crate::log::{Log, ReadLimits};
use crate::store::{CommittedOffset, GroupInUse, Store};
use crate::types::{Acks, ConsumerGroupMetadata, IsolationLevel, Offset, TopicPartition};
use fetcher::{Fetcher, no_offset};

/// Reads records from partitions of a store, in the order of each partition.
///
/// One thread at a time uses a consumer; it may move between threads. Made by [`Store::consumer`].
///
/// ```
/// # use esker::{ProducerConfig, Record, Store, TopicConfig};
/// # use std::time::Duration;
/// # let store = Store::temporary()?;
/// # store.create_topic("jobs", TopicConfig::new())?;
/// # store.producer(ProducerConfig::new())?.send(Record::to("jobs").value("sweep"))?;
/// let mut consumer = store.consumer("workers")?;
/// consumer.assign([("jobs", 0)])?;
/// consumer.seek_to_beginning()?;
/// for record in consumer.poll(Duration::from_secs(1))? {
///     println!("{} at offset {}", String::from_utf8_lossy(record.value.as_deref().unwrap_or_default()), record.offset);
/// }
/// consumer.commit()?;
/// # Ok::<(), esker::Error>(())
/// ```
#[derive(Debug)]
pub struct Consumer {
    store: Store,
    config: ConsumerConfig,
    fetchers: Vec<Fetcher>,
    /// Which partition comes first in the next poll.
    turn: usize,
    #[cfg(feature = "coordinator")]
    seat: GroupSeat,
    /// When positions are committed next, by the store's clock, if that is asked for.
    commits_at_ms: i64,
    waker: ConsumerWaker,
    /// Keeps the group's offsets from expiring.
    _in_use: Option<GroupInUse>,
}

impl Store {
    /// Makes a consumer: of a group, by its name alone or with more configuration. It keeps the store open for as long
    /// as it lives.
    ///
    /// # Errors
    /// As [`ConsumerConfig::validate`], and [`Error::Closed`] if the store was closed.
    pub fn consumer(&self, config: impl Into<ConsumerConfig>) -> Result<Consumer> {
        self.check_open()?;
        let config = config.into();
        config.validate()?;
        let _in_use = config.group_id.as_deref().map(|group| self.use_group(group));
        let commits_at_ms = self.clock().monotonic_ms().saturating_add(config.auto_commit_interval_ms());
        Ok(Consumer {
            store: self.clone(),
            config,
            fetchers: Vec::new(),
            turn: 0,
            #[cfg(feature = "coordinator")]
            seat: GroupSeat::default(),
            commits_at_ms,
            waker: ConsumerWaker::default(),
            _in_use,
        })
    }
}

impl Consumer {
    /// Reads these partitions from now on, and no others; what was subscribed to is not any more. A partition that was
    /// assigned before keeps its position, and stays paused if it was, unless its topic was deleted: one of the same
    /// name that came later is another topic.
    ///
    /// # Errors
    /// [`Error::UnknownTopicOrPartition`]; the assignment is then as it was.
    pub fn assign<P: Into<TopicPartition>>(&mut self, partitions: impl IntoIterator<Item = P>) -> Result<()> {
        let mut logs: Vec<Log> = Vec::new();
        for partition in partitions {
            let partition = partition.into();
            if logs.iter().all(|log| *log.topic_partition() != partition) {
                logs.push(self.store.partition(&partition.topic, partition.partition)?);
            }
        }
        self.leave_group();
        let mut before = std::mem::take(&mut self.fetchers);
        for log in logs {
            let is_known =
                |fetcher: &Fetcher| fetcher.topic_partition() == log.topic_partition() && !fetcher.log.is_deleted();
            let kept = before.iter().position(is_known);
            self.fetchers.push(match kept {
                Some(index) => before.swap_remove(index),
                None => Fetcher::new(log, self.config.isolation_level),
            });
        }
        Ok(())
    }

    /// Reads all partitions that these topics have now, and no others. Those that are added later are not read until
    /// this is called again; a consumer that subscribes (`subscribe`, feature `coordinator`) takes them in by itself.
    ///
    /// # Errors
    /// As [`assign`](Self::assign).
    pub fn assign_topics<'a>(&mut self, topics: impl IntoIterator<Item = &'a str>) -> Result<()> {
        let mut partitions = Vec::new();
        for topic in topics {
            partitions.extend((0..self.store.partition_count(topic)?).map(|index| TopicPartition::new(topic, index)));
        }
        self.assign(partitions)
    }

    /// The partitions that are assigned, in the order in which they were.
    pub fn assignment(&self) -> Vec<TopicPartition> {
        self.fetchers.iter().map(|fetcher| fetcher.topic_partition().clone()).collect()
    }

    /// Goes on at `offset` of a partition. Whether there is such an offset shows when it is polled.
    ///
    /// # Errors
    /// [`Error::NotAssigned`], and [`Error::OffsetOutOfRange`] for an offset below 0.
    pub fn seek(&mut self, partition: impl Into<TopicPartition>, offset: Offset) -> Result<()> {
        let fetcher = self.fetcher(&partition.into())?;
        if offset < 0 {
            return Err(fetcher.log.out_of_range(offset));
        }
        fetcher.seek(offset);
        Ok(())
    }

    /// Goes back to the first record of every assigned partition.
    ///
    /// # Errors
    /// None today.
    pub fn seek_to_beginning(&mut self) -> Result<()> {
        self.fetchers.iter_mut().for_each(|fetcher| fetcher.seek(fetcher.log.log_start()));
        Ok(())
    }

    /// Goes beyond the last record of every assigned partition: only what comes from now on is read. With
    /// `read_committed` that is the last stable offset.
    ///
    /// # Errors
    /// None today.
    pub fn seek_to_end(&mut self) -> Result<()> {
        self.fetchers.iter_mut().for_each(|fetcher| fetcher.seek(fetcher.readable_end()));
        Ok(())
    }

    /// Goes, in every assigned partition, to the first record with this timestamp or a later one, or else to the end.
    ///
    /// # Errors
    /// As [`Log::offset_for_timestamp`].
    pub fn seek_to_timestamp(&mut self, timestamp: i64) -> Result<()> {
        for fetcher in &mut self.fetchers {
            let offset = fetcher.offset_for_timestamp(timestamp)?;
            fetcher.seek(offset);
        }
        Ok(())
    }

    /// Goes back, in every assigned partition, to what the group has committed, or where it has committed nothing, to
    /// where `auto.offset.reset` says: what was polled since is polled again. For when the work on it failed, such as
    /// after a transaction that was [aborted](crate::Transaction#when-something-fails).
    ///
    /// Where that is is looked up by the next poll, as for a partition that was just assigned. With
    /// `auto.offset.reset=latest` what was polled from a partition before anything was committed for it is passed over.
    ///
    /// # Errors
    /// [`Error::NoGroup`]; the positions are then as they were.
    pub fn seek_to_committed(&mut self) -> Result<()> {
        self.config.group_id.as_ref().ok_or(Error::NoGroup)?;
        self.fetchers.iter_mut().for_each(Fetcher::forget_position);
        Ok(())
    }

    /// The offset of the next record that a poll returns from a partition.
    ///
    /// # Errors
    /// [`Error::NotAssigned`]; [`Error::NoOffsetForPartition`] if it is not known where to start, and
    /// [`Error::UnstableOffsetCommit`] if it is not known yet; with `auto.offset.reset=by_duration` as
    /// [`Log::offset_for_timestamp`].
    pub fn position(&mut self, partition: impl Into<TopicPartition>) -> Result<Offset> {
        let partition = partition.into();
        let index = self.index_of(&partition)?;
        self.position_of(index)
    }

    /// Returns the next records of the assigned partitions that are not [paused](Self::pause), at most
    /// `max.poll.records`. If there are none it waits for some, until `timeout` has passed, and may then return none.
    ///
    /// The partitions take turns at being first, so that a busy one does not starve the others. With `read_committed` a
    /// partition whose offset the group is committing within a transaction begins when that has ended.
    ///
    /// # Errors
    /// [`Error::NoOffsetForPartition`] with `auto.offset.reset=none`. [`Error::OffsetOutOfRange`] likewise, where the
    /// position is no longer in the log; otherwise the position is reset. [`Error::CorruptRecord`] names the offsets
    /// that can't be read: [`seek`](Self::seek) past them to go on. [`Error::UnsupportedCompressionType`].
    /// [`Error::UnknownTopicOrPartition`] if a topic was deleted. [`Error::Closed`] if the store was closed and there
    /// is nothing left to read. Records of other partitions that were there are returned by the next poll. Of a
    /// consumer that subscribes [`Error::Group`] if it may not join its group, or can't now. [`Error::Wakeup`] if a
    /// [`waker`](Self::waker) was used. [`Error::NothingAssigned`] if nothing was assigned or subscribed to.
    pub fn poll(&mut self, timeout: Duration) -> Result<Vec<ConsumerRecord>> {
        let deadline = Instant::now().checked_add(timeout);
        self.attend(true);
        let polled = self.poll_until(deadline);
        self.attend(false);
        polled
    }

    fn poll_until(&mut self, deadline: Option<Instant>) -> Result<Vec<ConsumerRecord>> {
        self.auto_commit(false)?;
        loop {
            self.waker.check()?;
            if self.fetchers.is_empty() && !self.is_subscribed() {
                return Err(Error::NothingAssigned);
            }
            self.follow_group()?;
            let records = self.take_ready()?;
            if !records.is_empty() || !self.wait(deadline)? {
                return Ok(records);
            }
        }
    }

    /// Commits the positions, if that is asked for, and if it is time or must be now; but not while a panic goes
    /// through, for what was polled may not be done.
    fn auto_commit(&mut self, now: bool) -> Result<()> {
        let now_ms = self.store.clock().monotonic_ms();
        let is_time = now || now_ms >= self.commits_at_ms;
        if !self.config.enable_auto_commit || !is_time || std::thread::panicking() {
            return Ok(());
        }
        self.commits_at_ms = now_ms.saturating_add(self.config.auto_commit_interval_ms());
        match self.commit() {
            // The poll sees to that.
            Err(Error::Group { .. } | Error::NoGroup) => Ok(()),
            committed => committed,
        }
    }

    /// Commits the positions of all assigned partitions, with the leader epoch of the last record of each, so that the
    /// group goes on there. On return that survives the loss of power.
    ///
    /// # Errors
    /// [`Error::NoGroup`], and as [`Store::commit_offsets`]. Of a consumer that subscribes [`Error::Group`] if it is
    /// not in the group's current generation: others have its partitions, or are about to.
    pub fn commit(&mut self) -> Result<()> {
        self.commit_offsets(self.positions(), Acks::All)
    }

    /// What [`commit`](Self::commit) would commit now: the positions of all assigned partitions, as far as they are
    /// known, with the leader epoch of the last record of each, or where none was read yet, with what was committed of
    /// it. To be sent with the records that were made from what was read:
    /// [`Transaction::send_offsets`](crate::Transaction::send_offsets).
    pub fn positions(&self) -> Vec<(TopicPartition, CommittedOffset)> {
        let position = |fetcher: &Fetcher| Some((fetcher.topic_partition().clone(), fetcher.to_commit()?));
        self.fetchers.iter().filter_map(position).collect()
    }

    /// The consumer's group, and which member of it the consumer is, or was last, if it subscribes or has subscribed:
    /// for [`Transaction::send_offsets`](crate::Transaction::send_offsets), which is refused then if the group has gone
    /// on without it (KIP-447).
    ///
    /// # Errors
    /// [`Error::NoGroup`].
    pub fn group_metadata(&self) -> Result<ConsumerGroupMetadata> {
        let group = self.config.group_id.as_deref().ok_or(Error::NoGroup)?;
        Ok(self.sign(group.into()))
    }

    /// Commits these offsets for the consumer's group: the ones to read next, of a record that is dealt with
    /// [`CommittedOffset::after`] it. Returns when `acks` says. The positions stay as they are.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    pub fn commit_offsets(
        &mut self,
        offsets: impl IntoIterator<Item = (TopicPartition, CommittedOffset)>,
        acks: Acks,
    ) -> Result<()> {
        let group = self.config.group_id.as_deref().ok_or(Error::NoGroup)?;
        self.commit_as_member(acks, |acks| self.store.commit_offsets(group, offsets, acks))
    }

    /// The offset that the consumer's group committed for a partition last.
    ///
    /// # Errors
    /// [`Error::NoGroup`]; with `read_committed` [`Error::UnstableOffsetCommit`] while an open transaction may change
    /// it; otherwise as [`Store::committed_offset`].
    pub fn committed(&self, partition: impl Into<TopicPartition>) -> Result<Option<CommittedOffset>> {
        let group = self.config.group_id.as_deref().ok_or(Error::NoGroup)?;
        self.committed_of(group, &partition.into())
    }

    fn committed_of(&self, group: &str, partition: &TopicPartition) -> Result<Option<CommittedOffset>> {
        match self.config.isolation_level {
            IsolationLevel::ReadUncommitted => self.store.committed_offset(group, partition),
            IsolationLevel::ReadCommitted => self.store.stable_committed_offset(group, partition),
        }
    }

    fn index_of(&self, partition: &TopicPartition) -> Result<usize> {
        let index = self.fetchers.iter().position(|fetcher| fetcher.topic_partition() == partition);
        index.ok_or_else(|| Error::NotAssigned { topic_partition: partition.clone() })
    }

    fn fetcher(&mut self, partition: &TopicPartition) -> Result<&mut Fetcher> {
        let index = self.index_of(partition)?;
        Ok(&mut self.fetchers[index])
    }

    /// Where a partition stands; a new one starts where the group left off, or where `auto.offset.reset` says.
    fn position_of(&mut self, index: usize) -> Result<Offset> {
        let fetcher = &self.fetchers[index];
        if let Some(position) = fetcher.position() {
            return Ok(position);
        }
        let group = self.config.group_id.as_deref();
        let committed = group.map(|group| self.committed_of(group, fetcher.topic_partition())).transpose()?;
        if let Some(committed) = committed.flatten() {
            self.fetchers[index].resume(&committed);
            return Ok(committed.offset);
        }
        let position = self.reset_offset(fetcher)?.ok_or_else(|| no_offset(group, fetcher.topic_partition()))?;
        self.fetchers[index].seek(position);
        Ok(position)
    }

    fn reset_offset(&self, fetcher: &Fetcher) -> Result<Option<Offset>> {
        Ok(match self.config.auto_offset_reset {
            AutoOffsetReset::Earliest => Some(fetcher.log.log_start()),
            AutoOffsetReset::Latest => Some(fetcher.readable_end()),
            AutoOffsetReset::ByDuration(ago) => {
                let ago_ms = i64::try_from(ago.as_millis()).unwrap_or(i64::MAX);
                let timestamp = self.store.clock().now_ms().saturating_sub(ago_ms);
                Some(fetcher.offset_for_timestamp(timestamp)?)
            }
            AutoOffsetReset::None => None,
        })
    }

    /// What is there now, from each partition in turn.
    fn take_ready(&mut self) -> Result<Vec<ConsumerRecord>> {
        let mut records = Vec::new();
        let count = self.fetchers.len();
        for step in 0..count {
            let index = (self.turn + step) % count;
            let room = self.config.max_poll_records - records.len();
            if room == 0 {
                break;
            }
            match self.take_from(index, room, &mut records) {
                // The wait is for that too.
                Ok(()) | Err(Error::UnstableOffsetCommit { .. }) => {}
                // What was taken already is returned; the failure comes up again in the next poll, first of all.
                Err(_) if !records.is_empty() => {
                    self.turn = index;
                    return Ok(records);
                }
                Err(error) => {
                    self.turn = index + 1;
                    return Err(error);
                }
            }
        }
        self.turn = if count == 0 { 0 } else { (self.turn + 1) % count };
        Ok(records)
    }

    fn take_from(&mut self, index: usize, room: usize, records: &mut Vec<ConsumerRecord>) -> Result<()> {
        let limits = ReadLimits::new()
            .max_bytes(self.config.max_partition_fetch_bytes)
            .isolation_level(self.config.isolation_level);
        loop {
            // Also of one that is paused it is found out where it begins, or `latest` would be later.
            let position = self.position_of(index)?;
            if self.fetchers[index].is_paused {
                return Ok(());
            }
            match self.fetchers[index].take(position, room, limits, records) {
                // Once more if retention overtakes the reset.
                Err(error @ Error::OffsetOutOfRange { .. }) => {
                    let reset = self.reset_offset(&self.fetchers[index])?.ok_or(error)?;
                    self.fetchers[index].seek(reset);
                }
                other => return other,
            }
        }
    }

    /// Waits until some partition has something. False at the deadline.
    fn wait(&mut self, deadline: Option<Instant>) -> Result<bool> {
        let parker = Parker::new();
        let mut waiters = Vec::with_capacity(self.fetchers.len());
        let mut is_ready = false;
        for index in 0..self.fetchers.len() {
            let (log, isolation, offset) = self.awaited(index)?;
            let waiter = log.register_reader(isolation, offset, parker.waker());
            waiters.push((log, isolation, offset, waiter));
            is_ready |= self.is_ready(index);
        }
        // Nobody wakes those who begin to wait after the end: they see it here.
        let group_due = self.await_group(&parker);
        let ended = if is_ready { Ok(()) } else { self.check_ended() };
        is_ready |= self.has_group_news() | self.waker.begin_wait(parker.waker());
        let logs = waiters.iter().filter(|(.., offset, _)| *offset != NEVER).map(|(log, ..)| log);
        let until = deadline.into_iter().chain(group_due).min();
        let woken = is_ready || (ended.is_ok() && (park_until(&parker, until, logs) || until != deadline));
        for (log, isolation, _, waiter) in waiters {
            log.deregister_reader(isolation, waiter);
        }
        self.waker.end_wait();
        ended.map(|()| woken)
    }

    /// In which log the next thing will be that a partition waits for, and where: a record of its own, or the end of
    /// the transaction that decides where it begins. Of a partition that is paused, the end of its log alone.
    fn awaited(&mut self, index: usize) -> Result<(Log, IsolationLevel, Offset)> {
        match self.position_of(index) {
            Ok(_) if self.fetchers[index].is_paused => {
                Ok((self.fetchers[index].log.clone(), self.config.isolation_level, NEVER))
            }
            Ok(position) => Ok((self.fetchers[index].log.clone(), self.config.isolation_level, position)),
            Err(unstable @ Error::UnstableOffsetCommit { .. }) => {
                let group = self.config.group_id.as_deref();
                let log = group.and_then(|group| self.store.offsets_log_of(group)).ok_or(unstable)?;
                let end = log.log_end();
                Ok((log, IsolationLevel::ReadUncommitted, end))
            }
            Err(error) => Err(error),
        }
    }

    /// Whether a partition has something to hand out now, as far as it is known where to start.
    fn is_ready(&mut self, index: usize) -> bool {
        let was_unstable = self.fetchers[index].position().is_none();
        self.position_of(index).is_ok_and(|position| was_unstable || self.fetchers[index].is_ready(position))
    }

    /// Fails if nothing more can come: the store was closed, or a topic deleted.
    fn check_ended(&self) -> Result<()> {
        self.store.check_open()?;
        match self.fetchers.iter().find(|fetcher| fetcher.log.is_deleted()) {
            Some(gone) if !self.is_subscribed() => {
                Err(Error::UnknownTopicOrPartition { topic_partition: gone.topic_partition().clone() })
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        // Who wants to know about failures commits and unsubscribes.
        if self.is_subscribed() {
            self.leave_group();
        } else {
            let _ = self.auto_commit(true);
        }
    }
}
