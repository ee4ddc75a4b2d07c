//! Where partitions begin and end, and which offset a time is at: each leader is asked for what it leads.

use std::collections::HashMap;
use std::time::Duration;

use esker::net::ErrorCode;
use esker::net::messages::delete_records::{DeleteRecordsPartition, DeleteRecordsTopic};
use esker::net::messages::list_offsets::{
    CONSUMER_REPLICA_ID, DEBUGGING_REPLICA_ID, EARLIEST_TIMESTAMP, LATEST_TIMESTAMP, ListOffsetsPartition,
    ListOffsetsTopic,
};
use esker::net::messages::{DeleteRecordsRequest, ListOffsetsRequest};
use esker::{IsolationLevel, Offset, TopicPartition};

use super::cluster::Cluster;
use super::trouble::Trouble;
use super::wire::REQUEST_TIMEOUT_MS;
use crate::failure::Result;
use crate::source::Span;

/// All that the commands ask; what comes later is other things to ask for.
const LIST_OFFSETS_VERSION: i16 = 7;
const DELETE_RECORDS_VERSION: i16 = 2;

impl Cluster {
    /// The offset, in each of these partitions, of the first record of this time or later; −1 if there is none.
    pub(super) fn offsets_since(
        &mut self,
        partitions: &[TopicPartition],
        timestamp: i64,
        isolation_level: IsolationLevel,
    ) -> Result<Vec<Offset>> {
        // What is below 0 is no time in this API, but stands for something else: −1 for the end.
        self.offsets_at(partitions, timestamp.max(0), isolation_level)
    }

    /// The same, or what a number below 0 stands for.
    pub(super) fn offsets_at(
        &mut self,
        partitions: &[TopicPartition],
        timestamp: i64,
        isolation_level: IsolationLevel,
    ) -> Result<Vec<Offset>> {
        self.retry(|cluster| cluster.try_offsets_at(partitions, timestamp, isolation_level))
    }

    pub(super) fn try_offsets_at(
        &mut self,
        partitions: &[TopicPartition],
        timestamp: i64,
        isolation_level: IsolationLevel,
    ) -> Result<Vec<Offset>, Trouble> {
        self.list_offsets(partitions, timestamp, isolation_level, CONSUMER_REPLICA_ID)
    }

    /// Where the logs of partitions end, whatever consumers may read of them.
    pub(super) fn try_log_ends(&mut self, partitions: &[TopicPartition]) -> Result<Vec<Offset>, Trouble> {
        self.list_offsets(partitions, LATEST_TIMESTAMP, IsolationLevel::ReadUncommitted, DEBUGGING_REPLICA_ID)
    }

    /// Where partitions begin and end.
    pub(super) fn spans_of(&mut self, partitions: &[TopicPartition]) -> Result<Vec<Span>> {
        self.retry(|cluster| cluster.try_spans_of(partitions))
    }

    pub(super) fn try_spans_of(&mut self, partitions: &[TopicPartition]) -> Result<Vec<Span>, Trouble> {
        let starts = self.try_offsets_at(partitions, EARLIEST_TIMESTAMP, IsolationLevel::ReadUncommitted)?;
        let ends = self.try_offsets_at(partitions, LATEST_TIMESTAMP, IsolationLevel::ReadUncommitted)?;
        let span = |(log_start, high_watermark)| Span { log_start, high_watermark };
        Ok(starts.into_iter().zip(ends).map(span).collect())
    }

