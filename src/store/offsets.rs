//! Committed offsets: how far each group has come in each partition.
//!
//! The truth is the topic `__consumer_offsets`, in Kafka's schema. What is held in memory is what its records add up
//! to, and whoever looks takes in first what has come into the log since: commits, and the markers that decide
//! transactions.
//!
//! ```text
//!   commit → what the group has now → records → __consumer_offsets → offset_replay → offset_state → whoever asks
//!                                     markers ↗
//! ```

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};

use super::offset_expiry::GroupsInUse;
use super::offset_record::{OffsetKey, partition_for_group};
use super::offset_replay::Replayed;
use super::offset_state::Group;
use super::record_fields::STRING_BYTES_MAX;
use super::topic::Topic;
use super::{Store, StoreInner};
use crate::error::{Error, Result};
use crate::log::{AppendOptions, Damage, Log, SyncTarget};
use crate::record::{BatchBuilder, RecordData};
use crate::types::{Acks, LeaderEpoch, Offset, ProducerIdAndEpoch, TopicPartition};
use crate::uuid::Uuid;

pub(super) const CONSUMER_OFFSETS: &str = "__consumer_offsets";
/// How large a batch of records about groups may get.
pub(super) const BATCH_BYTES: usize = 1 << 20;

/// How many bytes metadata can have, whatever the configuration says: its length is 16 bits wide in its record, and
/// longer metadata would make the whole of the log unreadable.
const METADATA_BYTES_MAX: usize = i16::MAX as usize;

/// How far a group has come in a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommittedOffset {
    /// The offset to read next.
    pub offset: Offset,
    /// The leader epoch of the last record that was read, if the committer told.
    pub leader_epoch: Option<LeaderEpoch>,
    /// Whatever the committer wanted to keep with it.
    pub metadata: String,
    /// When it was committed, in milliseconds since the Unix epoch.
    pub commit_timestamp: i64,
    /// When it expires, where its committer has said so, as old clients of a server can (OffsetCommit up to version 4).
    /// All others expire `offsets.retention.minutes` after their commit.
    pub expire_timestamp: Option<i64>,
}

impl CommittedOffset {
    /// An offset to commit: the one to read next, which of a consumed record is that [`after`](Self::after) it. The
    /// store puts the time in.
    pub fn new(offset: Offset) -> Self {
        Self { offset, leader_epoch: None, metadata: String::new(), commit_timestamp: 0, expire_timestamp: None }
    }

    /// Keeps the leader epoch of the last record that was read along with the offset.
    #[must_use]
    pub fn leader_epoch(mut self, leader_epoch: LeaderEpoch) -> Self {
        self.leader_epoch = Some(leader_epoch).filter(|epoch| *epoch >= 0);
        self
    }

    /// Keeps a note with the offset, of at most `offset.metadata.max.bytes`, which are UTF-16 units as in Kafka.
    #[must_use]
    pub fn metadata(mut self, metadata: impl Into<String>) -> Self {
        self.metadata = metadata.into();
        self
    }
}

/// Offsets that a group commits, or, where there is None, takes back.
pub(super) type Changes = Vec<(TopicPartition, Option<CommittedOffset>)>;

/// What the records of `__consumer_offsets` add up to.
#[derive(Debug, Default)]
pub(super) struct GroupOffsets {
    /// One lock for all. It is held from the decision on a commit to its copy into the log, so that the next one
    /// decides by what is there, and never while anybody waits for a device.
    state: Mutex<State>,
    pub(super) in_use: Arc<GroupsInUse>,
}

#[derive(Debug, Default)]
struct State {
    /// Which topic `__consumer_offsets` it was: that of a directory that another process writes may be deleted.
    topic_id: Option<Uuid>,
    partitions: Vec<Replayed>,
}

impl Store {
    /// Commits offsets of a group: the ones to read next. Returns when `acks` says, as for any append; but what
    /// `flush.messages` says is not waited for.
    ///
    /// # Errors
    /// [`Error::InvalidGroupId`], [`Error::UnknownTopicOrPartition`], [`Error::OffsetMetadataTooLarge`] and, for an
    /// offset below 0, [`Error::OffsetOutOfRange`] before anything is committed; otherwise as [`Log::append`]. After
    /// [`Error::LogOffline`] the offsets may count in this store and yet be lost with the next open, for they may not
    /// be on the device; and of more offsets than fit into a batch of 1 MiB some may be committed and others not. To
    /// commit the same offsets again does no harm.
    pub fn commit_offsets(
        &self,
        group: &str,
        offsets: impl IntoIterator<Item = (TopicPartition, CommittedOffset)>,
        acks: Acks,
    ) -> Result<()> {
        check_group_id(group)?;
        let offsets: Vec<_> = offsets.into_iter().collect();
        if let Some((at, committed)) = offsets.iter().find(|(_, committed)| committed.offset < 0) {
            return Err(self.partition(&at.topic, at.partition)?.out_of_range(committed.offset));
        }
        self.inner.commit_offsets(group, offsets, acks, None)
    }

