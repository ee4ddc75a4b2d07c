//! The configs of this node by the names that Kafka's brokers have for them: those of its store, those of the server,
//! and what could not be otherwise.

use super::broker::Broker;
use super::config_resource::is_told;
use super::partitions::REPLICATION_FACTOR;
use crate::config::{ConfigEntry, ConfigType, static_entry, unset_entry};

/// What is the same for all nodes: there is one, and what it does with its clients.
const FIXED: [(&str, ConfigType, &str, &str); 6] = [
    (
        "authorizer.class.name",
        ConfigType::String,
        "",
        "Who decides what clients may do: nobody, they may do everything.",
    ),
    ("default.replication.factor", ConfigType::Int, ONE, "How many copies of a partition there are."),
    (
        "security.inter.broker.protocol",
        ConfigType::String,
        "PLAINTEXT",
        "How brokers speak with each other. There is one, and it has nobody to speak with.",
    ),
    ("offsets.topic.replication.factor", ConfigType::Short, ONE, "How many copies of __consumer_offsets there are."),
    (
        "transaction.state.log.min.isr",
        ConfigType::Int,
        ONE,
        "How many copies of __transaction_state must have what is appended to it.",
    ),
    (
        "transaction.state.log.replication.factor",
        ConfigType::Short,
        ONE,
        "How many copies of __transaction_state there are.",
    ),
];

/// As text. All copies of a partition are here.
const ONE: &str = "1";
const _: () = assert!(REPLICATION_FACTOR == 1);

/// What has no default in Kafka, and is null unless somebody sets it.
const WITHOUT_DEFAULT: [(&str, ConfigType, &str); 6] = [
    ("inter.broker.listener.name", ConfigType::String, "The listener at which brokers speak with each other."),
    ("log.flush.interval.ms", ConfigType::Long, "What log.flush.scheduler.interval.ms is, if it is set."),
    ("log.retention.minutes", ConfigType::Int, "What log.retention.hours is, in minutes, if it is set."),
    ("log.retention.ms", ConfigType::Long, "What log.retention.minutes is, in milliseconds, if it is set."),
    ("log.roll.jitter.ms", ConfigType::Long, "What log.roll.jitter.hours is, in milliseconds, if it is set."),
    ("log.roll.ms", ConfigType::Long, "What log.roll.hours is, in milliseconds, if it is set."),
];

/// What is of another type here than in Kafka: a size in memory, and a time that none is too long for.
const KAFKAS_TYPES: [(&str, ConfigType); 3] = [
    ("connection.failed.authentication.delay.ms", ConfigType::Int),
    ("log.cleaner.dedupe.buffer.size", ConfigType::Long),
    ("queued.max.request.bytes", ConfigType::Long),
];

impl Broker {
    /// All that are told, by name.
    pub(super) fn describe_configs(&self) -> Vec<ConfigEntry> {
        let mut configs = self.store.describe_configs();
        configs.extend(self.config.describe());
        configs.retain(is_told);
        configs.iter_mut().for_each(as_kafka_has_it);
        let is_known = |name: &str| configs.iter().any(|config| config.name == name);
        let unset: Vec<_> = WITHOUT_DEFAULT.iter().filter(|(name, ..)| !is_known(name)).collect();
        configs.extend(unset.into_iter().map(|(name, config_type, about)| unset_entry(name, *config_type, about)));
        let fixed = |name, config_type, about, value: String| {
            static_entry(name, config_type, about, value.clone(), Some(value))
        };
        configs
            .extend(FIXED.map(|(name, config_type, value, about)| fixed(name, config_type, about, value.to_owned())));
        let node_id = self.store.node_id().to_string();
        configs.extend(
            ["broker.id", "node.id"]
                .map(|name| static_entry(name, ConfigType::Int, "The id of this node.", node_id.clone(), None)),
        );
        let documentation = "The directory that the partitions are in.";
        configs.extend(
            ["log.dir", "log.dirs"]
                .map(|name| static_entry(name, ConfigType::List, documentation, self.log_dir(), None)),
        );
        let documentation = "What this node is of a cluster: there are no controllers to speak to.";
        configs.push(static_entry("process.roles", ConfigType::List, documentation, "broker".to_owned(), None));
        configs.sort_unstable_by_key(|config| config.name);
        configs
    }

    /// The data directory, as far from the root as it takes.
    pub(super) fn log_dir(&self) -> String {
        let dir = self.store.dir();
        std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned()).display().to_string()
    }
}

/// Whether nobody has a value for one of a broker's configs, which is null then.
pub(super) fn is_unset(config: &ConfigEntry) -> bool {
    config.synonyms.is_empty()
}

/// Gives a config of the tables Kafka's type. And where the tables have an empty text for what nobody has set, it is
/// unset: Kafka has no default for that. An empty list is one, except for where clients are told to connect to.
fn as_kafka_has_it(config: &mut ConfigEntry) {
    if let Some((_, config_type)) = KAFKAS_TYPES.iter().find(|(name, _)| *name == config.name) {
        config.config_type = *config_type;
    }
    let may_be_empty = config.config_type == ConfigType::List && config.name != "advertised.listeners";
    if config.is_default() && config.value.is_empty() && !may_be_empty {
        config.synonyms.clear();
    }
}
