//! What a group sets for itself, over what the broker's configs say of all groups (Kafka's `GroupConfig`).

use super::alter::Alterable;
use super::entry::entry_over;
use super::value::{Valid, at_least};
use super::{ConfigEntry, ConfigSource, StoreConfig, invalid};
use crate::error::{Error, Result};

const ASSIGNMENT_INTERVAL_MS: &str = "consumer.assignment.interval.ms";
const HEARTBEAT_INTERVAL_MS: &str = "consumer.heartbeat.interval.ms";
const SESSION_TIMEOUT_MS: &str = "consumer.session.timeout.ms";

/// The group configs of Kafka that have no meaning here, by how their names begin, and why.
const WITHOUT_MEANING: [(&str, &str); 3] = [
    ("consumer.assignor.offload.enable", "assigning takes no thread of its own"),
    ("share.", "there are no share groups"),
    ("streams.", "there are no groups of the streams protocol"),
];

/// The answer to a key that there is none of.
fn unknown(key: &str, value: &str) -> Error {
    match WITHOUT_MEANING.iter().find(|(without, _)| key.starts_with(without)) {
        Some((_, reason)) => Error::UnsupportedConfig { key: key.to_owned(), reason },
        None => invalid(key, value, "a group config"),
    }
}

/// What a config takes, whatever the broker lets groups have.
fn valid(key: &str) -> Valid<i32> {
    at_least(if key == ASSIGNMENT_INTERVAL_MS { 0 } else { 1 })
}

/// The configs of a group: those of Kafka's group configs that have a meaning here. They go for members of the newer
/// protocol (KIP-848), which are told by the broker what others say themselves.
///
/// What a group doesn't set, it has from [`StoreConfig`].
///
/// ```
/// use esker::GroupConfig;
///
/// let mut config = GroupConfig::default();
/// config.set("consumer.session.timeout.ms", "60000")?;
/// assert_eq!(config.consumer_session_timeout_ms, Some(60_000));
/// assert!(config.set("consumer.session.timeout.ms", "0").is_err());
/// # Ok::<(), esker::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupConfig {
    /// How long the group keeps the assignment that it has before the next is computed, in milliseconds.
    ///
    /// Config `consumer.assignment.interval.ms`; default
    /// [`group.consumer.assignment.interval.ms`](StoreConfig::group_consumer_assignment_interval_ms), valid from
    /// `group.consumer.min.assignment.interval.ms` to `group.consumer.max.assignment.interval.ms`. Checked when it is
    /// altered.
    pub consumer_assignment_interval_ms: Option<i32>,
    /// How often a member is to be heard of, in milliseconds.
    ///
    /// Config `consumer.heartbeat.interval.ms`; default
    /// [`group.consumer.heartbeat.interval.ms`](StoreConfig::group_consumer_heartbeat_interval_ms), valid from
    /// `group.consumer.min.heartbeat.interval.ms` to `group.consumer.max.heartbeat.interval.ms`, and less than the
    /// session timeout. Checked when it is altered.
    pub consumer_heartbeat_interval_ms: Option<i32>,
    /// How long a member counts as alive after its last heartbeat, in milliseconds.
    ///
    /// Config `consumer.session.timeout.ms`; default
    /// [`group.consumer.session.timeout.ms`](StoreConfig::group_consumer_session_timeout_ms), valid from
    /// `group.consumer.min.session.timeout.ms` to `group.consumer.max.session.timeout.ms`. Checked when it is altered.
    pub consumer_session_timeout_ms: Option<i32>,
}

impl GroupConfig {
    /// Sets a config by Kafka's name for it.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] if there is no such config or the value is no number from 1 up, or from 0 for
    /// the interval between assignments;
    /// [`Error::UnsupportedConfig`] if it is one of Kafka's that has no meaning here.
    pub fn set(&mut self, key: &str, value: &str) -> Result<()> {
        let setting = self.setting(key, value)?;
        *setting = Some(valid(key).parse(key, value)?);
        Ok(())
    }

    /// The configs that were set, by key.
    pub fn overrides(&self) -> Vec<(&'static str, String)> {
        self.settings().into_iter().filter_map(|(key, value)| Some((key, value?.to_string()))).collect()
    }

    /// All configs, in the order of the alphabet.
    fn settings(&self) -> [(&'static str, Option<i32>); 3] {
        [
            (ASSIGNMENT_INTERVAL_MS, self.consumer_assignment_interval_ms),
            (HEARTBEAT_INTERVAL_MS, self.consumer_heartbeat_interval_ms),
            (SESSION_TIMEOUT_MS, self.consumer_session_timeout_ms),
        ]
    }

    fn setting(&mut self, key: &str, value: &str) -> Result<&mut Option<i32>> {
        match key {
            ASSIGNMENT_INTERVAL_MS => Ok(&mut self.consumer_assignment_interval_ms),
            HEARTBEAT_INTERVAL_MS => Ok(&mut self.consumer_heartbeat_interval_ms),
            SESSION_TIMEOUT_MS => Ok(&mut self.consumer_session_timeout_ms),
            _ => Err(unknown(key, value)),
        }
    }

    /// What there is to say of all configs, by name, where `broker` says what all groups have.
    pub(crate) fn describe(&self, broker: &StoreConfig) -> Vec<ConfigEntry> {
        let of_broker = broker.describe();
        let entry = |(name, own): (&'static str, Option<i32>)| {
            let of_all = of_broker.iter().find(|entry| entry.name.strip_prefix("group.") == Some(name))?.clone();
            let value = own.map_or(of_all.value, |own| own.to_string());
            let own = own.map(|_| ConfigSource::DynamicGroupConfig);
            Some(entry_over(name, of_all.config_type, of_all.documentation, value, own, of_all.synonyms))
        };
        self.settings().into_iter().filter_map(entry).collect()
    }

    /// Fails if the broker doesn't let the members of a group have that.
    pub(crate) fn validate(&self, broker: &StoreConfig) -> Result<()> {
        let interval_ms = self.consumer_assignment_interval_ms.unwrap_or(broker.group_consumer_assignment_interval_ms);
        broker.check_assignment_interval(ASSIGNMENT_INTERVAL_MS, interval_ms)?;
        let session_ms = self.consumer_session_timeout_ms.unwrap_or(broker.group_consumer_session_timeout_ms);
        let heartbeat_ms = self.consumer_heartbeat_interval_ms.unwrap_or(broker.group_consumer_heartbeat_interval_ms);
        broker.check_consumer_group((SESSION_TIMEOUT_MS, session_ms), (HEARTBEAT_INTERVAL_MS, heartbeat_ms))
    }
}

impl Alterable for GroupConfig {
    #[cfg(feature = "net")]
    const KIND: &'static str = "group";

    #[cfg(feature = "net")]
    fn cleared(&self) -> Self {
        Self::default()
    }

    #[cfg(feature = "net")]
    fn refusal(key: &str, value: &str) -> Option<String> {
        valid(key).refusal(key, value)
    }

    fn set_config(&mut self, key: &str, value: &str) -> Result<()> {
        self.set(key, value)
    }

    fn unset_config(&mut self, key: &str) -> Result<()> {
        *self.setting(key, "")? = None;
        Ok(())
    }

    /// None is.
    fn list(&self, key: &str) -> Result<Option<String>> {
        self.clone().setting(key, "").map(|_| None)
    }
}