    /// Commits offsets of a group within a transaction: they count once it is committed. The group must have been
    /// [added](Self::add_offsets_to_transaction) to it before. Nothing is waited for: the end of the transaction makes
    /// its records durable.
    ///
    /// # Errors
    /// As [`commit_offsets`](Self::commit_offsets), and [`Error::InvalidProducerEpoch`] if the transaction was aborted
    /// because another producer has taken over, or because it took too long.
    pub fn commit_offsets_in_transaction(
        &self,
        group: &str,
        offsets: impl IntoIterator<Item = (TopicPartition, CommittedOffset)>,
        producer: ProducerIdAndEpoch,
    ) -> Result<()> {
        check_group_id(group)?;
        self.inner.commit_offsets(group, offsets.into_iter().collect(), Acks::Leader, Some(producer))
    }

    /// As [`commit_offsets`](Self::commit_offsets), but waits for nothing, and the group may be the one without a name:
    /// that is the one of consumers of Kafka before 2.2 that name none, and they commit for it.
    #[cfg(feature = "net")]
    pub(crate) fn commit_offsets_of_client(
        &self,
        group: &str,
        offsets: impl IntoIterator<Item = (TopicPartition, CommittedOffset)>,
    ) -> Result<()> {
        self.inner.commit_offsets(group, offsets.into_iter().collect(), Acks::Leader, None)
    }

    /// Fails as [`commit_offsets`](Self::commit_offsets) would for this offset, and commits nothing.
    #[cfg(feature = "net")]
    pub(crate) fn check_commit(&self, at: &TopicPartition, offset: &CommittedOffset) -> Result<()> {
        self.inner.check_commit(at, offset)
    }

    /// The offset that a group committed for a partition last, if it did.
    ///
    /// One that was committed within a transaction counts once that is committed.
    ///
    /// # Errors
    /// Whatever keeps `__consumer_offsets` from being read: what was committed last is not known then, and may be later
    /// than what was known before. Try again.
    pub fn committed_offset(
        &self,
        group: &str,
        partition: impl Into<TopicPartition>,
    ) -> Result<Option<CommittedOffset>> {
        let partition = partition.into();
        self.inner.look_at_group(group, |group| group.committed(&partition).cloned())
    }

    /// The offset that a group committed for a partition last, unless an open transaction may be about to change it
    /// (`require.stable` of KIP-447): whoever takes over from a consumer that commits within transactions must not go
    /// on from before the records that are being committed.
    ///
    /// # Errors
    /// [`Error::UnstableOffsetCommit`] until the transaction has ended, which takes `transaction.timeout.ms` of its
    /// producer at most: try again. Otherwise as [`committed_offset`](Self::committed_offset).
    pub fn stable_committed_offset(
        &self,
        group: &str,
        partition: impl Into<TopicPartition>,
    ) -> Result<Option<CommittedOffset>> {
        let partition = partition.into();
        self.inner.look_at_group(group, |offsets| match offsets.is_unstable(&partition) {
            true => Err(Error::UnstableOffsetCommit { group: group.to_owned(), topic_partition: partition.clone() }),
            false => Ok(offsets.committed(&partition).cloned()),
        })?
    }

    /// All offsets that a group has committed, by partition.
    ///
    /// # Errors
    /// As [`committed_offset`](Self::committed_offset).
    pub fn committed_offsets(&self, group: &str) -> Result<Vec<(TopicPartition, CommittedOffset)>> {
        self.inner.look_at_group(group, |group| {
            group.all_committed().map(|(partition, committed)| (partition.clone(), committed.clone())).collect()
        })
    }

    /// The groups that have committed offsets, in the order of the alphabet.
    ///
    /// # Errors
    /// As [`committed_offset`](Self::committed_offset).
    pub fn groups(&self) -> Result<Vec<String>> {
        let mut groups = self.inner.groups_where(|_, group| group.has_committed())?;
        groups.sort_unstable();
        Ok(groups)
    }

    /// The partition of `__consumer_offsets` that has the commits of a group, if anything was ever committed.
    pub(crate) fn offsets_log_of(&self, group: &str) -> Option<Log> {
        self.inner.topic(CONSUMER_OFFSETS).ok().map(|topic| log_of(&topic, group))
    }
}

