//! Committed offsets: how far each group has come in each partition. The truth is the topic `__consumer_offsets`,
//! in Kafka's schema; this is what its records add up to.

use std::collections::{BTreeMap, HashMap};

use parking_lot::Mutex;

use super::offset_expiry::GroupsInUse;
use super::offset_record::{OffsetKey, partition_for_group};
use super::offset_replay::{Replayed, replay};
use super::topic::internal_config;
use super::{Store, StoreInner};
use crate::error::{Error, Result};
use crate::log::{Damage, Log};
use crate::record::{BatchBuilder, RecordData};
use crate::types::{Acks, LeaderEpoch, Offset, TopicPartition};

pub(super) const CONSUMER_OFFSETS: &str = "__consumer_offsets";
/// How large a batch of commits may get.
const BATCH_BYTES: usize = 1 << 20;

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
}

impl CommittedOffset {
    /// An offset to commit: the one to read next. The store puts the time in.
    pub fn new(offset: Offset) -> Self {
        Self { offset, leader_epoch: None, metadata: String::new(), commit_timestamp: 0 }
    }

    /// Keeps the leader epoch of the last record that was read along with the offset.
    #[must_use]
    pub fn leader_epoch(mut self, leader_epoch: LeaderEpoch) -> Self {
        self.leader_epoch = Some(leader_epoch).filter(|epoch| *epoch >= 0);
        self
    }

    /// Keeps a note with the offset, of at most `offset.metadata.max.bytes`.
    #[must_use]
    pub fn metadata(mut self, metadata: impl Into<String>) -> Self {
        self.metadata = metadata.into();
        self
    }
}

/// The offsets of a group.
pub(super) type Offsets = BTreeMap<TopicPartition, CommittedOffset>;
pub(super) type ByGroup = HashMap<String, Offsets>;
/// Offsets that a group commits, or, where there is None, takes back.
pub(super) type Changes = Vec<(TopicPartition, Option<CommittedOffset>)>;

/// What the records of `__consumer_offsets` add up to.
#[derive(Debug, Default)]
pub(super) struct GroupOffsets {
    /// One lock for all: it is held for the copy of a commit into the log, and never while anybody waits for a device.
    pub(super) by_group: Mutex<ByGroup>,
    pub(super) in_use: GroupsInUse,
}

impl Store {
    /// Commits offsets of a group: the ones to read next. Returns when `acks` says, as for any append.
    ///
    /// # Errors
    /// [`Error::InvalidGroupId`], [`Error::UnknownTopicOrPartition`] and [`Error::OffsetMetadataTooLarge`] before
    /// anything is committed; otherwise as [`Log::append`]. After [`Error::LogOffline`] the offsets may count in this
    /// store and yet be lost with the next open, for they may not be on the device; and of more offsets than fit into a
    /// batch of 1 MiB some may be committed and others not. To commit the same offsets again does no harm.
    pub fn commit_offsets(
        &self,
        group: &str,
        offsets: impl IntoIterator<Item = (TopicPartition, CommittedOffset)>,
        acks: Acks,
    ) -> Result<()> {
        self.inner.commit_offsets(group, offsets.into_iter().collect(), acks)
    }

    /// The offset that a group committed for a partition last, if it did.
    pub fn committed_offset(&self, group: &str, partition: &TopicPartition) -> Option<CommittedOffset> {
        self.inner.look_at_offsets();
        self.inner.offsets.by_group.lock().get(group)?.get(partition).cloned()
    }

    /// All offsets that a group has committed, by partition.
    pub fn committed_offsets(&self, group: &str) -> Vec<(TopicPartition, CommittedOffset)> {
        self.inner.look_at_offsets();
        let by_group = self.inner.offsets.by_group.lock();
        let of =
            |offsets: &Offsets| offsets.iter().map(|(partition, offset)| (partition.clone(), offset.clone())).collect();
        by_group.get(group).map(of).unwrap_or_default()
    }

    /// The groups that have committed offsets, in the order of the alphabet.
    pub fn groups(&self) -> Vec<String> {
        self.inner.look_at_offsets();
        let mut groups: Vec<String> = self.inner.offsets.by_group.lock().keys().cloned().collect();
        groups.sort_unstable();
        groups
    }
}

impl StoreInner {
    fn commit_offsets(&self, group: &str, offsets: Vec<(TopicPartition, CommittedOffset)>, acks: Acks) -> Result<()> {
        self.check_writable()?;
        if group.is_empty() || group.len() > i16::MAX as usize {
            return Err(Error::InvalidGroupId { group: group.to_owned() });
        }
        let max = self.config.offset_metadata_max_bytes;
        for (partition, offset) in &offsets {
            self.partition(&partition.topic, partition.partition)?;
            let size = offset.metadata.len();
            if size > max {
                return Err(Error::OffsetMetadataTooLarge { size, max });
            }
        }
        let now_ms = self.clock.now_ms();
        let commits: Changes = offsets
            .into_iter()
            .map(|(partition, offset)| (partition, Some(CommittedOffset { commit_timestamp: now_ms, ..offset })))
            .collect();
        self.change_offsets(group, acks, |_| Ok(commits.clone()))
    }

    /// Commits and takes back what `decide` makes of a group's offsets, which nobody else changes in between.
    pub(super) fn change_offsets(
        &self,
        group: &str,
        acks: Acks,
        decide: impl Fn(&Offsets) -> Result<Changes>,
    ) -> Result<()> {
        self.reserve.run(|| {
            let log = self.offsets_log(group)?;
            self.offsets.change(&log, group, self.clock.now_ms(), acks, &decide)
        })
    }

