//! DescribeTopicPartitions: topics by name, a page of partitions at a time.

use std::collections::BTreeSet;

use crate::net::ErrorCode;
use crate::net::messages::describe_topic_partitions::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use crate::net::messages::{DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse};
use crate::server::broker::{Broker, told_epoch};
use crate::server::operations;
use crate::store::{PartitionDescription, validate_topic_name};

pub(in crate::server) fn answer(
    broker: &Broker,
    request: DescribeTopicPartitionsRequest,
    _: i16,
) -> DescribeTopicPartitionsResponse {
    let from = request.cursor.as_ref();
    let cursor_topic = from.map_or("", |cursor| &*cursor.topic_name);
    let wants_all = request.topics.is_empty();
    let names: BTreeSet<String> = match wants_all {
        true => broker.store.topics().into_iter().collect(),
        false => request.topics.iter().map(|topic| topic.name.clone()).collect(),
    };
    let is_valid = |cursor: &Cursor| cursor.partition_index >= 0 && (wants_all || names.contains(&cursor.topic_name));
    if !from.is_none_or(is_valid) {
        return refuse(request);
    }
    let limit = usize::try_from(request.response_partition_limit).unwrap_or(0);
    let mut room = limit.clamp(1, broker.config.max_request_partition_size_limit);
    let mut response = DescribeTopicPartitionsResponse::default();
    for name in names.into_iter().filter(|name| &**name >= cursor_topic) {
        if room == 0 {
            response.next_cursor = Some(Cursor { topic_name: name, partition_index: 0 });
            break;
        }
        let start = from.filter(|cursor| cursor.topic_name == name).map_or(0, |cursor| cursor.partition_index);
        let topic = match broker.topic_page(&name, start, room) {
            Ok((topic, next)) => {
                room = room.saturating_sub(topic.partitions.len());
                response.next_cursor = next.map(|partition_index| Cursor { topic_name: name, partition_index });
                topic
            }
            // It was deleted after all were listed.
            Err(_) if wants_all => continue,
            Err(error_code) => unknown(name, error_code),
        };
        response.topics.push(topic);
        if response.next_cursor.is_some() {
            break;
        }
    }
    response
}

impl Broker {
    /// A topic with its partitions from index `start` on, as many as there is `room` for, and the one to go on with.
    fn topic_page(
        &self,
        name: &str,
        start: i32,
        room: usize,
    ) -> Result<(DescribeTopicPartitionsResponseTopic, Option<i32>), ErrorCode> {
        validate_topic_name(name)?;
        let topic = self.store.describe_topic(name)?;
        let mut left = topic.partitions.iter().filter(|partition| partition.partition >= start);
        let partitions = left.by_ref().take(room).map(describe).collect();
        let next = left.next().map(|partition| partition.partition);
        let topic = DescribeTopicPartitionsResponseTopic {
            name: Some(topic.name),
            topic_id: topic.id,
            is_internal: topic.is_internal,
            partitions,
            topic_authorized_operations: operations::OF_TOPIC,
            ..Default::default()
        };
        Ok((topic, next))
    }
}

fn describe(partition: &PartitionDescription) -> DescribeTopicPartitionsResponsePartition {
    DescribeTopicPartitionsResponsePartition {
        partition_index: partition.partition,
        leader_id: partition.leader,
        leader_epoch: told_epoch(partition.leader_epoch),
        replica_nodes: partition.replicas.clone(),
        isr_nodes: partition.in_sync_replicas.clone(),
        eligible_leader_replicas: Some(Vec::new()),
        last_known_elr: Some(Vec::new()),
        ..Default::default()
    }
}

fn unknown(name: String, error_code: ErrorCode) -> DescribeTopicPartitionsResponseTopic {
    DescribeTopicPartitionsResponseTopic {
        error_code,
        name: Some(name),
        topic_authorized_operations: operations::OF_TOPIC,
        ..Default::default()
    }
}

/// The response has no place for an error but the topics.
fn refuse(request: DescribeTopicPartitionsRequest) -> DescribeTopicPartitionsResponse {
    let topics = request.topics.into_iter().map(|topic| unknown(topic.name, ErrorCode::INVALID_REQUEST));
    DescribeTopicPartitionsResponse { topics: topics.collect(), ..Default::default() }
}
