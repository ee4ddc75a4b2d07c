//! CreatePartitions: one answer for each topic.

use std::cmp::Ordering;

use crate::net::ErrorCode;
use crate::net::messages::create_partitions::{CreatePartitionsTopic, CreatePartitionsTopicResult};
use crate::net::messages::{CreatePartitionsRequest, CreatePartitionsResponse};
use crate::server::api_error::{ApiError, outcome};
use crate::server::broker::Broker;
use crate::server::duplicates::merge;
use crate::server::partitions::{check_assignment, check_batch};

pub(in crate::server) fn answer(
    broker: &Broker,
    mut request: CreatePartitionsRequest,
    _: i16,
) -> CreatePartitionsResponse {
    let twice = merge(&mut request.topics, |topic| topic.name.clone());
    let batch = check_batch(request.topics.iter().map(|topic| broker.partitions_to_add(topic)));
    let results = request.topics.iter().map(|topic| {
        let created = match &batch {
            Err(error) => Err(error.clone()),
            Ok(()) if twice.contains(&*topic.name) => Err(ApiError::invalid_request("Duplicate topic name.")),
            Ok(()) => broker.add_partitions(topic, request.validate_only),
        };
        let (error_code, error_message) = outcome(created);
        CreatePartitionsTopicResult { name: topic.name.clone(), error_code, error_message }
    });
    CreatePartitionsResponse { results: results.collect(), ..Default::default() }
}

impl Broker {
    /// How many partitions a topic lacks; 0 if there is no such topic.
    fn partitions_to_add(&self, topic: &CreatePartitionsTopic) -> usize {
        let count = self.store.partition_count(&topic.name).unwrap_or(topic.count);
        usize::try_from(topic.count.saturating_sub(count)).unwrap_or(0)
    }

    fn add_partitions(&self, topic: &CreatePartitionsTopic, validate_only: bool) -> Result<(), ApiError> {
        let count = self.store.partition_count(&topic.name).map_err(|error| ApiError::without_words(&error))?;
        let refuse = |message| Err(ApiError::new(ErrorCode::INVALID_PARTITIONS, message));
        match topic.count.cmp(&count) {
            Ordering::Greater => {}
            Ordering::Equal => return refuse(format!("Topic already has {count} partition(s).")),
            Ordering::Less => {
                let CreatePartitionsTopic { name, count: less, .. } = topic;
                return refuse(format!(
                    "The topic {name} currently has {count} partition(s); {less} would not be an increase."
                ));
            }
        }
        if let Some(assignments) = &topic.assignments {
            let additional = self.partitions_to_add(topic);
            if assignments.len() != additional {
                let message = format!(
                    "Attempted to add {additional} additional partition(s), but only {} assignment(s) were specified.",
                    assignments.len()
                );
                return Err(ApiError::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, message));
            }
            let node_id = self.store.node_id();
            assignments.iter().try_for_each(|assignment| check_assignment(&assignment.broker_ids, node_id))?;
        }
        match validate_only {
            true => Ok(self.store.check_new_partitions(&topic.name, topic.count)?),
            false => Ok(self.store.create_partitions(&topic.name, topic.count)?),
        }
    }
}
