//! DeleteRecords: moves the beginning of partitions.

use std::collections::BTreeMap;

use crate::net::ErrorCode;
use crate::net::messages::delete_records::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult};
use crate::net::messages::{DeleteRecordsRequest, DeleteRecordsResponse};
use crate::server::broker::Broker;
use crate::types::{Offset, TopicPartition};

pub(in crate::server) fn answer(broker: &Broker, request: DeleteRecordsRequest, _: i16) -> DeleteRecordsResponse {
    // Of a partition that is named more than once the last offset counts, as in Kafka.
    let mut wanted: BTreeMap<String, BTreeMap<i32, Offset>> = BTreeMap::new();
    for topic in request.topics {
        let partitions = topic.partitions.iter().map(|partition| (partition.partition_index, partition.offset));
        wanted.entry(topic.name).or_default().extend(partitions);
    }
    let deletions = wanted.iter().flat_map(|(name, partitions)| {
        partitions.iter().map(move |(partition, offset)| (TopicPartition::new(name.as_str(), *partition), *offset))
    });
    let mut deleted = broker.store.delete_records(deletions.collect()).into_iter();
    let topics = wanted.into_iter().map(|(name, partitions)| {
        let partitions = partitions.into_keys().zip(&mut deleted).map(|(partition_index, deleted)| {
            let deleted = deleted.map_err(ErrorCode::from);
            DeleteRecordsPartitionResult {
                partition_index,
                low_watermark: deleted.unwrap_or(-1),
                error_code: deleted.err().unwrap_or(ErrorCode::NONE),
            }
        });
        DeleteRecordsTopicResult { partitions: partitions.collect(), name }
    });
    DeleteRecordsResponse { topics: topics.collect(), ..Default::default() }
}