impl StoreInner {
    fn commit_offsets(
        &self,
        group: &str,
        offsets: Vec<(TopicPartition, CommittedOffset)>,
        acks: Acks,
        transaction: Option<ProducerIdAndEpoch>,
    ) -> Result<()> {
        self.check_writable()?;
        check_group_id_len(group)?;
        let check_all = || offsets.iter().try_for_each(|(at, offset)| self.check_commit(at, offset));
        check_all()?;
        let now_ms = self.clock.now_ms();
        let commits: Changes = offsets
            .iter()
            .cloned()
            .map(|(partition, offset)| (partition, Some(CommittedOffset { commit_timestamp: now_ms, ..offset })))
            .collect();
        self.change_offsets_in(transaction, group, acks, |_| {
            // Once more in the commit's turn: whoever deletes a topic takes back after that what was committed for it.
            check_all()?;
            Ok(commits.clone())
        })
    }

    /// Fails for what can't be committed: the partition doesn't exist, or the note is too large.
    fn check_commit(&self, at: &TopicPartition, offset: &CommittedOffset) -> Result<()> {
        let bytes = (offset.metadata.len(), METADATA_BYTES_MAX);
        // Whatever the config is called, Kafka counts what `String.length` does.
        let characters = (offset.metadata.encode_utf16().count(), self.config.offset_metadata_max_bytes);
        match [characters, bytes].into_iter().find(|(size, max)| size > max) {
            Some((size, max)) => Err(Error::OffsetMetadataTooLarge { size, max }),
            None => self.partition(&at.topic, at.partition).map(drop),
        }
    }

    /// Commits and takes back what `decide` makes of what a group has, which nobody else changes in between.
    pub(super) fn change_offsets(
        &self,
        group: &str,
        acks: Acks,
        decide: impl Fn(&Group) -> Result<Changes>,
    ) -> Result<()> {
        self.change_offsets_in(None, group, acks, decide)
    }

    fn change_offsets_in(
        &self,
        transaction: Option<ProducerIdAndEpoch>,
        group: &str,
        acks: Acks,
        decide: impl Fn(&Group) -> Result<Changes>,
    ) -> Result<()> {
        self.reserve.run(|| {
            let topic = self.offsets_topic()?;
            let index = partition_for_group(group, topic.partitions.len());
            let log = &topic.partitions[index];
            let end = {
                let mut state = self.offsets.state_of(&topic);
                let replayed = &mut state.partitions[index];
                replayed.follow(log)?;
                let changes = decide(replayed.offsets.group(group).unwrap_or(&Group::default()))?;
                append_changes(log, replayed, group, changes, self.clock.now_ms(), transaction)?
            };
            match end {
                Some(end) if acks == Acks::All => log.wait_synced(end),
                _ => Ok(()),
            }
        })
    }

    /// The partition of `__consumer_offsets` that a group commits to.
    pub(super) fn offsets_log(&self, group: &str) -> Result<Log> {
        self.offsets_topic().map(|topic| log_of(&topic, group))
    }

    /// The topic `__consumer_offsets`, which the first commit creates.
    pub(super) fn offsets_topic(&self) -> Result<Arc<Topic>> {
        self.internal_topic(CONSUMER_OFFSETS, self.config.offsets_topic_num_partitions)
    }

    /// Looks at what a group has committed, as the log has it now.
    pub(super) fn look_at_group<T>(&self, group: &str, look: impl FnOnce(&Group) -> T) -> Result<T> {
        self.look_at_offsets()?;
        let Ok(topic) = self.topic(CONSUMER_OFFSETS) else { return Ok(look(&Group::default())) };
        let index = partition_for_group(group, topic.partitions.len());
        let mut state = self.offsets.state_of(&topic);
        let replayed = &mut state.partitions[index];
        // What is damaged counts as not committed: an open says so, and a look at the log.
        replayed.follow(&topic.partitions[index])?;
        Ok(look(replayed.offsets.group(group).unwrap_or(&Group::default())))
    }

    /// The groups for which that holds.
    pub(super) fn groups_where(&self, holds: impl Fn(&str, &Group) -> bool) -> Result<Vec<String>> {
        self.look_at_offsets()?;
        let Ok(topic) = self.topic(CONSUMER_OFFSETS) else { return Ok(Vec::new()) };
        let mut state = self.offsets.state_of(&topic);
        let mut groups = Vec::new();
        for (replayed, log) in state.partitions.iter_mut().zip(&topic.partitions) {
            replayed.follow(log)?;
            let found = replayed.offsets.groups().filter(|(name, group)| holds(name, group));
            groups.extend(found.map(|(name, _)| name.clone()));
        }
        Ok(groups)
    }

