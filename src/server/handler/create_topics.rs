//! CreateTopics: each topic for itself.

use crate::config::{ConfigEntry, TopicConfig};
use crate::net::ErrorCode;
use crate::net::messages::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfigs, CreatableTopicResult,
};
use crate::net::messages::{CreateTopicsRequest, CreateTopicsResponse};
use crate::server::api_error::ApiError;
use crate::server::broker::Broker;
use crate::server::config_resource::{config_source, is_told};
use crate::server::duplicates::duplicates;
use crate::server::partitions::{DEFAULT, REPLICATION_FACTOR, check_assignment, check_batch};
use crate::uuid::Uuid;

pub(in crate::server) fn answer(broker: &Broker, request: CreateTopicsRequest, _: i16) -> CreateTopicsResponse {
    let twice = duplicates(request.topics.iter().map(|topic| &*topic.name));
    let asked = request.topics.iter().map(|topic| match topic.assignments.len() {
        0 => usize::try_from(broker.wanted_count(topic)).unwrap_or(0),
        assigned => assigned,
    });
    let batch = check_batch(asked);
    let topics = request.topics.iter().map(|topic| {
        let created = match &batch {
            Err(error) => Err(error.clone()),
            Ok(()) if twice.contains(&*topic.name) => Err(ApiError::invalid_request("Duplicate topic name.")),
            Ok(()) => broker.create(topic, request.validate_only),
        };
        created.unwrap_or_else(|error| CreatableTopicResult {
            name: topic.name.clone(),
            error_code: error.code,
            error_message: error.message,
            configs: Some(Vec::new()),
            ..Default::default()
        })
    });
    CreateTopicsResponse { topics: topics.collect(), ..Default::default() }
}

impl Broker {
    fn create(&self, topic: &CreatableTopic, validate_only: bool) -> Result<CreatableTopicResult, ApiError> {
        let config = config(topic, self.partition_count(topic)?)?;
        let num_partitions = config.partition_count();
        let configs = self.store.describe_new_topic_configs(&config);
        let topic_id = if validate_only {
            self.store.check_new_topic(&topic.name, config)?;
            Uuid::default()
        } else {
            self.store.create_topic(&topic.name, config)?
        };
        Ok(CreatableTopicResult {
            name: topic.name.clone(),
            topic_id,
            num_partitions,
            replication_factor: REPLICATION_FACTOR,
            configs: Some(configs.into_iter().filter(is_told).map(describe).collect()),
            ..Default::default()
        })
    }

    fn wanted_count(&self, topic: &CreatableTopic) -> i32 {
        if topic.num_partitions == DEFAULT { self.config.num_partitions } else { topic.num_partitions }
    }

    /// How many partitions a topic is to have.
    fn partition_count(&self, topic: &CreatableTopic) -> Result<i32, ApiError> {
        if !topic.assignments.is_empty() {
            return assigned_count(topic, self.store.node_id());
        }
        match i32::from(topic.replication_factor) {
            DEFAULT => {}
            ..=0 => {
                let message = "Replication factor must be larger than 0, or -1 to use the default value.";
                return Err(ApiError::new(ErrorCode::INVALID_REPLICATION_FACTOR, message));
            }
            many if many > self.config.replication_factor_max => {
                let message = format!(
                    "Unable to replicate the partition {many} time(s): The target replication factor of {many} cannot be \
                     reached because only 1 broker(s) are registered."
                );
                return Err(ApiError::new(ErrorCode::INVALID_REPLICATION_FACTOR, message));
            }
            _ => {}
        }
        match self.wanted_count(topic) {
            ..=0 => {
                let message = "Number of partitions was set to an invalid non-positive value.";
                Err(ApiError::new(ErrorCode::INVALID_PARTITIONS, message))
            }
            count => Ok(count),
        }
    }
}

/// How many partitions a client has assigned to nodes itself.
fn assigned_count(topic: &CreatableTopic, node_id: i32) -> Result<i32, ApiError> {
    let refuse = |message: &str| Err(ApiError::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, message));
    let refuse_with = |other| {
        let message = format!("A manual partition assignment was specified, but {other} was not set to -1.");
        Err(ApiError::invalid_request(message))
    };
    if topic.replication_factor != -1 {
        return refuse_with("replication factor");
    }
    if topic.num_partitions != DEFAULT {
        return refuse_with("numPartitions");
    }
    let index = |assignment: &CreatableReplicaAssignment| assignment.partition_index;
    if let Some(twice) = duplicates(topic.assignments.iter().map(index)).into_iter().min() {
        return refuse(&format!("Found multiple manual partition assignments for partition {twice}"));
    }
    let count = topic.assignments.len() as i32;
    if topic.assignments.iter().any(|assignment| !(0..count).contains(&assignment.partition_index)) {
        return refuse("partitions should be a consecutive 0-based integer sequence");
    }
    topic.assignments.iter().try_for_each(|assignment| check_assignment(&assignment.broker_ids, node_id))?;
    Ok(count)
}

fn config(topic: &CreatableTopic, partitions: i32) -> Result<TopicConfig, ApiError> {
    let mut config = TopicConfig::new().partitions(partitions);
    for set in &topic.configs {
        let no_value = || format!("Null value not supported for topic configs: {}", set.name);
        let value = set.value.as_ref().ok_or_else(|| ApiError::new(ErrorCode::INVALID_CONFIG, no_value()))?;
        config.set(&set.name, value).map_err(ApiError::of_configs::<TopicConfig>)?;
    }
    Ok(config)
}

fn describe(entry: ConfigEntry) -> CreatableTopicConfigs {
    CreatableTopicConfigs {
        name: entry.name.to_owned(),
        value: Some(entry.value),
        read_only: false,
        config_source: config_source(entry.source),
        is_sensitive: false,
    }
}
