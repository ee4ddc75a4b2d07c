//! Changes to the configuration of a topic or a group, by the operations of Kafka's `IncrementalAlterConfigs`
//! (KIP-339).

use super::{AlterConfigOpType, TopicConfig, invalid};
use crate::error::Result;

/// A change of one config.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AlterConfigOp {
    /// The config gets this value.
    Set {
        /// The config.
        key: String,
        /// Its value.
        value: String,
    },
    /// The config goes back to its default.
    Delete {
        /// The config.
        key: String,
    },
    /// These elements, between commas, are added to the config, which is a list, unless they are in it.
    Append {
        /// The config.
        key: String,
        /// What is added.
        value: String,
    },
    /// These elements, between commas, are taken out of the config, which is a list.
    Subtract {
        /// The config.
        key: String,
        /// What is taken out.
        value: String,
    },
}

impl AlterConfigOp {
    /// Gives the config `key` a value.
    pub fn set(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self::Set { key: key.into(), value: value.into() }
    }

    /// Takes the config `key` back to its default.
    pub fn delete(key: impl Into<String>) -> Self {
        Self::Delete { key: key.into() }
    }

    /// Adds to the list that the config `key` is.
    pub fn append(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self::Append { key: key.into(), value: value.into() }
    }

    /// Takes from the list that the config `key` is.
    pub fn subtract(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self::Subtract { key: key.into(), value: value.into() }
    }

    /// What it does.
    pub const fn op_type(&self) -> AlterConfigOpType {
        match self {
            Self::Set { .. } => AlterConfigOpType::Set,
            Self::Delete { .. } => AlterConfigOpType::Delete,
            Self::Append { .. } => AlterConfigOpType::Append,
            Self::Subtract { .. } => AlterConfigOpType::Subtract,
        }
    }

    /// The config that it changes.
    pub fn key(&self) -> &str {
        let (Self::Set { key, .. } | Self::Delete { key } | Self::Append { key, .. } | Self::Subtract { key, .. }) =
            self;
        key
    }

    /// What the config gets, gets more or loses; None where it goes back to its default.
    pub fn value(&self) -> Option<&str> {
        match self {
            Self::Set { value, .. } | Self::Append { value, .. } | Self::Subtract { value, .. } => Some(value),
            Self::Delete { .. } => None,
        }
    }
}

/// A configuration that is altered, of a topic or of a group.
pub(crate) trait Alterable: Clone {
    /// What Kafka calls such configs.
    #[cfg(feature = "net")]
    const KIND: &'static str;

    /// The same with nothing set.
    #[cfg(feature = "net")]
    fn cleared(&self) -> Self;

    /// Whether there is a config of this name.
    #[cfg(feature = "net")]
    fn has_config(&self, key: &str) -> bool {
        self.clone().unset_config(key).is_ok()
    }

    /// What Kafka says of a value that the config `key` can't have, if that is known.
    #[cfg(feature = "net")]
    fn refusal(key: &str, value: &str) -> Option<String>;

    /// Gives a config a value.
    fn set_config(&mut self, key: &str, value: &str) -> Result<()>;

    /// Forgets that a config was set.
    fn unset_config(&mut self, key: &str) -> Result<()>;

    /// The value of the config `key` if it is a list, which is Kafka's default where it was not set.
    fn list(&self, key: &str) -> Result<Option<String>>;

    /// This configuration after `changes`: all of them, or none and an error.
    fn altered(&self, changes: &[AlterConfigOp]) -> Result<Self> {
        let mut altered = self.clone();
        for (index, change) in changes.iter().enumerate() {
            let key = change.key();
            if changes[..index].iter().any(|earlier| earlier.key() == key) {
                return Err(invalid(key, "", "one change of each config at a time"));
            }
            match change {
                AlterConfigOp::Set { value, .. } => altered.set_config(key, value)?,
                AlterConfigOp::Delete { .. } => altered.unset_config(key)?,
                AlterConfigOp::Append { value, .. } => altered.alter_list(key, value, |list, element| {
                    if !list.contains(&element) {
                        list.push(element);
                    }
                })?,
                AlterConfigOp::Subtract { value, .. } => {
                    altered.alter_list(key, value, |list, element| list.retain(|kept| *kept != element))?;
                }
            }
        }
        Ok(altered)
    }

    /// This configuration with these configs, by key, in the place of all that were set (Kafka's `AlterConfigs`).
    #[cfg(feature = "net")]
    fn replaced(&self, configs: &[(String, String)]) -> Result<Self> {
        let mut replaced = self.cleared();
        configs.iter().try_for_each(|(key, value)| replaced.set_config(key, value))?;
        Ok(replaced)
    }

    /// Changes a list by each element of `value`.
    fn alter_list(&mut self, key: &str, value: &str, change: impl Fn(&mut Vec<String>, String)) -> Result<()> {
        let list = self.list(key)?.ok_or_else(|| invalid(key, value, "a config that is a list"))?;
        let elements = |list: &str| -> Vec<String> {
            list.split(',').map(|element| element.trim().to_owned()).filter(|element| !element.is_empty()).collect()
        };
        let mut list = elements(&list);
        elements(value).into_iter().for_each(|element| change(&mut list, element));
        self.set_config(key, &list.join(","))
    }
}

impl Alterable for TopicConfig {
    #[cfg(feature = "net")]
    const KIND: &'static str = "topic";

    #[cfg(feature = "net")]
    fn cleared(&self) -> Self {
        Self::new().partitions(self.partition_count())
    }

    #[cfg(feature = "net")]
    fn refusal(key: &str, value: &str) -> Option<String> {
        Self::refusal_of(key, value)
    }

    fn set_config(&mut self, key: &str, value: &str) -> Result<()> {
        self.set(key, value)
    }

    fn unset_config(&mut self, key: &str) -> Result<()> {
        self.unset(key)
    }

    fn list(&self, key: &str) -> Result<Option<String>> {
        if !Self::is_list(key)? {
            return Ok(None);
        }
        let set = self.overrides().into_iter().find(|(set, _)| *set == key).map(|(_, value)| value);
        Ok(set.or_else(|| Self::new().get(key)))
    }
}
