//! Changing topics that exist: their configuration, and how many partitions they have.
//!
//! The configuration is one line or another of the topic list, which is replaced as a whole. The partitions that are
//! added count from the moment that the first of them has a directory, which is created last; what a crash before that
//! leaves has a gap before it, and the next open puts it away.

use std::sync::Arc;

use super::topic::{NewPartitions, Topic, check_internal_config, create_partitions};
use super::topic_list::{Listed, TopicList};
use super::topic_name::{is_internal, refuse_internal};
use super::{Store, StoreInner, unknown_topic};
use crate::config::{AlterConfigOp, Alterable, ConfigEntry, LogConfig, TopicConfig};
use crate::error::{Error, Result};
use crate::log::Log;
use crate::types::TopicPartition;

impl Store {
    /// Changes the configuration of a topic (Kafka's `IncrementalAlterConfigs`): all of `changes` or none. On return it
    /// survives the loss of power, and whatever is appended, or looked at by the maintenance, from now on is treated by
    /// it. What lies in the log already stays as it is.
    ///
    /// A topic that a broker created, whose configs are in the metadata log of its cluster, has the configs from then
    /// on that [`describe_topic`](Self::describe_topic) showed, with these changes. The store's own topics stay
    /// compacted.
    ///
    /// ```
    /// # let store = esker::Store::temporary()?;
    /// use esker::{AlterConfigOp, ConfigSource, TopicConfig};
    ///
    /// store.create_topic("events", TopicConfig::new())?;
    /// store.alter_topic_configs("events", &[
    ///     AlterConfigOp::set("retention.ms", "3600000"),
    ///     AlterConfigOp::append("cleanup.policy", "compact"),
    /// ])?;
    /// let configs = store.describe_topic_configs("events")?;
    /// let policy = configs.iter().find(|config| config.name == "cleanup.policy").unwrap();
    /// assert_eq!((&*policy.value, policy.source), ("delete,compact", ConfigSource::DynamicTopicConfig));
    /// # Ok::<(), esker::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::UnknownTopicOrPartition`] if there is no such topic, [`Error::InvalidConfig`] and
    /// [`Error::UnsupportedConfig`] for a change that is refused, [`Error::ReadOnly`]. After [`Error::Io`] and
    /// [`Error::StorageFull`] nothing has changed, but the next open may find that it has.
    pub fn alter_topic_configs(&self, topic: &str, changes: &[AlterConfigOp]) -> Result<()> {
        self.inner.alter_topic_configs(topic, |config| config.altered(changes), false)
    }

    /// All configs of a topic by name, with where their values come from (Kafka's `DescribeConfigs`).
    ///
    /// # Errors
    /// [`Error::UnknownTopicOrPartition`] if there is no such topic.
    pub fn describe_topic_configs(&self, topic: &str) -> Result<Vec<ConfigEntry>> {
        Ok(self.inner.topic(topic)?.config.describe(&self.inner.config.topic_defaults))
    }

    /// Adds partitions to a topic, so that it has `total` (Kafka's `CreatePartitions`). On return they survive the loss
    /// of power; a crash before leaves all of them or none.
    ///
    /// Producers use them at once, and records of a key may go to another partition than before. Consumers see them
    /// when they are assigned the topic the next time.
    ///
    /// # Errors
    /// [`Error::InvalidPartitions`] if `total` is not more than there are, [`Error::UnknownTopicOrPartition`] if there
    /// is no such topic, [`Error::InvalidTopic`] if it is the store's own, [`Error::TopicAlreadyExists`] if something
    /// is in the directories that the partitions would have; [`Error::Io`] or [`Error::StorageFull`] if their files
    /// can't be created, after which they do not exist.
    pub fn create_partitions(&self, topic: &str, total: i32) -> Result<()> {
        refuse_internal(topic)?;
        self.inner.create_partitions(topic, total, false)
    }
}

impl StoreInner {
    /// Gives a topic the configuration that `change` makes of its own, unless it is only to be seen whether that works.
    pub(super) fn alter_topic_configs(
        &self,
        name: &str,
        change: impl FnOnce(&TopicConfig) -> Result<TopicConfig>,
        validate_only: bool,
    ) -> Result<()> {
        let _altering = self.altering.lock();
        let topic = self.topic_to_alter(name)?;
        let config = change(&topic.config)?.over(&self.topic_defaults);
        config.validate()?;
        if is_internal(name) {
            check_internal_config(&config)?;
        }
        if validate_only {
            return Ok(());
        }
        self.list(&topic, &config)?;
        let log_config = LogConfig::from(&config);
        self.topics.write().insert(Topic { config, ..(*topic).clone() });
        topic.partitions.iter().for_each(|log| log.set_config(log_config.clone()));
        Ok(())
    }

    pub(super) fn create_partitions(&self, name: &str, total: i32, validate_only: bool) -> Result<()> {
        let _altering = self.altering.lock();
        let topic = self.topic_to_alter(name)?;
        let current = topic.partitions.len() as i32;
        if total <= current {
            return Err(Error::InvalidPartitions { partitions: total, at_least: current + 1 });
        }
        let added = current..total;
        let found = self.find_remains(&topic.name, added.clone())?;
        if validate_only {
            return Ok(());
        }
        let config = topic.config.clone().partitions(total);
        let opened = self.add_partitions(&topic, &config, total).inspect_err(|_| {
            // The first of them goes first, and what is left of the others the next open clears away.
            let _ = self.discard(&topic.name, added.clone(), &found);
        })?;
        let partitions = topic.partitions.iter().cloned().chain(opened).collect();
        let (name, id) = (topic.name.clone(), topic.id);
        self.topics.write().insert(Topic { name, id, config, partitions });
        self.note_partitions_added();
        Ok(())
    }

    fn add_partitions(&self, topic: &Topic, config: &TopicConfig, total: i32) -> Result<Vec<Log>> {
        let added = topic.partitions.len() as i32..total;
        self.forget_checkpoints_of(|known| known.topic == topic.name && known.partition >= added.start)?;
        // What is left of this after a crash is ours to clear away only if the topic is listed.
        self.list(topic, config)?;
        let new = NewPartitions { topic: &topic.name, id: topic.id, indexes: added.clone() };
        create_partitions(&self.layout, &[new])?;
        added.map(|index| self.open_new(&TopicPartition::new(topic.name.clone(), index), config)).collect()
    }

    fn topic_to_alter(&self, name: &str) -> Result<Arc<Topic>> {
        self.check_writable()?;
        let topic = self.topic(name)?;
        // Its deletion failed halfway.
        if topic.partitions.iter().any(Log::is_deleted) { Err(unknown_topic(name)) } else { Ok(topic) }
    }

    /// Writes down the topic's configuration. A topic that was not created here becomes one of those that were.
    fn list(&self, topic: &Topic, config: &TopicConfig) -> Result<()> {
        let listed = Listed::Created { id: topic.id, config: Box::new(config.clone()) };
        self.reserve.run(|| TopicList::put(&self.layout, &topic.name, listed.clone()))
    }
}
