//! DeleteRecords: moves the beginning of partitions.

use std::collections::BTreeMap;

use crate::net::ErrorCode;
use crate::net::messages::delete_records::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult};
use crate::net::messages::{DeleteRecordsRequest, DeleteRecordsResponse};
use crate::server::broker::Broker;
use crate::store::is_internal;
use crate::types::Offset;

pub(in crate::server) fn answer(broker: &Broker, request: DeleteRecordsRequest, _: i16) -> DeleteRecordsResponse {
    // Of a partition that is named more than once the last offset counts, as in Kafka.
    let mut wanted: BTreeMap<String, BTreeMap<i32, Offset>> = BTreeMap::new();
    for topic in request.topics {
        let partitions = topic.partitions.iter().map(|partition| (partition.partition_index, partition.offset));
        wanted.entry(topic.name).or_default().extend(partitions);
    }
    let topics = wanted.into_iter().map(|(name, partitions)| {
        let partitions = partitions.into_iter().map(|(partition_index, offset)| {
            let deleted = broker.delete_records(&name, partition_index, offset);
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

impl Broker {
    fn delete_records(&self, topic: &str, partition: i32, before_offset: Offset) -> Result<Offset, ErrorCode> {
        let log = self.partition(topic, partition)?;
        if is_internal(topic) {
            return Err(ErrorCode::INVALID_TOPIC_EXCEPTION);
        }
        Ok(log.delete_records(before_offset)?)
    }
}
