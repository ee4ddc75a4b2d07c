//! The configs of this node by the names that Kafka's brokers have for them: those of its store, and those of the server.

use super::broker::Broker;
use super::handler::describe_topic_partitions::MAX_REQUEST_PARTITION_SIZE_LIMIT;
use super::partitions::REPLICATION_FACTOR;
use crate::config::{ConfigEntry, ConfigType, TopicConfig, static_entry};
use crate::net::frame::SOCKET_REQUEST_MAX_BYTES;

impl Broker {
    /// All of them, by name.
    pub(super) fn describe_configs(&self) -> Vec<ConfigEntry> {
        use ConfigType::{Boolean, Int, List, String};
        let node_id = self.store.node_id().to_string();
        let partitions = TopicConfig::new().partition_count().to_string();
        let replicas = REPLICATION_FACTOR.to_string();
        let limit = MAX_REQUEST_PARTITION_SIZE_LIMIT.to_string();
        let max_bytes = self.socket_request_max_bytes.to_string();
        let default_max_bytes = SOCKET_REQUEST_MAX_BYTES.to_string();
        let auto_create = self.auto_create_topics.to_string();
        let listener = format!("PLAINTEXT://{}:{}", self.host, self.port);
        let dir = self.log_dir();
        let entries = [
            ("advertised.listeners", String, "Where clients are told to connect to.", listener, None),
            (
                "auto.create.topics.enable",
                Boolean,
                "Whether a topic that a client asks for is created if it doesn't exist.",
                auto_create,
                Some("true"),
            ),
            ("broker.id", Int, "The id of this node.", node_id.clone(), None),
            (
                "default.replication.factor",
                Int,
                "How many copies of a new topic's partitions there are.",
                replicas,
                Some("1"),
            ),
            ("log.dirs", List, "The directory that the partitions are in.", dir, None),
            (
                "max.request.partition.size.limit",
                Int,
                "How many partitions a page of topics describes at most.",
                limit,
                Some("2000"),
            ),
            ("node.id", Int, "The id of this node.", node_id, None),
            ("num.partitions", Int, "How many partitions a new topic has if nobody says.", partitions, Some("1")),
            (
                "socket.request.max.bytes",
                Int,
                "The largest request that is taken, in bytes.",
                max_bytes,
                Some(&*default_max_bytes),
            ),
        ];
        let of_server = entries.into_iter().map(|(name, config_type, documentation, value, default)| {
            static_entry(name, config_type, documentation, value, default.map(str::to_owned))
        });
        let mut configs: Vec<_> = self.store.describe_configs().into_iter().chain(of_server).collect();
        configs.sort_unstable_by_key(|config| config.name);
        configs
    }

    /// The data directory, as far from the root as it takes.
    pub(super) fn log_dir(&self) -> String {
        let dir = self.store.dir();
        std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned()).display().to_string()
    }
}
