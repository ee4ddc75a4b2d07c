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
            _ => Err(ApiError::invalid_request(format!("there are no resources of type {id}"))),
        }
    }
}

impl Broker {
    /// Refuses to speak of another node than this one.
    pub(super) fn check_node(&self, name: &str) -> Result<(), ApiError> {
        let node_id = self.store.node_id();
        match name.parse() {
            Ok(id) if node_id == id => Ok(()),
            Ok(_) => Err(ApiError::invalid_request(format!("this is broker {node_id}, not {name}"))),
            Err(_) => {
                Err(ApiError::invalid_request(format!("the name of a broker is its id, and {name} is no number")))
            }
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
