//! The configs of this node by the names that Kafka's brokers have for them: those of its store, those of the server, and
//! what could not be otherwise.

use super::broker::Broker;
use super::handler::describe_topic_partitions::MAX_REQUEST_PARTITION_SIZE_LIMIT;
use super::partitions::REPLICATION_FACTOR;
use crate::config::{ConfigEntry, ConfigType, static_entry};

impl Broker {
    /// All of them, by name.
    pub(super) fn describe_configs(&self) -> Vec<ConfigEntry> {
        let mut configs = self.store.describe_configs();
        configs.extend(self.config.describe());
        let node_id = self.store.node_id().to_string();
        configs.extend(
            ["broker.id", "node.id"]
                .map(|name| static_entry(name, ConfigType::Int, "The id of this node.", node_id.clone(), None)),
        );
        let documentation = "The directory that the partitions are in.";
        configs.push(static_entry("log.dirs", ConfigType::List, documentation, self.log_dir(), None));
        let fixed = |name, documentation, value: String| {
            static_entry(name, ConfigType::Int, documentation, value.clone(), Some(value))
        };
        let documentation = "How many copies of a partition there are.";
        configs.push(fixed("default.replication.factor", documentation, REPLICATION_FACTOR.to_string()));
        let (documentation, limit) = ("How many partitions a page describes.", MAX_REQUEST_PARTITION_SIZE_LIMIT);
        configs.push(fixed("max.request.partition.size.limit", documentation, limit.to_string()));
        configs.sort_unstable_by_key(|config| config.name);
        configs
    }

    /// The data directory, as far from the root as it takes.
    pub(super) fn log_dir(&self) -> String {
        let dir = self.store.dir();
        std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned()).display().to_string()
    }
}
