//! Changes of configs, in the two ways that clients ask for them: some by name, or all at once.

use super::api_error::ApiError;
use super::broker::Broker;
use super::config_resource::{resource_type, unknown_resource_type};
use super::duplicates::duplicates;
use crate::config::{AlterConfigOp, AlterConfigOpType, Alterable, ConfigResourceType, GroupConfig, TopicConfig};
use crate::net::ErrorCode;
use crate::store::validate_topic_name;

/// What a resource's configs are to be.
#[derive(Debug)]
pub(super) struct Alteration {
    pub(super) resource_type: i8,
    pub(super) resource_name: String,
    pub(super) changes: Changes,
}

#[derive(Debug)]
pub(super) enum Changes {
    /// These change and the others stay (`IncrementalAlterConfigs`).
    Incremental(Vec<Change>),
    /// These are set and the others have their defaults (`AlterConfigs`).
    All(Vec<Change>),
}

#[derive(Debug)]
pub(super) struct Change {
    pub(super) name: String,
    /// Of an [`AlterConfigOpType`], if it is right.
    pub(super) operation: i8,
    pub(super) value: Option<String>,
}

impl Change {
    /// Gives a config a value.
    pub(super) fn set(name: String, value: Option<String>) -> Self {
        Self { name, operation: AlterConfigOpType::Set.id(), value }
    }

    fn deletes(&self) -> bool {
        self.operation == AlterConfigOpType::Delete.id()
    }

    fn to_configs(changes: &[Self]) -> Vec<(String, String)> {
        changes.iter().map(|change| (change.name.clone(), change.value.clone().unwrap_or_default())).collect()
    }

    /// As in Kafka, to delete a config that there is none of is to delete nothing: it was never set.
    fn to_operations<A: Alterable + Default>(changes: &[Self]) -> Result<Vec<AlterConfigOp>, ApiError> {
        let is_nothing = |change: &&Self| change.deletes() && !A::default().has_config(&change.name);
        changes.iter().filter(|change| !is_nothing(change)).map(Self::to_operation::<A>).collect()
    }

    fn to_operation<A: Alterable + Default>(&self) -> Result<AlterConfigOp, ApiError> {
        // Only to delete a config takes no value.
        let (key, value) = (&*self.name, self.value.as_deref().unwrap_or_default());
        let check_list = |operation: AlterConfigOpType| match A::default().list(key) {
            Ok(Some(_)) => Ok(()),
            _ => {
                let operation = operation.name();
                let message = format!("Can't {operation} to key {key} because its type is not LIST.");
                Err(ApiError::new(ErrorCode::INVALID_CONFIG, message))
            }
        };
        let unknown = || ApiError::invalid_request(format!("Unknown operations type {}", self.operation));
        let operation = AlterConfigOpType::from_id(self.operation).ok_or_else(unknown)?;
        match operation {
            AlterConfigOpType::Set => Ok(AlterConfigOp::set(key, value)),
            AlterConfigOpType::Delete => Ok(AlterConfigOp::delete(key)),
            AlterConfigOpType::Append => check_list(operation).map(|()| AlterConfigOp::append(key, value)),
            AlterConfigOpType::Subtract => check_list(operation).map(|()| AlterConfigOp::subtract(key, value)),
        }
    }
}

impl Changes {
    fn list(&self) -> &[Change] {
        match self {
            Self::Incremental(changes) | Self::All(changes) => changes,
        }
    }

    /// Refuses what no resource takes.
    fn check(&self) -> Result<(), ApiError> {
        if !duplicates(self.list().iter().map(|change| &*change.name)).is_empty() {
            return Err(ApiError::invalid_request("Error due to duplicate config keys"));
        }
        let lacks_value = |change: &&Change| change.value.is_none() && !change.deletes();
        let without: Vec<_> = self.list().iter().filter(lacks_value).map(|change| &*change.name).collect();
        if !without.is_empty() {
            return Err(ApiError::invalid_request(format!("Null value not supported for : {}", without.join(", "))));
        }
        Ok(())
    }
}

/// What a node does not let happen to its loggers: there is none.
fn refuse_logger(change: &Change) -> Result<(), ApiError> {
    let operation = match AlterConfigOpType::from_id(change.operation) {
        Some(AlterConfigOpType::Set | AlterConfigOpType::Delete) => {
            return Err(ApiError::new(ErrorCode::INVALID_CONFIG, format!("Logger {} does not exist!", change.name)));
        }
        Some(other) => format!("{} operation", other.name()),
        None => format!("Unknown operation type {}", change.operation),
    };
    Err(ApiError::invalid_request(format!("{operation} is not allowed for the BROKER_LOGGER resource")))
}

