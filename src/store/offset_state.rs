//! What the records of a partition of `__consumer_offsets` add up to (Kafka's `OffsetMetadataManager`): the offsets
//! that groups have committed, and those of transactions that are not decided yet.
//!
//! Pure state: records and markers in, in the order of the log. Of several commits for a partition the one counts whose
//! record comes last, whenever its transaction ends: that is the one that compaction keeps.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::offset_record::OffsetKey;
use super::offsets::CommittedOffset;
use crate::record::TransactionResult;
use crate::types::{Offset, ProducerId, TopicPartition};

/// All groups of a partition of `__consumer_offsets`.
#[derive(Debug, Default)]
pub(super) struct PartitionOffsets {
    groups: HashMap<String, Group>,
    /// Which groups a producer has offsets pending of.
    open: HashMap<ProducerId, BTreeSet<String>>,
}

/// What one group has committed, or is about to.
#[derive(Debug, Default)]
pub(super) struct Group {
    committed: BTreeMap<TopicPartition, Commit>,
    /// What counts once its transaction is committed, by producer.
    pending: HashMap<ProducerId, BTreeMap<TopicPartition, Commit>>,
}

#[derive(Debug)]
struct Commit {
    /// The offset of its record in `__consumer_offsets`.
    position: Offset,
    committed: CommittedOffset,
}

impl PartitionOffsets {
    /// The group of this name, if it has committed something or has something pending.
    pub(super) fn group(&self, name: &str) -> Option<&Group> {
        self.groups.get(name)
    }

    pub(super) fn groups(&self) -> impl Iterator<Item = (&String, &Group)> {
        self.groups.iter()
    }

    /// Takes in a commit whose record is at `position`: one of this producer's open transaction, if there is one.
    pub(super) fn commit(
        &mut self,
        key: OffsetKey,
        position: Offset,
        committed: CommittedOffset,
        transaction: Option<ProducerId>,
    ) {
        let group = self.groups.entry(key.group.clone()).or_default();
        let commit = Commit { position, committed };
        match transaction {
            None => group.committed.insert(key.partition, commit),
            Some(producer) => {
                self.open.entry(producer).or_default().insert(key.group);
                group.pending.entry(producer).or_default().insert(key.partition, commit)
            }
        };
    }

    /// Takes in that an offset was taken back: also one that was pending.
    pub(super) fn take_back(&mut self, key: &OffsetKey) {
        let Some(group) = self.groups.get_mut(&key.group) else { return };
        group.committed.remove(&key.partition);
        for pending in group.pending.values_mut() {
            pending.remove(&key.partition);
        }
        self.forget_if_empty(&key.group);
    }

    /// Takes in the end of a producer's transaction.
    pub(super) fn end_transaction(&mut self, producer: ProducerId, result: TransactionResult) {
        for name in self.open.remove(&producer).unwrap_or_default() {
            let Some(group) = self.groups.get_mut(&name) else { continue };
            let pending = group.pending.remove(&producer).unwrap_or_default();
            if result == TransactionResult::Commit {
                pending.into_iter().for_each(|(partition, commit)| group.decide(partition, commit));
            }
            self.forget_if_empty(&name);
        }
    }

    fn forget_if_empty(&mut self, name: &str) {
        if self.groups.get(name).is_some_and(Group::is_empty) {
            self.groups.remove(name);
        }
    }
}

impl Group {
    /// What was committed for a partition.
    pub(super) fn committed(&self, partition: &TopicPartition) -> Option<&CommittedOffset> {
        self.committed.get(partition).map(|commit| &commit.committed)
    }

    /// Everything that was committed, in the order of partitions.
    pub(super) fn all_committed(&self) -> impl Iterator<Item = (&TopicPartition, &CommittedOffset)> {
        self.committed.iter().map(|(partition, commit)| (partition, &commit.committed))
    }

    pub(super) fn has_committed(&self) -> bool {
        !self.committed.is_empty()
    }

    /// Whether it has committed something, or an open transaction of it is about to.
    pub(super) fn has_any(&self) -> bool {
        self.has_committed() || self.pending.values().any(|pending| !pending.is_empty())
    }

    /// Whether an open transaction has an offset for a partition, so that what was committed may change without another
    /// commit.
    pub(super) fn is_unstable(&self, partition: &TopicPartition) -> bool {
        self.pending.values().any(|pending| pending.contains_key(partition))
    }

    /// The partitions with something committed or pending.
    pub(super) fn partitions(&self) -> BTreeSet<&TopicPartition> {
        self.committed.keys().chain(self.pending.values().flat_map(BTreeMap::keys)).collect()
    }

    /// Whether nothing would be left of it. A transaction that is open keeps it, even if its offsets were taken back.
    fn is_empty(&self) -> bool {
        self.committed.is_empty() && self.pending.is_empty()
    }

    fn decide(&mut self, partition: TopicPartition, commit: Commit) {
        if self.committed.get(&partition).is_none_or(|known| known.position < commit.position) {
            self.committed.insert(partition, commit);
        }
    }
}
