//! AddPartitionsToTxn: a transaction will write to partitions. All of them are added, or none.

use crate::net::ErrorCode;
use crate::net::messages::add_partitions_to_txn::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopic, AddPartitionsToTxnTopicResult,
};
use crate::net::messages::{AddPartitionsToTxnRequest, AddPartitionsToTxnResponse};
use crate::server::broker::Broker;
use crate::server::transaction_error;
use crate::store::is_internal;
use crate::types::{ProducerIdAndEpoch, TopicPartition};

/// From this version on clients know that a producer can be fenced.
const FENCED_VERSION: i16 = 2;

pub(in crate::server) fn answer(
    broker: &Broker,
    request: AddPartitionsToTxnRequest,
    version: i16,
) -> AddPartitionsToTxnResponse {
    let mut partitions = Vec::new();
    let check = |topic: AddPartitionsToTxnTopic| {
        let check = |index: &i32| {
            let partition_error_code = broker.check_addable(&topic.name, *index).err().unwrap_or_default();
            partitions.push(TopicPartition::new(&*topic.name, *index));
            AddPartitionsToTxnPartitionResult { partition_index: *index, partition_error_code }
        };
        let results_by_partition = topic.partitions.iter().map(check).collect();
        AddPartitionsToTxnTopicResult { name: topic.name, results_by_partition }
    };
    let mut results: Vec<_> = request.v3_and_below_topics.into_iter().map(check).collect();
    let id = request.v3_and_below_transactional_id;
    let producer = ProducerIdAndEpoch::new(request.v3_and_below_producer_id, request.v3_and_below_producer_epoch);
    let all = || results.iter().flat_map(|topic| &topic.results_by_partition);
    let outcome = if all().any(|result| result.partition_error_code != ErrorCode::NONE) {
        ErrorCode::OPERATION_NOT_ATTEMPTED
    } else if id.is_empty() {
        ErrorCode::INVALID_REQUEST
    } else {
        let added = broker.store.add_partitions_to_transaction(&id, producer, partitions);
        added
            .err()
            .map_or(ErrorCode::NONE, |error| transaction_error::of_coordinator(&error, version >= FENCED_VERSION))
    };
    let all = results.iter_mut().flat_map(|topic| &mut topic.results_by_partition);
    let others = all.filter(|result| result.partition_error_code == ErrorCode::NONE);
    others.for_each(|result| result.partition_error_code = outcome);
    AddPartitionsToTxnResponse { results_by_topic_v3_and_below: results, ..Default::default() }
}

impl Broker {
    fn check_addable(&self, topic: &str, partition: i32) -> Result<(), ErrorCode> {
        if is_internal(topic) {
            // Nobody but the coordinators may write to them.
            return Err(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
        }
        self.partition(topic, partition)?;
        Ok(())
    }
}
