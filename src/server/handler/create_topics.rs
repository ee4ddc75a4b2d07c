//! CreateTopics: each topic for itself, as far as a client can tell.

use std::collections::HashSet;

use crate::config::{ConfigEntry, TopicConfig};
use crate::error::{Error, TopicNameError};
use crate::net::ErrorCode;
use crate::net::messages::create_topics::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreatableTopicConfigs, CreatableTopicResult,
};
use crate::net::messages::{CreateTopicsRequest, CreateTopicsResponse};
use crate::server::api_error::ApiError;
use crate::server::broker::Broker;
use crate::server::config_resource::is_told;
use crate::server::context::Context;
use crate::server::duplicates::{duplicates, merge};
use crate::server::partitions::{DEFAULT, REPLICATION_FACTOR, TOPICS_AT_A_TIME, check_assignment, check_batch};
use crate::store::validate_topic_name;
use crate::uuid::Uuid;

/// Creates topics until the server is to stop, which may not wait for thousands of them.
pub(in crate::server) fn answer(context: &Context, mut request: CreateTopicsRequest) -> CreateTopicsResponse {
    let broker = &context.broker;
    let twice = merge(&mut request.topics, |topic| topic.name.clone());
    let asked = request.topics.iter().map(|topic| match topic.assignments.len() {
        0 => usize::try_from(broker.wanted_count(topic)).unwrap_or(0),
        assigned => assigned,
    });
    let batch = check_batch(asked);
    let refuse = |some: &[CreatableTopic], error: &ApiError| {
        some.iter().map(|topic| refused(topic, error.clone())).collect::<Vec<_>>()
    };
    let create = |some: &[CreatableTopic]| match &batch {
        Err(error) => refuse(some, error),
        // The client asks whoever is there next.
        Ok(()) if *context.stop.borrow() => {
            refuse(some, &ApiError::new(ErrorCode::NOT_CONTROLLER, "The server is stopping."))
        }
        Ok(()) => broker.create(some, &twice, request.validate_only),
    };
    let topics = request.topics.chunks(TOPICS_AT_A_TIME).flat_map(create);
    CreateTopicsResponse { topics: topics.collect(), ..Default::default() }
}

fn refused(topic: &CreatableTopic, error: ApiError) -> CreatableTopicResult {
    CreatableTopicResult {
        name: topic.name.clone(),
        error_code: error.code,
        error_message: error.message,
        configs: Some(Vec::new()),
        ..Default::default()
    }
}

impl Broker {
    /// Creates topics, of which none may be named `twice`.
    fn create(
        &self,
        topics: &[CreatableTopic],
        twice: &HashSet<String>,
        validate_only: bool,
    ) -> Vec<CreatableTopicResult> {
        // What is said first of a topic that has several things wrong is as in Kafka.
        let config = |topic: &CreatableTopic| match &*topic.name {
            name if twice.contains(name) => Err(ApiError::invalid_request("Duplicate topic name.")),
            // Whatever else is wrong: who wants it to be there is content with how it is.
            name if self.store.topic_id(name).is_some() => {
                Err(Error::TopicAlreadyExists { topic: name.to_owned() }.into())
            }
            name => {
                validate_topic_name(name).map_err(refusal_of_name)?;
                let config = config(topic)?;
                Ok(config.partitions(self.partition_count(topic)?))
            }
        };
        let configs: Vec<Result<TopicConfig, ApiError>> = topics.iter().map(config).collect();
        let new = topics.iter().zip(&configs);
        let new = new.filter_map(|(topic, config)| Some((&*topic.name, config.as_ref().ok()?.clone()))).collect();
        let mut ids = self.create_or_check(new, validate_only).into_iter();
        let result = |(topic, config): (&CreatableTopic, Result<TopicConfig, ApiError>)| {
            let created = config.and_then(|config| {
                let topic_id = ids.next().expect("there is one for each config")?;
                Ok(self.created(topic, topic_id, &config))
            });
            created.unwrap_or_else(|error| refused(topic, error))
        };
        topics.iter().zip(configs).map(result).collect()
    }

    fn create_or_check(&self, topics: Vec<(&str, TopicConfig)>, validate_only: bool) -> Vec<Result<Uuid, Error>> {
        if !validate_only {
            return self.store.create_topics(topics);
        }
        // Kafka tells an id here too, which nothing has: the topic gets another once it is created.
        let check = |(name, config)| self.store.check_new_topic(name, config).map(|()| Uuid::random());
        topics.into_iter().map(check).collect()
    }

    fn created(&self, topic: &CreatableTopic, topic_id: Uuid, config: &TopicConfig) -> CreatableTopicResult {
        let configs = self.store.describe_new_topic_configs(config);
        CreatableTopicResult {
            name: topic.name.clone(),
            topic_id,
            num_partitions: config.partition_count(),
            replication_factor: REPLICATION_FACTOR,
            configs: Some(configs.into_iter().filter(is_told).map(describe).collect()),
            ..Default::default()
        }
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
                     reached because only 1 broker(s) are registered or some brokers have all their log directories \
                     cordoned."
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

/// Why no topic can have a name. That of the cluster's metadata is one for Kafka, but nobody's to use.
fn refusal_of_name(error: Error) -> ApiError {
    match error {
        Error::InvalidTopic { topic, reason: TopicNameError::ClusterMetadata } => {
            ApiError::invalid_request(format!("Creation of internal topic {topic} is prohibited."))
        }
        other => other.into(),
    }
}

fn config(topic: &CreatableTopic) -> Result<TopicConfig, ApiError> {
    let lacks_value = |set: &&CreatableTopicConfig| set.value.is_none();
    let without: Vec<_> = topic.configs.iter().filter(lacks_value).map(|set| &*set.name).collect();
    if !without.is_empty() {
        let message = format!("Null value not supported for topic configs: {}", without.join(","));
        return Err(ApiError::new(ErrorCode::INVALID_CONFIG, message));
    }
    let mut config = TopicConfig::new();
    for CreatableTopicConfig { name, value } in &topic.configs {
        config.set(name, value.as_deref().unwrap_or_default()).map_err(ApiError::of_configs::<TopicConfig>)?;
    }
    Ok(config)
}

fn describe(entry: ConfigEntry) -> CreatableTopicConfigs {
    CreatableTopicConfigs {
        name: entry.name.to_owned(),
        value: Some(entry.value),
        read_only: false,
        config_source: entry.source.id(),
        is_sensitive: false,
    }
}
