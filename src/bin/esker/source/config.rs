//! Configs, as they are described wherever they are.

use esker::{ConfigEntry, ConfigSource};
use serde::Serialize;

/// A config of a topic or a group.
#[derive(Debug, Serialize)]
pub(crate) struct Config {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) source: &'static str,
    pub(crate) r#type: String,
    pub(crate) synonyms: Vec<Synonym>,
    pub(crate) documentation: String,
}

/// A place where a config could come from, and what it says.
#[derive(Debug, Serialize)]
pub(crate) struct Synonym {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) source: &'static str,
}

/// Kafka's names for what a topic or a group sets itself.
pub(crate) const TOPIC_CONFIG: &str = "DYNAMIC_TOPIC_CONFIG";
pub(crate) const GROUP_CONFIG: &str = "DYNAMIC_GROUP_CONFIG";

impl From<&ConfigEntry> for Config {
    fn from(from: &ConfigEntry) -> Self {
        let synonym = |from: &esker::ConfigSynonym| Synonym {
            name: from.name.to_owned(),
            value: from.value.clone(),
            source: source(from.source),
        };
        Self {
            name: from.name.to_owned(),
            value: from.value.clone(),
            source: source(from.source),
            r#type: format!("{:?}", from.config_type).to_uppercase(),
            synonyms: from.synonyms.iter().map(synonym).collect(),
            documentation: from.documentation.to_owned(),
        }
    }
}

/// Kafka's name for it.
fn source(source: ConfigSource) -> &'static str {
    match source {
        ConfigSource::DynamicTopicConfig => TOPIC_CONFIG,
        ConfigSource::DynamicGroupConfig => GROUP_CONFIG,
        ConfigSource::StaticBrokerConfig => "STATIC_BROKER_CONFIG",
        ConfigSource::DefaultConfig => "DEFAULT_CONFIG",
        _ => "UNKNOWN",
    }
}
