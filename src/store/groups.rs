//! Looking at groups and deleting what they have committed, as `kafka-consumer-groups` does.

use std::collections::HashSet;

use super::Store;
use super::offset_state::Group;
use super::offsets::CommittedOffset;
use crate::error::{Error, Result};
use crate::types::{Acks, Offset, TopicPartition};

/// What there is to say of a group.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct GroupDescription {
    /// Its name.
    pub group: String,
    /// What it has committed, by partition.
    pub offsets: Vec<GroupOffset>,
}

/// How far a group has come in a partition, and how far it could.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupOffset {
    /// The partition.
    pub topic_partition: TopicPartition,
    /// What was committed last, with its leader epoch, metadata and time.
    pub committed: CommittedOffset,
    /// The first offset of the partition that can be read; None if it does not exist.
    pub log_start: Option<Offset>,
    /// The offset after the last record that can be read; None if the partition does not exist.
    pub log_end: Option<Offset>,
}

impl GroupOffset {
    /// How many offsets are left to read: negative for a commit beyond the log's end, None if the partition does not
    /// exist.
    pub fn lag(&self) -> Option<i64> {
        Some(self.log_end? - self.committed.offset)
    }
}

impl Store {
    /// Describes a group: what it has committed, and how far that is behind.
    ///
    /// # Errors
    /// [`Error::GroupIdNotFound`] if it has committed nothing; otherwise as
    /// [`committed_offset`](Self::committed_offset).
    pub fn describe_group(&self, group: &str) -> Result<GroupDescription> {
        let committed = self.committed_offsets(group)?;
        if committed.is_empty() {
            return Err(not_found(group));
        }
        let describe = |(topic_partition, committed): (TopicPartition, CommittedOffset)| {
            let log = self.partition(&topic_partition.topic, topic_partition.partition).ok();
            GroupOffset {
                log_start: log.as_ref().map(|log| log.log_start()),
                log_end: log.as_ref().map(|log| log.high_watermark()),
                topic_partition,
                committed,
            }
        };
        Ok(GroupDescription { group: group.to_owned(), offsets: committed.into_iter().map(describe).collect() })
    }

    /// Deletes a group, which is all that it has committed, also within transactions that are open. On return that
    /// survives the loss of power.
    ///
    /// A consumer of the group that is open goes on from where it stands, and its next commit makes the group anew.
    ///
    /// # Errors
    /// [`Error::GroupIdNotFound`] if it has committed nothing; otherwise as [`commit_offsets`](Self::commit_offsets).
    // With members there is more to it.
    #[cfg(not(feature = "coordinator"))]
    pub fn delete_group(&self, group: &str) -> Result<()> {
        self.delete_where(group, Acks::All, |_| true)
    }

    /// Deletes what a group has committed for these partitions. Those for which there is nothing are passed over. On
    /// return that survives the loss of power.
    ///
    /// # Errors
    /// As [`delete_group`](Self::delete_group).
    pub fn delete_offsets<P: Into<TopicPartition>>(
        &self,
        group: &str,
        partitions: impl IntoIterator<Item = P>,
    ) -> Result<()> {
        let partitions: HashSet<TopicPartition> = partitions.into_iter().map(P::into).collect();
        self.delete_where(group, Acks::All, |partition| partitions.contains(partition))
    }

    /// Whether a group has committed something, or an open transaction of it is about to.
    pub(crate) fn has_group(&self, group: &str) -> Result<bool> {
        self.inner.look_at_group(group, Group::has_any)
    }

    /// The groups of which [that](Self::has_group) is so.
    #[cfg(feature = "coordinator")]
    pub(crate) fn groups_with_offsets(&self) -> Result<Vec<String>> {
        self.inner.groups_where(|_, group| group.has_any())
    }

    /// Deletes what a group has committed where that holds. Returns when `acks` says.
    pub(crate) fn delete_where(
        &self,
        group: &str,
        acks: Acks,
        is_deleted: impl Fn(&TopicPartition) -> bool,
    ) -> Result<()> {
        self.check_writable()?;
        if !self.has_group(group)? {
            return Err(not_found(group));
        }
        self.inner.change_offsets(group, acks, |offsets: &Group| {
            let partitions = offsets.partitions();
            match partitions.is_empty() {
                true => Err(not_found(group)),
                false => {
                    Ok(partitions.into_iter().filter(|key| is_deleted(key)).map(|key| (key.clone(), None)).collect())
                }
            }
        })
    }
}

fn not_found(group: &str) -> Error {
    Error::GroupIdNotFound { group: group.to_owned() }
}
