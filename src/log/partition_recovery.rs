//! What opening a partition found, for a person to look at.

use crate::error::Error;
use crate::types::{Offset, TopicPartition};

/// What opening a partition found and did.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PartitionRecovery {
    /// The partition.
    pub topic_partition: TopicPartition,
    /// The offset that the next record gets.
    pub log_end: Offset,
    /// How many segments were checked batch by batch.
    pub segments_checked: usize,
    /// How many bytes that were.
    pub bytes_checked: u64,
    /// The base offsets of the segments whose indexes were written anew.
    pub indexes_rebuilt: Vec<Offset>,
    /// What was taken off the end of the log, and where it is kept.
    pub cuts: Vec<Cut>,
    /// What is damaged and stays where it is.
    pub damage: Vec<Damage>,
    /// The `leader-epoch-checkpoint` was missing, empty or malformed, and what the batches carry was written in its
    /// place. A malformed one is kept: see `cuts`. Epochs that no batch carries are not known any more.
    pub leader_epochs_rebuilt: bool,
    /// Files whose deletion a crash had interrupted and that are gone now.
    pub deletions_finished: Vec<String>,
    /// Producer snapshots that are damaged and were passed over: what they held was found in the log.
    pub snapshots_ignored: Vec<String>,
}

impl PartitionRecovery {
    /// Nothing was found, and nothing done.
    pub(super) fn nothing(topic_partition: TopicPartition, log_end: Offset) -> Self {
        Self {
            topic_partition,
            log_end,
            segments_checked: 0,
            bytes_checked: 0,
            indexes_rebuilt: Vec::new(),
            cuts: Vec::new(),
            damage: Vec::new(),
            leader_epochs_rebuilt: false,
            deletions_finished: Vec::new(),
            snapshots_ignored: Vec::new(),
        }
    }
}

/// Bytes that were taken off the end of a log: they were not whole batches, or came after some that were not. Or a file
/// that could not be read, as a whole.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Cut {
    /// The name of the file.
    pub file: String,
    /// Where in it the cut was made.
    pub position: u64,
    /// How many bytes were moved aside.
    pub bytes: u64,
    /// The name of the file beside it that has them now.
    pub kept_as: String,
    /// Why: what was wrong at that position.
    pub reason: Error,
}

/// A part of a log that was on the device and can't be read any more.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Damage {
    /// The file, position, offsets and reason, as a reader of those offsets gets it.
    pub error: Error,
}
