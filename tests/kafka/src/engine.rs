//! What a scenario asks of an engine.

use std::collections::BTreeMap;

use esker::TopicPartition;

use crate::batch::Batch;
use crate::description::Description;

/// Topics by name, and their configs.
pub type Topics = BTreeMap<String, Vec<(&'static str, String)>>;

/// A data directory that is open in one of the engines. Every topic has one partition.
pub trait Engine {
    /// What the engine did not like about the directory when it opened it.
    fn complaints(&self) -> Vec<String>;

    fn create_topic(&self, topic: &str);

    fn set_time(&self, now_ms: i64);

    /// Appends a batch and returns its first offset, or the name of the error.
    fn try_append(&self, at: &TopicPartition, batch: &Batch) -> Result<i64, String>;

    /// Appends a batch that must be accepted, and returns its first offset.
    fn append(&self, at: &TopicPartition, batch: &Batch) -> i64 {
        self.try_append(at, batch).unwrap_or_else(|error| panic!("{at} refuses a batch: {error}"))
    }

    /// From now on batches carry `epoch`.
    fn set_leader_epoch(&self, at: &TopicPartition, epoch: i32);

    /// Deletes the records below `offset`.
    fn delete_records(&self, at: &TopicPartition, offset: i64);

    /// Takes everything from `offset` on, where a batch begins, off the log.
    fn truncate(&self, at: &TopicPartition, offset: i64);

    /// Commits an offset of a group for partition 0 of `topic`.
    fn commit_offset(&self, group: &str, topic: &str, offset: i64, metadata: &str);

    /// Does what is due from time to time: retention, and writing down how far the logs reach.
    fn maintain(&self);

    /// Everything there is to know about a log, and what is found in it for `timestamps`.
    fn describe(&self, at: &TopicPartition, timestamps: &[i64]) -> Description;

    /// Closes the directory, so that the next one to open it need not recover anything.
    fn close(self);
}

/// Where the offsets of groups are.
pub const CONSUMER_OFFSETS: &str = "__consumer_offsets";

/// Partition 0 of a topic.
pub fn partition(topic: &str) -> TopicPartition {
    TopicPartition::new(topic, 0)
}
