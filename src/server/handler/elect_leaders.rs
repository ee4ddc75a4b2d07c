//! ElectLeaders: with one node, which leads every partition, there is never a need to.

use crate::net::ErrorCode;
use crate::net::messages::elect_leaders::{PartitionResult, ReplicaElectionResult, TopicPartitions};
use crate::net::messages::{ElectLeadersRequest, ElectLeadersResponse};
use crate::server::api_error::{ApiError, TOO_MANY_PARTITIONS};
use crate::server::broker::Broker;

/// From this version on there is an error of the whole.
const ERROR_CODE_VERSION: i16 = 1;

pub(in crate::server) fn answer(broker: &Broker, request: ElectLeadersRequest, version: i16) -> ElectLeadersResponse {
    let checked = broker.check_election(&request);
    let error_code = checked.as_ref().err().map_or(ErrorCode::NONE, |error| error.code);
    let elect = |TopicPartitions { topic, partitions }: TopicPartitions| {
        let count = broker.store.partition_count(&topic).ok();
        let partitions = partitions.into_iter().map(|partition_id| {
            let ApiError { code: error_code, message: error_message } = match &checked {
                Ok(()) => why_none(&topic, count, partition_id),
                Err(refused) => refused.clone(),
            };
            PartitionResult { partition_id, error_code, error_message }
        });
        let partition_result = partitions.collect();
        ReplicaElectionResult { topic, partition_result }
    };
    let topics = request.topic_partitions.unwrap_or_default().into_iter().map(elect);
    ElectLeadersResponse {
        error_code: if version < ERROR_CODE_VERSION { ErrorCode::NONE } else { error_code },
        replica_election_results: topics.collect(),
        ..Default::default()
    }
}

impl Broker {
    fn check_election(&self, request: &ElectLeadersRequest) -> Result<(), ApiError> {
        if !(0..=1).contains(&request.election_type) {
            return Err(ApiError::invalid_request(format!("Unknown election type {}", request.election_type)));
        }
        let topics = request.topic_partitions.iter().flatten();
        let checked = self.check_partitions(topics.map(|topic| topic.partitions.len()));
        checked.map_err(|code| ApiError::new(code, TOO_MANY_PARTITIONS))
    }
}

/// Why a partition of a topic, which has so many if it is there, has no election.
fn why_none(topic: &str, count: Option<i32>, partition: i32) -> ApiError {
    let unknown = |message| ApiError::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, message);
    match count {
        None => unknown(format!("No such topic as {topic}")),
        Some(count) if !(0..count).contains(&partition) => unknown(format!("No such partition as {topic}-{partition}")),
        Some(_) => ApiError::new(ErrorCode::ELECTION_NOT_NEEDED, "Leader election not needed for topic partition."),
    }
}
