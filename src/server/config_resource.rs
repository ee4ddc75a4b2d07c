//! What has configs: the kinds of resources, and which of them are here.

use crate::config::ConfigSource;
use crate::server::api_error::ApiError;
use crate::server::broker::Broker;

/// A kind of resource, by Kafka's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConfigResourceType {
    Topic,
    Broker,
    BrokerLogger,
    ClientMetrics,
    Group,
}

impl ConfigResourceType {
    pub(super) fn from_id(id: i8) -> Result<Self, ApiError> {
        match id {
            2 => Ok(Self::Topic),
            4 => Ok(Self::Broker),
            8 => Ok(Self::BrokerLogger),
            16 => Ok(Self::ClientMetrics),
            32 => Ok(Self::Group),
            _ => Err(ApiError::invalid_request(format!("Unknown resource type {id}"))),
        }
    }
}

impl Broker {
    /// Refuses to speak of another node than this one.
    pub(super) fn check_node(&self, name: &str) -> Result<(), ApiError> {
        let node_id = self.store.node_id();
        match name.parse() {
            Ok(id) if node_id == id => Ok(()),
            Ok(_) => {
                Err(ApiError::invalid_request(format!("Unexpected broker id, expected {node_id}, but received {name}")))
            }
            Err(_) => Err(ApiError::invalid_request(format!("Broker id must be an integer, but it is: {name}"))),
        }
    }
}

/// Kafka's number for where a value comes from.
pub(super) fn config_source(source: ConfigSource) -> i8 {
    match source {
        ConfigSource::DynamicTopicConfig => 1,
        ConfigSource::StaticBrokerConfig => 4,
        ConfigSource::DefaultConfig => 5,
    }
}
