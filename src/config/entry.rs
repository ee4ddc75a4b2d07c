//! What there is to say of a config: its value, and where that comes from.

use super::value::ConfigValue;
use super::{ConfigSource, ConfigType, TopicConfig, TopicDefaults};

/// A config of a topic, a group or a store, as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigEntry {
    /// Its name.
    pub name: &'static str,
    /// Its value, as Kafka writes it.
    pub value: String,
    /// Where the value comes from.
    pub source: ConfigSource,
    /// Which type the value has.
    pub config_type: ConfigType,
    /// What it is for, in a line.
    pub documentation: &'static str,
    /// The places where a value for it is to be found, first the one that counts. As in Kafka there is none if the
    /// value comes from another of a broker's names for it than the first, as from `log.retention.hours`.
    pub synonyms: Vec<ConfigSynonym>,
}

impl ConfigEntry {
    /// Whether the value is Kafka's default because nobody set it, as far as `synonyms` tell.
    pub fn is_default(&self) -> bool {
        self.source == ConfigSource::DefaultConfig
    }
}

/// A place where a value for a config is to be found, whether it counts or not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigSynonym {
    /// The config's name there.
    pub name: &'static str,
    /// The value there, in the units of that name.
    pub value: String,
    /// Which place it is.
    pub source: ConfigSource,
}

/// What there is to say of a config that a store was opened with; it may have had a default.
pub(crate) fn static_entry(
    name: &'static str,
    config_type: ConfigType,
    documentation: &'static str,
    value: String,
    default: Option<String>,
) -> ConfigEntry {
    let synonym = |value, source| ConfigSynonym { name, value, source };
    let is_default = default.as_ref() == Some(&value);
    let configured = (!is_default).then(|| synonym(value.clone(), ConfigSource::StaticBrokerConfig));
    let default = default.map(|value| synonym(value, ConfigSource::DefaultConfig));
    let source = if is_default { ConfigSource::DefaultConfig } else { ConfigSource::StaticBrokerConfig };
    let synonyms = configured.into_iter().chain(default).collect();
    ConfigEntry { name, value, source, config_type, documentation, synonyms }
}

/// The same of one that has no default, and nobody has set.
#[cfg(feature = "net")]
pub(crate) fn unset_entry(name: &'static str, config_type: ConfigType, documentation: &'static str) -> ConfigEntry {
    let (value, source, synonyms) = (String::new(), ConfigSource::DefaultConfig, Vec::new());
    ConfigEntry { name, value, source, config_type, documentation, synonyms }
}

/// The same of one that is a field in one of the tables of configs.
pub(super) fn field_entry<T: ConfigValue>(
    name: &'static str,
    documentation: &'static str,
    value: &T,
    default: &T,
) -> ConfigEntry {
    static_entry(name, T::TYPE, documentation.trim_ascii(), value.print(), Some(default.print()))
}

/// What there is to say of a config that somebody sets for itself, and says that `own` is where, or takes from
/// elsewhere.
pub(super) fn entry_over(
    name: &'static str,
    config_type: ConfigType,
    documentation: &'static str,
    value: String,
    own: Option<ConfigSource>,
    elsewhere: Vec<ConfigSynonym>,
) -> ConfigEntry {
    let own = own.map(|source| ConfigSynonym { name, value: value.clone(), source });
    let synonyms: Vec<_> = own.into_iter().chain(elsewhere).collect();
    let source = synonyms.first().map_or(ConfigSource::DefaultConfig, |first| first.source);
    ConfigEntry { name, value, source, config_type, documentation, synonyms }
}

impl TopicConfig {
    /// What there is to say of all configs, by name, where `defaults` are the store's.
    pub(crate) fn describe(&self, defaults: &TopicDefaults) -> Vec<ConfigEntry> {
        let entry = |(name, config_type, documentation, value, is_set): (_, _, _, String, bool)| {
            let own = is_set.then_some(ConfigSource::DynamicTopicConfig);
            entry_over(name, config_type, documentation, value, own, defaults.synonyms_of(name))
        };
        let mut entries: Vec<_> = self.entries().into_iter().map(entry).collect();
        entries.sort_unstable_by_key(|entry| entry.name);
        entries
    }
}
