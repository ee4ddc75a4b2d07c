//! DescribeProducers: the producers that partitions remember, and their open transactions (KIP-664).

use std::collections::HashSet;

use crate::log::ActiveProducer;
use crate::net::messages::describe_producers::{PartitionResponse, ProducerState, TopicResponse};
use crate::net::messages::{DescribeProducersRequest, DescribeProducersResponse};
use crate::server::api_error::{ApiError, TOO_MANY_PARTITIONS, outcome};
use crate::server::broker::Broker;
use crate::server::duplicates::duplicates;
use crate::store::validate_topic_name;

pub(in crate::server) fn answer(
    broker: &Broker,
    request: DescribeProducersRequest,
    _: i16,
) -> DescribeProducersResponse {
    let checked = broker.check_partitions(request.topics.iter().map(|topic| topic.partition_indexes.len()));
    let all =
        request.topics.iter().flat_map(|topic| topic.partition_indexes.iter().map(|index| (&*topic.name, *index)));
    let twice: HashSet<(&str, i32)> = if checked.is_ok() { duplicates(all) } else { HashSet::new() };
    let topics = request.topics.iter().map(|topic| {
        let partitions = topic.partition_indexes.iter().map(|index| {
            let described = match (checked, twice.contains(&(&*topic.name, *index))) {
                (Err(error_code), _) => Err(ApiError::new(error_code, TOO_MANY_PARTITIONS)),
                (Ok(()), true) => Err(ApiError::invalid_request("the partition is named twice")),
                (Ok(()), false) => broker.producers(&topic.name, *index),
            };
            let mut response = PartitionResponse { partition_index: *index, ..Default::default() };
            match described {
                Ok(producers) => response.active_producers = producers,
                error => (response.error_code, response.error_message) = outcome(error),
            }
            response
        });
        TopicResponse { name: topic.name.clone(), partitions: partitions.collect() }
    });
    DescribeProducersResponse { topics: topics.collect(), ..Default::default() }
}

impl Broker {
    fn producers(&self, topic: &str, partition: i32) -> Result<Vec<ProducerState>, ApiError> {
        validate_topic_name(topic)?;
        let log = self.partition(topic, partition)?;
        Ok(log.active_producers().iter().map(describe).collect())
    }
}

fn describe(producer: &ActiveProducer) -> ProducerState {
    ProducerState {
        producer_id: producer.producer_id,
        producer_epoch: producer.producer_epoch.into(),
        last_sequence: producer.last_sequence.unwrap_or(-1),
        last_timestamp: producer.last_timestamp,
        coordinator_epoch: producer.coordinator_epoch.unwrap_or(-1),
        current_txn_start_offset: producer.transaction_start.unwrap_or(-1),
    }
}