    /// The partition of `__consumer_offsets` that has a group's offsets. The first commit creates the topic.
    pub(super) fn offsets_log(&self, group: &str) -> Result<Log> {
        let topic = match self.topic(CONSUMER_OFFSETS) {
            Ok(topic) => topic,
            Err(_) => {
                let config = internal_config().partitions(self.config.offsets_topic_num_partitions);
                match self.create_topic(CONSUMER_OFFSETS, config.segment_bytes(104_857_600)) {
                    Ok(_) | Err(Error::TopicAlreadyExists { .. }) => self.topic(CONSUMER_OFFSETS)?,
                    Err(error) => return Err(error),
                }
            }
        };
        Ok(topic.partitions[partition_for_group(group, topic.partitions.len())].clone())
    }
}

impl GroupOffsets {
    /// Takes in the records of all partitions of `__consumer_offsets`, in the order of their offsets. Returns what
    /// can't be read of each: a group whose commit is lost goes on at the one before.
    pub(super) fn load(&self, partitions: &[Log]) -> Result<Vec<Vec<Damage>>> {
        let mut by_group = self.by_group.lock();
        partitions.iter().map(|log| replay(&mut by_group, log, &mut Replayed::default())).collect()
    }

    /// Takes in what came into the partitions since the last time, as `replayed` tells; or everything anew if they are
    /// not what they were.
    pub(super) fn follow(&self, partitions: &[Log], replayed: &mut Vec<Replayed>) -> Result<()> {
        let mut by_group = self.by_group.lock();
        let is_ahead = |(log, replayed): (&Log, &Replayed)| replayed.is_ahead_of(log);
        if replayed.len() != partitions.len() || partitions.iter().zip(&*replayed).any(is_ahead) {
            by_group.clear();
            *replayed = partitions.iter().map(|_| Replayed::default()).collect();
        }
        for (log, replayed) in partitions.iter().zip(replayed) {
            // What can't be read shows in the log itself, and counts for nothing.
            replay(&mut by_group, log, replayed)?;
        }
        Ok(())
    }

    /// Forgets the offsets of all groups for a topic that is gone.
    pub(super) fn forget_topic(&self, store: &StoreInner, topic: &str) -> Result<()> {
        let is_of_topic = |partition: &TopicPartition| &*partition.topic == topic;
        for group in self.groups_where(|_, offsets| offsets.keys().any(is_of_topic)) {
            let gone = |offsets: &Offsets| {
                Ok(offsets.keys().filter(|key| is_of_topic(key)).map(|key| (key.clone(), None)).collect())
            };
            self.change(&store.offsets_log(&group)?, &group, store.clock.now_ms(), Acks::All, gone)?;
        }
        Ok(())
    }

    /// The groups with offsets for which that holds.
    pub(super) fn groups_where(&self, holds: impl Fn(&str, &Offsets) -> bool) -> Vec<String> {
        let by_group = self.by_group.lock();
        by_group.iter().filter(|(group, offsets)| holds(group, offsets)).map(|(group, _)| group.clone()).collect()
    }

    /// Appends what changes for a group, and then takes it in.
    fn change(
        &self,
        log: &Log,
        group: &str,
        now_ms: i64,
        acks: Acks,
        decide: impl Fn(&Offsets) -> Result<Changes>,
    ) -> Result<()> {
        let mut end = None;
        {
            // Held from the append on, so that the map changes in the order of the log.
            let mut by_group = self.by_group.lock();
            let changes = decide(by_group.get(group).unwrap_or(&Offsets::new()))?;
            let mut builder = BatchBuilder::new(BATCH_BYTES);
            let mut pending = Vec::new();
            let mut flush = |builder: &mut BatchBuilder, pending: &mut Vec<(OffsetKey, Option<CommittedOffset>)>| {
                if !builder.is_empty() {
                    end = Some(log.append(builder.build()?, Acks::Leader)?.sync_target());
                    builder.clear();
                }
                pending.drain(..).for_each(|(key, offset)| apply(&mut by_group, key, offset));
                Ok::<(), Error>(())
            };
            for (partition, offset) in changes {
                let key = OffsetKey { group: group.to_owned(), partition };
                let (key_bytes, value) = (key.encode(), offset.as_ref().map(CommittedOffset::encode));
                let record = RecordData {
                    timestamp: now_ms,
                    key: Some(&key_bytes),
                    value: value.as_deref(),
                    ..RecordData::default()
                };
                if !builder.has_room_for(&record) {
                    flush(&mut builder, &mut pending)?;
                }
                builder.push(&record)?;
                pending.push((key, offset));
            }
            flush(&mut builder, &mut pending)?;
        }
        match end {
            Some(end) if acks == Acks::All => log.wait_synced(end),
            _ => Ok(()),
        }
    }
}

pub(super) fn apply(by_group: &mut ByGroup, key: OffsetKey, offset: Option<CommittedOffset>) {
    match offset {
        Some(offset) => {
            by_group.entry(key.group).or_default().insert(key.partition, offset);
        }
        None => {
            if let Some(offsets) = by_group.get_mut(&key.group) {
                offsets.remove(&key.partition);
                if offsets.is_empty() {
                    by_group.remove(&key.group);
                }
            }
        }
    }
}