    fn list_offsets(
        &mut self,
        partitions: &[TopicPartition],
        timestamp: i64,
        isolation_level: IsolationLevel,
        replica_id: i32,
    ) -> Result<Vec<Offset>, Trouble> {
        let mut requests = Vec::new();
        for (leader, led) in self.by_leader(partitions.iter().cloned())? {
            let partition = |partition_index| ListOffsetsPartition { partition_index, timestamp, ..Default::default() };
            let topic = |(name, indexes): (String, Vec<i32>)| ListOffsetsTopic {
                name,
                partitions: indexes.into_iter().map(partition).collect(),
            };
            let request = ListOffsetsRequest {
                replica_id,
                isolation_level: isolation_number(isolation_level),
                topics: by_topic(&led).into_iter().map(topic).collect(),
                ..Default::default()
            };
            requests.push((self.broker(leader)?, request));
        }
        let mut found = HashMap::new();
        for response in self.wire.ask_all(requests, LIST_OFFSETS_VERSION, Duration::ZERO) {
            for topic in response?.topics {
                for at in topic.partitions {
                    let partition = TopicPartition::new(&*topic.name, at.partition_index);
                    if at.error_code != ErrorCode::NONE {
                        return Err(Trouble::of_leader(at.error_code, None, &partition));
                    }
                    found.insert(partition, at.offset);
                }
            }
        }
        in_order(partitions, &found)
    }

    /// Deletes the records of partitions below offsets. Returns where each begins then.
    pub(super) fn delete_before(&mut self, deletions: &[(TopicPartition, Offset)]) -> Result<Vec<Offset>> {
        let wanted: HashMap<_, _> = deletions.iter().cloned().collect();
        let partitions: Vec<_> = deletions.iter().map(|(partition, _)| partition.clone()).collect();
        self.retry(|cluster| {
            let mut requests = Vec::new();
            for (leader, led) in cluster.by_leader(partitions.iter().cloned())? {
                let topic = |(name, indexes): (String, Vec<i32>)| {
                    let partition = |partition_index| DeleteRecordsPartition {
                        partition_index,
                        offset: wanted[&TopicPartition::new(&*name, partition_index)],
                    };
                    DeleteRecordsTopic { partitions: indexes.into_iter().map(partition).collect(), name: name.clone() }
                };
                let topics = by_topic(&led).into_iter().map(topic).collect();
                requests
                    .push((cluster.broker(leader)?, DeleteRecordsRequest { topics, timeout_ms: REQUEST_TIMEOUT_MS }));
            }
            let mut found = HashMap::new();
            for response in cluster.wire.ask_all(requests, DELETE_RECORDS_VERSION, Duration::ZERO) {
                for topic in response?.topics {
                    for at in topic.partitions {
                        let partition = TopicPartition::new(&*topic.name, at.partition_index);
                        if at.error_code != ErrorCode::NONE {
                            return Err(Trouble::of_partition(at.error_code, None, &partition));
                        }
                        found.insert(partition, at.low_watermark);
                    }
                }
            }
            in_order(&partitions, &found)
        })
    }
}

/// Kafka's number for it.
pub(super) fn isolation_number(isolation_level: IsolationLevel) -> i8 {
    match isolation_level {
        IsolationLevel::ReadUncommitted => 0,
        IsolationLevel::ReadCommitted => 1,
    }
}

/// The partitions of each topic, as requests have them.
pub(super) fn by_topic(partitions: &[TopicPartition]) -> Vec<(String, Vec<i32>)> {
    let mut topics: Vec<(String, Vec<i32>)> = Vec::new();
    for partition in partitions {
        match topics.iter_mut().find(|(topic, _)| **topic == *partition.topic) {
            Some((_, indexes)) => indexes.push(partition.partition),
            None => topics.push((partition.topic.to_string(), vec![partition.partition])),
        }
    }
    topics
}

/// What was found of each partition, in the order in which they were asked for.
fn in_order(partitions: &[TopicPartition], found: &HashMap<TopicPartition, Offset>) -> Result<Vec<Offset>, Trouble> {
    let find = |partition: &TopicPartition| {
        found
            .get(partition)
            .copied()
            .ok_or_else(|| Trouble::refused(ErrorCode::UNKNOWN_SERVER_ERROR, None, &partition.to_string()))
    };
    partitions.iter().map(find).collect()
}
