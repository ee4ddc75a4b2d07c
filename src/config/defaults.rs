//! What topics of a store get that they do not set themselves, under the broker's names for it.

use std::collections::BTreeMap;

use super::entry::entry_over;
use super::value::ConfigValue;
use super::{ConfigEntry, ConfigSource, ConfigSynonym, ConfigType, TopicConfig, invalid};
use crate::error::{Error, Result};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// What a broker calls a topic's config, and how many of the topic's units are one of its own.
struct Synonym {
    broker_key: &'static str,
    topic_key: &'static str,
    factor: i64,
}

const fn synonym(broker_key: &'static str, topic_key: &'static str, factor: i64) -> Synonym {
    Synonym { broker_key, topic_key, factor }
}

/// Of several names for a config the first that is configured counts, whatever the order they come in; the last is the
/// one that has a default in Kafka.
const SYNONYMS: [Synonym; 33] = [
    synonym("log.cleanup.policy", "cleanup.policy", 1),
    synonym("compression.gzip.level", "compression.gzip.level", 1),
    synonym("compression.lz4.level", "compression.lz4.level", 1),
    synonym("compression.type", "compression.type", 1),
    synonym("compression.zstd.level", "compression.zstd.level", 1),
    synonym("log.cleaner.delete.retention.ms", "delete.retention.ms", 1),
    synonym("log.segment.delete.delay.ms", "file.delete.delay.ms", 1),
    synonym("log.flush.interval.messages", "flush.messages", 1),
    synonym("log.flush.interval.ms", "flush.ms", 1),
    synonym("log.flush.scheduler.interval.ms", "flush.ms", 1),
    synonym("log.index.interval.bytes", "index.interval.bytes", 1),
    synonym("log.local.retention.bytes", "local.retention.bytes", 1),
    synonym("log.local.retention.ms", "local.retention.ms", 1),
    synonym("log.cleaner.max.compaction.lag.ms", "max.compaction.lag.ms", 1),
    synonym("message.max.bytes", "max.message.bytes", 1),
    synonym("log.message.timestamp.after.max.ms", "message.timestamp.after.max.ms", 1),
    synonym("log.message.timestamp.before.max.ms", "message.timestamp.before.max.ms", 1),
    synonym("log.message.timestamp.type", "message.timestamp.type", 1),
    synonym("log.cleaner.min.cleanable.ratio", "min.cleanable.dirty.ratio", 1),
    synonym("log.cleaner.min.compaction.lag.ms", "min.compaction.lag.ms", 1),
    synonym("min.insync.replicas", "min.insync.replicas", 1),
    synonym("log.preallocate", "preallocate", 1),
    synonym("log.retention.bytes", "retention.bytes", 1),
    synonym("log.retention.ms", "retention.ms", 1),
    synonym("log.retention.minutes", "retention.ms", MINUTE_MS),
    synonym("log.retention.hours", "retention.ms", HOUR_MS),
    synonym("log.segment.bytes", "segment.bytes", 1),
    synonym("log.index.size.max.bytes", "segment.index.bytes", 1),
    synonym("log.roll.jitter.ms", "segment.jitter.ms", 1),
    synonym("log.roll.jitter.hours", "segment.jitter.ms", HOUR_MS),
    synonym("log.roll.ms", "segment.ms", 1),
    synonym("log.roll.hours", "segment.ms", HOUR_MS),
    synonym("unclean.leader.election.enable", "unclean.leader.election.enable", 1),
];

/// What topics of a store get that they do not set themselves: Kafka's broker configs for it, such as
/// `log.retention.hours`. Nothing is configured at first, and Kafka's defaults hold.
///
/// ```
/// use esker::TopicDefaults;
///
/// let mut defaults = TopicDefaults::new();
/// defaults.set("log.retention.hours", "24")?;
/// assert!(defaults.set("log.retention.weeks", "1").is_err());
/// # Ok::<(), esker::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TopicDefaults {
    configured: BTreeMap<&'static str, String>,
}

impl TopicDefaults {
    /// Kafka's defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets a config by the broker's name for it.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] if there is no such config or the value is not one of its values.
    pub fn set(&mut self, key: &str, value: &str) -> Result<()> {
        let Some(synonym) = SYNONYMS.iter().find(|synonym| synonym.broker_key == key) else {
            return Err(invalid(key, value, "a broker config"));
        };
        synonym.apply(&mut TopicConfig::new(), value)?;
        self.configured.insert(synonym.broker_key, value.trim().to_owned());
        Ok(())
    }

