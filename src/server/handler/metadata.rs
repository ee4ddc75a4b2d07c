//! Metadata: this node, and the topics of its store.

use std::collections::{HashMap, HashSet};

use crate::config::TopicConfig;
use crate::error::Error;
use crate::net::ErrorCode;
use crate::net::messages::metadata::{
    MetadataRequestTopic, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use crate::net::messages::{MetadataRequest, MetadataResponse};
use crate::server::broker::{Broker, told_epoch};
use crate::server::operations;
use crate::server::partitions::{MAX_PARTITIONS_PER_BATCH, TOPICS_AT_A_TIME};
use crate::store::{TopicDescription, is_internal, validate_topic_name};
use crate::uuid::Uuid;

/// From this version on topics may be asked for by id.
const TOPIC_ID_VERSION: i16 = 12;

pub(in crate::server) fn answer(broker: &Broker, request: MetadataRequest, version: i16) -> MetadataResponse {
    // In version 0 an empty list asks for all topics, later a null does.
    let wanted = request.topics.filter(|topics| version > 0 || !topics.is_empty());
    let mut topics: Vec<_> = match wanted {
        None => broker.store.topics().iter().filter_map(|name| broker.known_topic(name).ok()).collect(),
        Some(mut topics) => {
            // Who asks for some by their ids is told of none by name.
            if version >= TOPIC_ID_VERSION && topics.iter().any(|topic| topic.topic_id != Uuid::ZERO) {
                topics.retain(|topic| topic.topic_id != Uuid::ZERO);
            }
            let may_create = broker.config.auto_create_topics_enable && request.allow_auto_topic_creation;
            // Each once, however often it is named.
            let mut seen = HashSet::new();
            let once = topics.into_iter().filter(|topic| seen.insert((topic.name.clone(), topic.topic_id)));
            let once: Vec<_> = once.collect();
            let mut refused = if may_create { broker.create_missing(&once, version) } else { HashMap::new() };
            once.into_iter().map(|topic| broker.wanted_topic(topic, &mut refused, version)).collect()
        }
    };
    if request.include_topic_authorized_operations {
        topics
            .iter_mut()
            .filter(|topic| topic.name.is_some())
            .for_each(|topic| topic.topic_authorized_operations = operations::OF_TOPIC);
    }
    let node_id = broker.store.node_id();
    MetadataResponse {
        brokers: vec![MetadataResponseBroker {
            node_id,
            host: broker.host.clone(),
            port: broker.port.into(),
            rack: broker.rack(),
        }],
        cluster_id: Some(broker.store.cluster_id().to_owned()),
        // Whoever it is, it must be among the brokers: admin clients turn to it.
        controller_id: node_id,
        topics,
        cluster_authorized_operations: operations::told_of_cluster(request.include_cluster_authorized_operations),
        ..Default::default()
    }
}

impl Broker {
    /// A topic that is asked for. Of those that are not there some could not be created.
    fn wanted_topic(
        &self,
        topic: MetadataRequestTopic,
        refused: &mut HashMap<String, Error>,
        version: i16,
    ) -> MetadataResponseTopic {
        if !is_valid(&topic, version) {
            let MetadataRequestTopic { name, topic_id } = topic;
            let (error_code, name) = (ErrorCode::INVALID_REQUEST, Some(name.unwrap_or_default()));
            return MetadataResponseTopic { error_code, name, topic_id, ..Default::default() };
        }
        // Beside an id Java's consumers say an empty name, where others say none.
        let named = topic.name.filter(|_| topic.topic_id == Uuid::ZERO);
        let Some(name) = named else { return self.topic_with_id(topic.topic_id) };
        let found = validate_topic_name(&name).and_then(|()| self.known_topic(&name));
        let found = found.map_err(|error| refused.remove(&name).unwrap_or(error));
        let refuse = |error: Error| MetadataResponseTopic {
            error_code: ErrorCode::from(&error),
            is_internal: is_internal(&name),
            name: Some(name.clone()),
            ..Default::default()
        };
        found.unwrap_or_else(refuse)
    }

    /// Creates those of the topics that are not there, as far as there may be so many more partitions: for the others a
    /// client asks again. Returns what kept some from being created.
    fn create_missing(&self, topics: &[MetadataRequestTopic], version: i16) -> HashMap<String, Error> {
        let partitions = self.config.num_partitions;
        let topics_max = MAX_PARTITIONS_PER_BATCH.div_ceil(partitions.unsigned_abs().max(1) as usize);
        let named = topics.iter().filter(|topic| topic.topic_id == Uuid::ZERO && is_valid(topic, version));
        let missing = named.filter_map(|topic| topic.name.as_deref()).filter(|name| {
            let found = validate_topic_name(name).and_then(|()| self.store.partition_count(name));
            matches!(found, Err(Error::UnknownTopicOrPartition { .. }))
        });
        let (internal, others): (Vec<&str>, Vec<&str>) = missing.take(topics_max).partition(|name| is_internal(name));
        let mut results = Vec::new();
        // As their first use would.
        results.extend(internal.into_iter().map(|name| (name, self.store.create_internal_topic(name))));
        for some in others.chunks(TOPICS_AT_A_TIME) {
            let new = some.iter().map(|name| (*name, TopicConfig::new().partitions(partitions))).collect();
            let created = self.store.create_topics(new);
            results.extend(some.iter().zip(created).map(|(name, created)| (*name, created.map(drop))));
        }
        let refused = results.into_iter().filter_map(|(name, created)| match created {
            // Somebody else has asked for it too.
            Ok(()) | Err(Error::TopicAlreadyExists { .. }) => None,
            Err(error) => Some((name.to_owned(), error)),
        });
        refused.collect()
    }

    fn topic_with_id(&self, topic_id: Uuid) -> MetadataResponseTopic {
        let found = self.store.topic_name(topic_id).and_then(|name| self.known_topic(&name).ok());
        // A topic of the same name may have taken its place just now.
        let found = found.filter(|topic| topic.topic_id == topic_id);
        let unknown =
            || MetadataResponseTopic { error_code: ErrorCode::UNKNOWN_TOPIC_ID, topic_id, ..Default::default() };
        found.unwrap_or_else(unknown)
    }

    fn known_topic(&self, name: &str) -> Result<MetadataResponseTopic, Error> {
        self.store.describe_topic(name).map(describe)
    }
}

/// Whether a topic is asked for as it may be in this version.
fn is_valid(topic: &MetadataRequestTopic, version: i16) -> bool {
    version >= TOPIC_ID_VERSION || (topic.name.is_some() && topic.topic_id == Uuid::ZERO)
}

fn describe(topic: TopicDescription) -> MetadataResponseTopic {
    let partitions = topic.partitions.into_iter().map(|partition| MetadataResponsePartition {
        partition_index: partition.partition,
        leader_id: partition.leader,
        leader_epoch: told_epoch(partition.leader_epoch),
        replica_nodes: partition.replicas,
        isr_nodes: partition.in_sync_replicas,
        ..Default::default()
    });
    MetadataResponseTopic {
        partitions: partitions.collect(),
        name: Some(topic.name),
        topic_id: topic.id,
        is_internal: topic.is_internal,
        ..Default::default()
    }
}
