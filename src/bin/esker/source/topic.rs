//! Topics, as they are described wherever they are.

use esker::{ConfigEntry, PartitionDescription, TopicDescription};
use serde::Serialize;

use super::config::Config;

/// A topic.
#[derive(Debug, Serialize)]
pub(crate) struct Topic {
    pub(crate) topic: String,
    pub(crate) id: String,
    pub(crate) internal: bool,
    pub(crate) partitions: Vec<Partition>,
    pub(crate) configs: Vec<Config>,
}

/// A partition of it.
#[derive(Debug, Serialize)]
pub(crate) struct Partition {
    pub(crate) partition: i32,
    pub(crate) leader: i32,
    pub(crate) replicas: Vec<i32>,
    pub(crate) in_sync_replicas: Vec<i32>,
    pub(crate) log_start: i64,
    pub(crate) high_watermark: i64,
    pub(crate) log_end: i64,
    pub(crate) size_in_bytes: u64,
}

/// A topic in a line.
#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) topic: String,
    pub(crate) id: String,
    pub(crate) partitions: usize,
    pub(crate) internal: bool,
}

impl Topic {
    pub(crate) fn new(topic: &TopicDescription, configs: &[ConfigEntry]) -> Self {
        Self {
            topic: topic.name.clone(),
            id: topic.id.to_string(),
            internal: topic.is_internal,
            partitions: topic.partitions.iter().map(Partition::from).collect(),
            configs: configs.iter().filter(|one| is_told(one)).map(Config::from).collect(),
        }
    }
}

/// One is for tests. Brokers don't tell of it, and here it is told if somebody has set it.
fn is_told(config: &ConfigEntry) -> bool {
    config.name != "internal.segment.bytes" || !config.is_default()
}

impl From<&PartitionDescription> for Partition {
    fn from(from: &PartitionDescription) -> Self {
        Self {
            partition: from.partition,
            leader: from.leader,
            replicas: from.replicas.clone(),
            in_sync_replicas: from.in_sync_replicas.clone(),
            log_start: from.log_start,
            high_watermark: from.high_watermark,
            log_end: from.log_end,
            size_in_bytes: from.size_in_bytes,
        }
    }
}