    /// Whether there is a config that brokers call so.
    pub(super) fn has(key: &str) -> bool {
        Self::keys().any(|broker_key| broker_key == key)
    }

    /// What brokers call the configs.
    pub(super) fn keys() -> impl Iterator<Item = &'static str> {
        SYNONYMS.iter().map(|synonym| synonym.broker_key)
    }

    /// All values were checked when they were set.
    pub(super) fn validate(&self) -> Result<()> {
        Ok(())
    }

    /// The value that was set for a config, by the broker's name for it.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.configured.get(key).map(String::as_str)
    }

    /// As a topic's configuration, in which nothing is set but everything has a value.
    pub(crate) fn topic_config(&self) -> TopicConfig {
        let mut config = TopicConfig::new();
        for synonym in SYNONYMS.iter().rev() {
            if let Some(value) = self.configured.get(synonym.broker_key) {
                synonym.apply(&mut config, value).expect("it was checked when it was set");
            }
        }
        TopicConfig::new().over(&config)
    }

    /// What there is to say of the configs, by the broker's names, of those that have a value.
    pub(super) fn describe(&self) -> Vec<ConfigEntry> {
        let topic_configs = TopicConfig::new().describe(&Self::new());
        let entry = |synonym: &Synonym| {
            let about = topic_configs.iter().find(|entry| entry.name == synonym.topic_key)?;
            let synonyms = self.synonyms_from(synonym);
            let value = synonyms.first()?.value.clone();
            let config_type = if synonym.factor > 1 { ConfigType::Int } else { about.config_type };
            Some(entry_over(synonym.broker_key, config_type, about.documentation, value, None, synonyms))
        };
        SYNONYMS.iter().filter_map(entry).collect()
    }

    /// Where values for the config `topic_key` are to be found outside of the topic, in the order in which they count.
    pub(super) fn synonyms_of(&self, topic_key: &str) -> Vec<ConfigSynonym> {
        let first = SYNONYMS.iter().find(|synonym| synonym.topic_key == topic_key);
        first.map_or_else(Vec::new, |first| self.synonyms_from(first))
    }

    /// Where values for a config are to be found, from its own name on. Kafka tells of none where only others of its
    /// names have one: what `log.retention.hours` says of `retention.ms` counts, and is told as a default.
    fn synonyms_from(&self, own: &Synonym) -> Vec<ConfigSynonym> {
        let synonyms = || SYNONYMS.iter().filter(|synonym| synonym.topic_key == own.topic_key);
        let configured = synonyms().filter_map(|synonym| {
            let value = self.configured.get(synonym.broker_key)?.clone();
            Some(ConfigSynonym { name: synonym.broker_key, value, source: ConfigSource::StaticBrokerConfig })
        });
        let default = synonyms().next_back().and_then(|synonym| {
            let value = TopicConfig::new().get(own.topic_key)?;
            let in_own_units = |value: &str| Some((value.parse::<i64>().ok()? / synonym.factor).to_string());
            let value = if synonym.factor == 1 { value } else { in_own_units(&value)? };
            Some(ConfigSynonym { name: synonym.broker_key, value, source: ConfigSource::DefaultConfig })
        });
        configured.chain(default).skip_while(|found| found.name != own.broker_key).collect()
    }
}

impl Synonym {
    /// Sets a topic's config to what the broker's `value` means.
    fn apply(&self, config: &mut TopicConfig, value: &str) -> Result<()> {
        let number = i64::parse(value);
        if self.factor > 1 && number.is_some_and(|number| i32::try_from(number).is_err()) {
            return Err(invalid(self.broker_key, value, "a number of 32 bits"));
        }
        let meant = match number {
            // For ever, in whatever units.
            Some(..0) if self.topic_key == "retention.ms" => "-1".to_owned(),
            Some(number) if self.factor > 1 => number.saturating_mul(self.factor).to_string(),
            _ => value.to_owned(),
        };
        config.set(self.topic_key, &meant).map_err(|error| match error {
            Error::InvalidConfig { .. } if self.factor > 1 => invalid(self.broker_key, value, "a number of 32 bits"),
            Error::InvalidConfig { expected, .. } => invalid(self.broker_key, value, expected),
            other => other,
        })
    }
}
