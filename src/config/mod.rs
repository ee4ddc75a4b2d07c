//! Kafka's configuration keys, with Kafka's defaults and ranges, as typed fields.
//!
//! At the edges configuration is strings (`"segment.bytes" = "1048576"`), inside it is numbers; [`TopicConfig::set`]
//! is the border, and an unknown key or a value out of range is an error that names key, value and range.

mod alter;
mod cleanup_policy;
mod compression_type;
mod defaults;
mod entry;
mod group;
mod group_assignor;
mod in_process;
#[macro_use]
mod table;
#[cfg(feature = "net")]
mod client;
#[cfg(feature = "sasl")]
mod jaas;
#[cfg(feature = "net")]
mod java_properties;
#[cfg(feature = "net")]
mod listener;
mod migration_policy;
mod numbered;
mod planted_bugs;
#[cfg(feature = "net")]
mod properties;
#[cfg(feature = "sasl")]
mod scram_mechanism;
#[cfg(feature = "net")]
mod security;
#[cfg(feature = "net")]
mod server;
mod store;
mod topic;
mod value;
#[cfg(feature = "net")]
mod without_meaning;

pub use alter::AlterConfigOp;
pub(crate) use alter::Alterable;
pub use cleanup_policy::CleanupPolicy;
#[cfg(feature = "net")]
pub use client::ClientConfig;
pub use compression_type::BrokerCompressionType;
pub use defaults::TopicDefaults;
pub use entry::{ConfigEntry, ConfigSynonym};
#[cfg(feature = "net")]
pub(crate) use entry::{static_entry, unset_entry};
pub use group::GroupConfig;
pub use group_assignor::ConsumerGroupAssignor;
#[cfg(feature = "coordinator")]
pub(crate) use in_process::OF_MEMBERS;
pub(crate) use in_process::{unknown_to_consumers, unknown_to_producers};
#[cfg(feature = "sasl")]
pub(crate) use jaas::Jaas;
#[cfg(feature = "net")]
pub use listener::{Listener, ParseListenerError};
pub use migration_policy::ConsumerGroupMigrationPolicy;
#[cfg(feature = "net")]
pub use numbered::ConfigResourceType;
pub use numbered::{AlterConfigOpType, ConfigSource, ConfigType};
#[cfg(feature = "net")]
pub use properties::ServerProperties;
#[cfg(feature = "sasl")]
pub use scram_mechanism::ScramMechanism;
#[cfg(feature = "net")]
pub use security::{
    ClientAuth, EndpointIdentification, ListenerSecurity, Password, SaslMechanism, SecurityConfig, SecurityProtocol,
    SecurityProtocolMap, StoreType, TlsVersion,
};
#[cfg(feature = "net")]
pub use server::ServerConfig;
pub use store::{StoreConfig, SyncPolicy};
pub(crate) use topic::LogConfig;
pub use topic::TopicConfig;

use crate::error::Error;

pub(crate) fn invalid(key: &str, value: &str, expected: impl Into<String>) -> Error {
    Error::InvalidConfig { key: key.to_owned(), value: value.to_owned(), expected: expected.into() }
}
