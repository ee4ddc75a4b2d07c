//! Moving a group to other offsets, as `kafka-consumer-groups --reset-offsets` does.

use std::time::Duration;

use super::Store;
use super::offsets::CommittedOffset;
use crate::error::{Error, Result};
use crate::log::Log;
use crate::types::{Acks, Offset, TopicPartition};

/// Where a group is to go on in a partition. Whatever it comes to is brought into the log: not before its start and not
/// beyond its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OffsetReset {
    /// At the first record that is there (`--to-earliest`).
    Earliest,
    /// After the last one (`--to-latest`).
    Latest,
    /// Where it stands; after the last record where it has committed nothing (`--to-current`).
    Current,
    /// At this offset (`--to-offset`).
    Offset(Offset),
    /// At the first record with this timestamp or a later one, in milliseconds, or after the last record if there is
    /// none (`--to-datetime`).
    Timestamp(i64),
    /// At the first record that is no older than this by the store's clock (`--by-duration`).
    Duration(Duration),
    /// So many records further, or back if it is negative (`--shift-by`).
    ShiftBy(i64),
}

/// What a reset makes of a group's offset for a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PlannedOffset {
    /// The partition.
    pub topic_partition: TopicPartition,
    /// What is committed before, if anything.
    pub before: Option<Offset>,
    /// What is committed after.
    pub after: Offset,
}

impl Store {
    /// Tells what [`reset_offsets`](Self::reset_offsets) would do, and does nothing (`--dry-run`).
    ///
    /// # Errors
    /// [`Error::UnknownTopicOrPartition`]; [`Error::NoOffsetForPartition`] if the offset of a partition is to be
    /// shifted for which the group has committed none; for a timestamp as
    /// [`offset_for_timestamp`](Log::offset_for_timestamp); otherwise as [`committed_offset`](Self::committed_offset).
    pub fn plan_reset<P: Into<TopicPartition>>(
        &self,
        group: &str,
        partitions: impl IntoIterator<Item = P>,
        to: OffsetReset,
    ) -> Result<Vec<PlannedOffset>> {
        let plan = |topic_partition: TopicPartition| {
            let log = self.partition(&topic_partition.topic, topic_partition.partition)?;
            let before = self.committed_offset(group, &topic_partition)?.map(|committed| committed.offset);
            let after = self.target(&log, before, to)?.ok_or_else(|| Error::NoOffsetForPartition {
                group: group.to_owned(),
                topic_partition: topic_partition.clone(),
            })?;
            Ok(PlannedOffset { topic_partition, before, after })
        };
        partitions.into_iter().map(P::into).map(plan).collect()
    }

    /// Commits other offsets for a group, which need not have committed any before (`--execute`). On return that
    /// survives the loss of power.
    ///
    /// Consumers of the group that are open go on from where they stand: close them first, or their next commit undoes
    /// it.
    ///
    /// ```
    /// # use esker::{Acks, CommittedOffset, OffsetReset, Store, TopicConfig};
    /// # let store = Store::temporary()?;
    /// # store.create_topic("payments", TopicConfig::new())?;
    /// let reset = store.reset_offsets("billing", [("payments", 0)], OffsetReset::Earliest)?;
    /// assert_eq!((reset[0].before, reset[0].after), (None, 0));
    /// # Ok::<(), esker::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`plan_reset`](Self::plan_reset) and [`commit_offsets`](Self::commit_offsets).
    pub fn reset_offsets<P: Into<TopicPartition>>(
        &self,
        group: &str,
        partitions: impl IntoIterator<Item = P>,
        to: OffsetReset,
    ) -> Result<Vec<PlannedOffset>> {
        let planned = self.plan_reset(group, partitions, to)?;
        let commit = |plan: &PlannedOffset| (plan.topic_partition.clone(), CommittedOffset::new(plan.after));
        self.commit_offsets(group, planned.iter().map(commit), Acks::All)?;
        Ok(planned)
    }

    /// Where a group goes on that has committed `before`; None if that takes a commit and there is none.
    fn target(&self, log: &Log, before: Option<Offset>, to: OffsetReset) -> Result<Option<Offset>> {
        let at_timestamp = |timestamp| Ok(log.offset_for_timestamp(timestamp)?.map(|found| found.offset));
        let target = match to {
            OffsetReset::Earliest => Some(log.log_start()),
            OffsetReset::Latest => Some(log.high_watermark()),
            OffsetReset::Current => Some(before.unwrap_or(Offset::MAX)),
            OffsetReset::Offset(offset) => Some(offset),
            OffsetReset::Timestamp(timestamp) => Some(at_timestamp(timestamp)?.unwrap_or(Offset::MAX)),
            OffsetReset::Duration(ago) => {
                let ago_ms = i64::try_from(ago.as_millis()).unwrap_or(i64::MAX);
                let timestamp = self.clock().now_ms().saturating_sub(ago_ms);
                Some(at_timestamp(timestamp)?.unwrap_or(Offset::MAX))
            }
            OffsetReset::ShiftBy(by) => before.map(|before| before.saturating_add(by)),
        };
        Ok(target.map(|target| target.min(log.high_watermark()).max(log.log_start())))
    }
}