impl Broker {
    /// Alters resources, each as a whole or not at all, unless it is only to be seen whether that works.
    pub(super) fn alter_configs(
        &self,
        alterations: Vec<Alteration>,
        validate_only: bool,
    ) -> Vec<(Alteration, Result<(), ApiError>)> {
        let resource = |alteration: &Alteration| (alteration.resource_type, alteration.resource_name.clone());
        let resources: Vec<_> = alterations.iter().map(resource).collect();
        let twice = duplicates(&resources);
        let alter = |(alteration, resource): (Alteration, &(i8, String))| {
            let altered = match twice.contains(resource) {
                true => Err(ApiError::invalid_request("Each resource must appear at most once.")),
                false => self.alter(&alteration, validate_only),
            };
            (alteration, altered)
        };
        alterations.into_iter().zip(&resources).map(alter).collect()
    }

    fn alter(&self, alteration: &Alteration, validate_only: bool) -> Result<(), ApiError> {
        let Alteration { resource_type, resource_name: name, changes } = alteration;
        changes.check()?;
        match (self::resource_type(*resource_type)?, changes) {
            (ConfigResourceType::Topic, changes) => self.alter_topic(name, changes, validate_only),
            (ConfigResourceType::Broker, changes) => self.alter_broker(name, changes),
            (ConfigResourceType::BrokerLogger, Changes::All(_)) => Err(unknown_resource_type(*resource_type)),
            (ConfigResourceType::BrokerLogger, Changes::Incremental(changes)) => {
                let refuse = |node_id, id| format!("Unexpected node id. Expected {node_id}, but received {id}");
                self.check_node(name, "Node", refuse)?;
                changes.iter().try_for_each(refuse_logger)
            }
            (ConfigResourceType::Group, changes) => self.alter_group(name, changes, validate_only),
            (ConfigResourceType::ClientMetrics, _) => {
                Err(ApiError::invalid_request("configs of client metrics are not kept here"))
            }
        }
    }

    fn alter_topic(&self, topic: &str, changes: &Changes, validate_only: bool) -> Result<(), ApiError> {
        if topic.is_empty() {
            return Err(ApiError::invalid_request("Default topic resources are not allowed."));
        }
        validate_topic_name(topic)?;
        match changes {
            Changes::All(changes) => {
                self.store.replace_topic_configs(topic, &Change::to_configs(changes), validate_only)
            }
            Changes::Incremental(changes) => {
                let changes = Change::to_operations::<TopicConfig>(changes)?;
                match validate_only {
                    true => self.store.check_topic_configs(topic, &changes),
                    false => self.store.alter_topic_configs(topic, &changes),
                }
            }
        }
        .map_err(ApiError::of_configs::<TopicConfig>)
    }

    fn alter_group(&self, group: &str, changes: &Changes, validate_only: bool) -> Result<(), ApiError> {
        if group.is_empty() {
            return Err(ApiError::invalid_request("Default group resources are not allowed."));
        }
        match changes {
            Changes::All(changes) => {
                let configs = Change::to_configs(changes);
                self.store.change_group_configs(group, |config| config.replaced(&configs), validate_only)
            }
            Changes::Incremental(changes) => {
                let changes = Change::to_operations::<GroupConfig>(changes)?;
                self.store.change_group_configs(group, |config| config.altered(&changes), validate_only)
            }
        }
        .map_err(ApiError::of_configs::<GroupConfig>)
    }

    /// None of a broker's configs changes while it runs, and so there is none to delete either.
    fn alter_broker(&self, name: &str, changes: &Changes) -> Result<(), ApiError> {
        if !name.is_empty() {
            let refuse = |node_id, id| format!("Unexpected broker id, expected {node_id}, but received {id}");
            self.check_node(name, "Node", refuse)?;
        }
        let changed = changes.list().iter().filter(|change| !change.deletes());
        let changed: Vec<_> = changed.map(|change| &*change.name).collect();
        if !changed.is_empty() {
            let message = format!("Cannot update these configs dynamically: [{}]", changed.join(", "));
            return Err(ApiError::invalid_request(message));
        }
        Ok(())
    }
}
