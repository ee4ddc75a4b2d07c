//! What has configs: the kinds of resources, and which of them are here.

use crate::config::{ConfigEntry, ConfigResourceType};
use crate::error::Result;
use crate::server::api_error::ApiError;
use crate::server::broker::Broker;

/// What Kafka has for itself and for tests, and what it knows of listeners alone.
const UNTOLD: [&str; 6] = [
    "group.consumer.regex.refresh.interval.ms",
    "internal.segment.bytes",
    "plain.sasl.jaas.config",
    "producer.id.expiration.check.interval.ms",
    "scram-sha-256.sasl.jaas.config",
    "scram-sha-512.sasl.jaas.config",
];

/// The kind of resource that a client means.
pub(super) fn resource_type(id: i8) -> Result<ConfigResourceType, ApiError> {
    ConfigResourceType::from_id(id).ok_or_else(|| unknown_resource_type(id))
}

pub(super) fn unknown_resource_type(id: i8) -> ApiError {
    ApiError::invalid_request(format!("Unknown resource type {id}"))
}

impl Broker {
    /// The resources of a type: of groups, those that have configs of their own.
    pub(super) fn names_of(&self, resource_type: ConfigResourceType) -> Result<Vec<String>> {
        match resource_type {
            ConfigResourceType::Topic => Ok(self.store.topics()),
            ConfigResourceType::Broker | ConfigResourceType::BrokerLogger => Ok(vec![self.store.node_id().to_string()]),
            ConfigResourceType::ClientMetrics => Ok(Vec::new()),
            ConfigResourceType::Group => self.store.configured_groups(),
        }
    }

    /// Refuses to speak of another node than this one. Kafka has other words for that wherever it is refused: this
    /// takes what a node is called there, and what is said of this one's id and another.
    pub(super) fn check_node(
        &self,
        name: &str,
        of: &str,
        refuse: impl FnOnce(i32, i32) -> String,
    ) -> Result<(), ApiError> {
        let node_id = self.store.node_id();
        match name.parse() {
            Ok(id) if node_id == id => Ok(()),
            Ok(id) => Err(ApiError::invalid_request(refuse(node_id, id))),
            Err(_) => Err(ApiError::invalid_request(format!("{of} id must be an integer, but it is: {name}"))),
        }
    }
}

/// Whether clients are told of a config of a topic or this node: of what Kafka does not list where somebody has set it.
pub(super) fn is_told(config: &ConfigEntry) -> bool {
    !config.is_default() || !UNTOLD.contains(&config.name)
}
