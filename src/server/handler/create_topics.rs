//! CreateTopics: each topic for itself.

use crate::config::{ConfigEntry, TopicConfig};
use crate::net::ErrorCode;
use crate::net::messages::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfigs, CreatableTopicResult,
};
use crate::net::messages::{CreateTopicsRequest, CreateTopicsResponse};
use crate::server::api_error::ApiError;
use crate::server::broker::Broker;
use crate::server::config_resource::config_source;
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
            Ok(()) if twice.contains(&*topic.name) => Err(ApiError::invalid_request("the topic is named twice")),
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
            configs: Some(configs.into_iter().map(describe).collect()),
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
                let message = "the replication factor is 1, or -1 for the default";
                return Err(ApiError::new(ErrorCode::INVALID_REPLICATION_FACTOR, message));
            }
            many if many > self.config.replication_factor_max => {
                let message = format!("{many} copies need as many brokers, and there is 1");
                return Err(ApiError::new(ErrorCode::INVALID_REPLICATION_FACTOR, message));
            }
            _ => {}
        }
        match self.wanted_count(topic) {
            ..=0 => {
                let message = "a topic has 1 partition at least; -1 stands for the default";
                Err(ApiError::new(ErrorCode::INVALID_PARTITIONS, message))
            }
            count => Ok(count),
        }
    }
}

/// How many partitions a client has assigned to nodes itself.
fn assigned_count(topic: &CreatableTopic, node_id: i32) -> Result<i32, ApiError> {
    let refuse = |message: &str| Err(ApiError::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, message));
    if topic.replication_factor != -1 || topic.num_partitions != DEFAULT {
        let message = "partitions are assigned by hand: then their number and the replication factor are -1";
        return Err(ApiError::invalid_request(message));
    }
    let index = |assignment: &CreatableReplicaAssignment| assignment.partition_index;
    if !duplicates(topic.assignments.iter().map(index)).is_empty() {
        return refuse("a partition is assigned twice");
    }
    let count = topic.assignments.len() as i32;
    if topic.assignments.iter().any(|assignment| !(0..count).contains(&assignment.partition_index)) {
        return refuse("the partitions that are assigned are not 0, 1, 2 and so on");
    }
    topic.assignments.iter().try_for_each(|assignment| check_assignment(&assignment.broker_ids, node_id))?;
    Ok(count)
}

fn config(topic: &CreatableTopic, partitions: i32) -> Result<TopicConfig, ApiError> {
    let mut config = TopicConfig::new().partitions(partitions);
    for set in &topic.configs {
        let no_value = || format!("config {} needs a value", set.name);
        let value = set.value.as_ref().ok_or_else(|| ApiError::new(ErrorCode::INVALID_CONFIG, no_value()))?;
        config.set(&set.name, value)?;
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
