//! DescribeLogDirs: the one data directory, and the sizes of the partitions in it.

use std::collections::BTreeMap;

use crate::net::messages::describe_log_dirs::{
    DescribableLogDirTopic, DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use crate::net::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse};
use crate::server::broker::Broker;

/// Stands for a size that isn't known.
const UNKNOWN_BYTES: i64 = -1;

pub(in crate::server) fn answer(broker: &Broker, request: DescribeLogDirsRequest, _: i16) -> DescribeLogDirsResponse {
    let topics = match request.topics {
        Some(topics) => broker.wanted_sizes(topics),
        None => broker.store.topics().into_iter().filter_map(|name| broker.sizes(name, |_| true)).collect(),
    };
    let space = broker.store.disk_space().ok().flatten();
    let bytes = |bytes: Option<u64>| bytes.map_or(UNKNOWN_BYTES, |bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
    let dir = DescribeLogDirsResult {
        log_dir: broker.log_dir(),
        topics,
        total_bytes: bytes(space.map(|space| space.total_bytes)),
        usable_bytes: bytes(space.map(|space| space.usable_bytes)),
        ..Default::default()
    };
    DescribeLogDirsResponse { results: vec![dir], ..Default::default() }
}

impl Broker {
    /// Those that are named and there.
    fn wanted_sizes(&self, topics: Vec<DescribableLogDirTopic>) -> Vec<DescribeLogDirsTopic> {
        let mut wanted: BTreeMap<String, Vec<i32>> = BTreeMap::new();
        for topic in topics {
            wanted.entry(topic.topic).or_default().extend(topic.partitions);
        }
        let sizes = wanted.into_iter().filter_map(|(name, mut partitions)| {
            partitions.sort_unstable();
            self.sizes(name, |partition| partitions.binary_search(&partition).is_ok())
        });
        sizes.collect()
    }

    /// None if there is nothing to say.
    fn sizes(&self, name: String, is_wanted: impl Fn(i32) -> bool) -> Option<DescribeLogDirsTopic> {
        let topic = self.store.describe_topic(&name).ok()?;
        let wanted = topic.partitions.iter().filter(|partition| is_wanted(partition.partition));
        let partitions: Vec<_> = wanted
            .map(|partition| DescribeLogDirsPartition {
                partition_index: partition.partition,
                partition_size: i64::try_from(partition.size_in_bytes).unwrap_or(i64::MAX),
                offset_lag: 0,
                is_future_key: false,
            })
            .collect();
        (!partitions.is_empty()).then_some(DescribeLogDirsTopic { name, partitions })
    }
}
