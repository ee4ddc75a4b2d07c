//! Where a reader begins.

use std::collections::{HashMap, HashSet};

use esker::net::messages::list_offsets::{EARLIEST_TIMESTAMP, LATEST_TIMESTAMP};
use esker::{Error, IsolationLevel, LeaderEpoch, Offset, TopicPartition};

use super::cluster::Cluster;
use super::trouble::Trouble;
use crate::failure::Result;
use crate::source::{Committed, Start, StartAt};

/// Partitions, and where a reader stands in each.
pub(super) type Positions = Vec<(TopicPartition, Position)>;

/// Where a reader stands in a partition.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position {
    /// The offset of the record that comes next.
    pub(super) offset: Offset,
    /// The leader epoch of what is before that, if it was read or is committed.
    pub(super) leader_epoch: Option<LeaderEpoch>,
}

impl From<Offset> for Position {
    fn from(offset: Offset) -> Self {
        Self { offset, leader_epoch: None }
    }
}

/// What stands for the place where a reader starts that has none of its own.
pub(super) fn reset(start: &Start<'_>) -> i64 {
    if start.from_beginning { EARLIEST_TIMESTAMP } else { LATEST_TIMESTAMP }
}

impl Cluster {
    /// Where a reader starts, in the partitions in the order in which they were given.
    pub(super) fn positions(&mut self, start: &Start<'_>) -> Result<Positions> {
        let mut partitions = start.partitions.clone();
        let mut seen = HashSet::new();
        partitions.retain(|partition| seen.insert(partition.clone()));
        let isolation_level = start.isolation_level;
        let offsets = match start.at {
            None => {
                let try_positions = |cluster: &mut Self| {
                    cluster.try_positions(partitions.clone(), reset(start), start.group, isolation_level)
                };
                return self.retry(try_positions);
            }
            Some(StartAt::Earliest) => self.offsets_at(&partitions, EARLIEST_TIMESTAMP, isolation_level)?,
            Some(StartAt::Latest) => self.offsets_at(&partitions, LATEST_TIMESTAMP, isolation_level)?,
            Some(StartAt::Timestamp(timestamp)) => {
                let found = self.offsets_since(&partitions, timestamp, isolation_level)?;
                let ends = self.offsets_at(&partitions, LATEST_TIMESTAMP, isolation_level)?;
                found.into_iter().zip(ends).map(|(found, end)| if found < 0 { end } else { found.min(end) }).collect()
            }
            Some(StartAt::Offset(offset)) => {
                for (partition, span) in partitions.iter().zip(self.spans_of(&partitions)?) {
                    if !(span.log_start..=span.high_watermark).contains(&offset) {
                        return Err(Error::OffsetOutOfRange {
                            topic_partition: partition.clone(),
                            requested: offset,
                            log_start: span.log_start,
                            high_watermark: span.high_watermark,
                        }
                        .into());
                    }
                }
                vec![offset; partitions.len()]
            }
        };
        Ok(partitions.into_iter().zip(offsets.into_iter().map(Position::from)).collect())
    }

    /// Where a group goes on, and at `reset` where it has committed nothing or there is none.
    pub(super) fn try_positions(
        &mut self,
        partitions: Vec<TopicPartition>,
        reset: i64,
        group: Option<&str>,
        isolation_level: IsolationLevel,
    ) -> Result<Positions, Trouble> {
        if partitions.is_empty() {
            return Ok(Vec::new());
        }
        let offsets = self.try_offsets_at(&partitions, reset, isolation_level)?;
        let committed: HashMap<_, _> = match group {
            Some(group) => {
                let require_stable = isolation_level == IsolationLevel::ReadCommitted;
                self.try_committed(group, Some(&partitions), require_stable)?.into_iter().collect()
            }
            None => HashMap::new(),
        };
        let position = |(partition, reset): (TopicPartition, Offset)| {
            let goes_on = |at: &Committed| Position { offset: at.offset, leader_epoch: at.leader_epoch };
            let position = committed.get(&partition).map_or(reset.into(), goes_on);
            (partition, position)
        };
        Ok(partitions.into_iter().zip(offsets).map(position).collect())
    }
}