    /// Takes back the offsets of all groups for topics that are gone, pending ones too.
    pub(super) fn forget_offsets_of_topics(&self, topics: &HashSet<&str>) -> Result<()> {
        let is_of_topic = |partition: &&TopicPartition| topics.contains(&*partition.topic);
        let take_back = |group: &Group| {
            Ok(group.partitions().into_iter().filter(is_of_topic).map(|partition| (partition.clone(), None)).collect())
        };
        // Nobody commits for it any more, so whoever is not among these now will not be.
        for group in self.groups_where(|_, group| group.partitions().iter().any(is_of_topic))? {
            self.change_offsets(&group, Acks::All, take_back)?;
        }
        Ok(())
    }

    /// Takes in what another process has committed.
    pub(super) fn follow_offsets(&self) -> Result<()> {
        match self.topic(CONSUMER_OFFSETS) {
            Ok(topic) => self.offsets.load(&topic).map(drop),
            Err(_) => Ok(()),
        }
    }
}

impl GroupOffsets {
    /// Takes in the records of all partitions of `__consumer_offsets`. Returns what can't be read of each: a group
    /// whose commit is lost goes on at the one before.
    pub(super) fn load(&self, topic: &Topic) -> Result<Vec<Vec<Damage>>> {
        let mut state = self.state_of(topic);
        state.partitions.iter_mut().zip(&topic.partitions).map(|(replayed, log)| replayed.follow(log)).collect()
    }

    /// What was taken in of this topic by now, with something for each of its partitions.
    fn state_of(&self, topic: &Topic) -> MutexGuard<'_, State> {
        let mut state = self.state.lock();
        if state.topic_id != Some(topic.id) || state.partitions.len() != topic.partitions.len() {
            let partitions = topic.partitions.iter().map(|_| Replayed::default()).collect();
            *state = State { topic_id: Some(topic.id), partitions };
        }
        state
    }
}

pub(crate) fn check_group_id(group: &str) -> Result<()> {
    match group.is_empty() {
        true => Err(Error::InvalidGroupId { group: group.to_owned() }),
        false => check_group_id_len(group),
    }
}

/// That it fits into its records.
fn check_group_id_len(group: &str) -> Result<()> {
    match group.len() > STRING_BYTES_MAX {
        true => Err(Error::InvalidGroupId { group: group.to_owned() }),
        false => Ok(()),
    }
}

/// The partition of this `__consumer_offsets` that has the commits of a group.
fn log_of(topic: &Topic, group: &str) -> Log {
    topic.partitions[partition_for_group(group, topic.partitions.len())].clone()
}

/// Appends what changes for a group, in as many batches as that takes, and takes it in. Returns what to wait for until
/// it is on the device, if there is anything.
fn append_changes(
    log: &Log,
    replayed: &mut Replayed,
    group: &str,
    changes: Changes,
    now_ms: i64,
    transaction: Option<ProducerIdAndEpoch>,
) -> Result<Option<SyncTarget>> {
    let mut builder = BatchBuilder::new(BATCH_BYTES);
    if let Some(ProducerIdAndEpoch { producer_id, producer_epoch }) = transaction {
        // Whatever a producer commits goes through here and in turn: that needs no sequence numbers.
        builder = builder.transactional(true).producer(producer_id, producer_epoch, -1);
    }
    let options = AppendOptions::new(Acks::Leader).by_coordinator();
    let (mut end, mut batch) = (None, Vec::new());
    let mut flush = |builder: &mut BatchBuilder, batch: &mut Vec<_>| {
        if !builder.is_empty() {
            let appended = log.append_with(builder.build()?, options)?;
            replayed.take_in_appended(appended.base_offset, batch.drain(..), transaction);
            end = Some(appended.sync_target());
            builder.clear();
        }
        Ok::<(), Error>(())
    };
    for (partition, offset) in changes {
        let key = OffsetKey { group: group.to_owned(), partition };
        let (key_bytes, value) = (key.encode(), offset.as_ref().map(CommittedOffset::encode));
        let record =
            RecordData { timestamp: now_ms, key: Some(&key_bytes), value: value.as_deref(), ..RecordData::default() };
        if !builder.has_room_for(&record) {
            flush(&mut builder, &mut batch)?;
        }
        builder.push(&record)?;
        batch.push((key, offset));
    }
    flush(&mut builder, &mut batch)?;
    Ok(end)
}
