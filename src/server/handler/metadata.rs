//! Metadata: this node, and the topics of its store.

use std::collections::HashSet;

use crate::config::TopicConfig;
use crate::error::Error;
use crate::net::ErrorCode;
use crate::net::messages::metadata::{
    MetadataRequestTopic, MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use crate::net::messages::{MetadataRequest, MetadataResponse};
use crate::server::broker::{Broker, told_epoch};
use crate::server::operations;
use crate::server::partitions::MAX_PARTITIONS_PER_BATCH;
use crate::store::{TopicDescription, is_internal, validate_topic_name};
use crate::uuid::Uuid;

/// From this version on topics may be asked for by id.
const TOPIC_ID_VERSION: i16 = 12;

pub(in crate::server) fn answer(broker: &Broker, request: MetadataRequest, version: i16) -> MetadataResponse {
    // In version 0 an empty list asks for all topics, later a null does.
    let wanted = request.topics.filter(|topics| version > 0 || !topics.is_empty());
    let mut topics: Vec<_> = match wanted {
        None => broker.store.topics().iter().filter_map(|name| broker.known_topic(name).ok()).collect(),
        Some(topics) => {
            let may_create = broker.config.auto_create_topics_enable && request.allow_auto_topic_creation;
            // Each once, however often it is named.
            let mut seen = HashSet::new();
            let once = topics.into_iter().filter(|topic| seen.insert((topic.name.clone(), topic.topic_id)));
            let mut partitions_left = if may_create { MAX_PARTITIONS_PER_BATCH } else { 0 };
            once.map(|topic| broker.wanted_topic(topic, &mut partitions_left, version)).collect()
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
    /// Creates it if need be, and if there may be any more partitions. Otherwise a client asks again.
    fn wanted_topic(
        &self,
        topic: MetadataRequestTopic,
        partitions_left: &mut usize,
        version: i16,
    ) -> MetadataResponseTopic {
        if version < TOPIC_ID_VERSION && (topic.name.is_none() || topic.topic_id != Uuid::ZERO) {
            let MetadataRequestTopic { name, topic_id } = topic;
            let (error_code, name) = (ErrorCode::INVALID_REQUEST, Some(name.unwrap_or_default()));
            return MetadataResponseTopic { error_code, name, topic_id, ..Default::default() };
        }
        // Beside an id Java's consumers say an empty name, where others say none.
        let named = topic.name.filter(|_| topic.topic_id == Uuid::ZERO);
        let Some(name) = named else { return self.topic_with_id(topic.topic_id) };
        let found = validate_topic_name(&name).and_then(|()| self.known_topic(&name)).or_else(|error| {
            if !matches!(error, Error::UnknownTopicOrPartition { .. }) || *partitions_left == 0 {
                return Err(error);
            }
            *partitions_left = partitions_left.saturating_sub(self.config.num_partitions.unsigned_abs() as usize);
            self.create_topic(&name)
        });
        let refuse = |error: Error| MetadataResponseTopic {
            error_code: ErrorCode::from(&error),
            is_internal: is_internal(&name),
            name: Some(name.clone()),
            ..Default::default()
        };
        found.unwrap_or_else(refuse)
    }

    fn create_topic(&self, name: &str) -> Result<MetadataResponseTopic, Error> {
        let created = match is_internal(name) {
            // As its first use would.
            true => self.store.create_internal_topic(name),
            false => self.store.create_topic(name, TopicConfig::new().partitions(self.config.num_partitions)).map(drop),
        };
        match created {
            // Somebody else has asked for it too.
            Ok(()) | Err(Error::TopicAlreadyExists { .. }) => self.known_topic(name),
            Err(error) => Err(error),
        }
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
