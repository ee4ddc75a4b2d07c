//! The configs that groups set for themselves: `group-config-checkpoint`.
//!
//! ```text
//!   0
//!   2
//!   billing consumer.heartbeat.interval.ms 5000     group, config, value
//!   billing consumer.session.timeout.ms 60000
//! ```
//!
//! A file of ours, in the form of Kafka's checkpoints; Kafka keeps the same in its metadata log, and passes over the
//! file. As there, a group has its configs before its first member comes, and keeps them when it is deleted.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use parking_lot::RwLock;

use super::layout::{GROUP_CONFIGS, Layout};
use super::{Store, StoreInner};
use crate::config::{AlterConfigOp, Alterable, ConfigEntry, GroupConfig, invalid};
use crate::error::{Error, Result};
use crate::log::checkpoint::{self, escape, unescape};

/// The configs of all groups that have some.
pub(crate) type GroupConfigs = BTreeMap<String, GroupConfig>;

/// The same as they are now.
pub(super) type CurrentGroupConfigs = RwLock<Arc<GroupConfigs>>;

impl Store {
    /// Changes the configs of a group (Kafka's `IncrementalAlterConfigs`): all of `changes` or none, whether there is
    /// such a group or not. On return it survives the loss of power. Members of the group go by it from their next
    /// heartbeat on.
    ///
    /// ```
    /// # let store = esker::Store::temporary()?;
    /// use esker::{AlterConfigOp, ConfigSource};
    ///
    /// store.alter_group_configs("billing", &[AlterConfigOp::set("consumer.session.timeout.ms", "50000")])?;
    /// let configs = store.describe_group_configs("billing")?;
    /// let timeout = configs.iter().find(|config| config.name == "consumer.session.timeout.ms").unwrap();
    /// assert_eq!((&*timeout.value, timeout.source), ("50000", ConfigSource::DynamicGroupConfig));
    /// assert_eq!(store.configured_groups()?, ["billing"]);
    /// # Ok::<(), esker::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] and [`Error::UnsupportedConfig`] for a change that is refused, or a group without a
    /// name; [`Error::ReadOnly`], [`Error::Closed`]. After [`Error::Io`] and [`Error::StorageFull`] nothing has
    /// changed, but the next open may find that it has.
    pub fn alter_group_configs(&self, group: &str, changes: &[AlterConfigOp]) -> Result<()> {
        self.change_group_configs(group, |config| config.altered(changes), false)
    }

    /// All configs of a group by name, with where their values come from (Kafka's `DescribeConfigs`), whether there is
    /// such a group or not.
    ///
    /// # Errors
    /// Of a store that is open read-only [`Error::MalformedFile`] and [`Error::Io`].
    pub fn describe_group_configs(&self, group: &str) -> Result<Vec<ConfigEntry>> {
        let configs = self.group_configs()?;
        Ok(configs.get(group).unwrap_or(&GroupConfig::default()).describe(&self.inner.config))
    }

    /// The groups that have set configs, in the order of the alphabet.
    ///
    /// # Errors
    /// As [`describe_group_configs`](Self::describe_group_configs).
    pub fn configured_groups(&self) -> Result<Vec<String>> {
        Ok(self.group_configs()?.keys().cloned().collect())
    }

    /// The configs of all groups that have set some.
    pub(crate) fn group_configs(&self) -> Result<Arc<GroupConfigs>> {
        // Another process may be writing the file of a store that is only read.
        if self.inner.is_read_only { Ok(Arc::new(read(&self.inner.layout)?)) } else { Ok(self.inner.group_configs()) }
    }

    /// Gives a group the configs that `change` makes of its own, unless it is only to be seen whether that works.
    pub(crate) fn change_group_configs(
        &self,
        group: &str,
        change: impl FnOnce(&GroupConfig) -> Result<GroupConfig>,
        validate_only: bool,
    ) -> Result<()> {
        let store = &self.inner;
        let _altering = store.altering.lock();
        store.check_writable()?;
        if group.is_empty() {
            return Err(invalid("group", group, "the name of a group"));
        }
        let mut configs = GroupConfigs::clone(&store.group_configs());
        let config = change(configs.get(group).unwrap_or(&GroupConfig::default()))?;
        config.validate(&store.config)?;
        if validate_only {
            return Ok(());
        }
        match config == GroupConfig::default() {
            true => drop(configs.remove(group)),
            false => drop(configs.insert(group.to_owned(), config)),
        }
        let (storage, file) = (store.layout.storage(), store.layout.dir.join(GROUP_CONFIGS));
        store.reserve.run(|| checkpoint::write(storage, &file, &entries(&configs)))?;
        *store.group_configs.write() = Arc::new(configs);
        Ok(())
    }
}

impl StoreInner {
    fn group_configs(&self) -> Arc<GroupConfigs> {
        self.group_configs.read().clone()
    }
}

/// The lines of the file.
pub(super) fn entries(configs: &GroupConfigs) -> Vec<[String; 3]> {
    let mut entries = Vec::new();
    for (group, config) in configs {
        entries.extend(config.overrides().into_iter().map(|(key, value)| [escape(group), key.to_owned(), value]));
    }
    entries
}

pub(super) fn read(layout: &Layout) -> Result<GroupConfigs> {
    let file = layout.dir.join(GROUP_CONFIGS);
    let mut configs = GroupConfigs::new();
    checkpoint::read::<3>(layout.storage(), &file)?
        .into_iter()
        .try_for_each(|entry| add(&mut configs, &file, entry))?;
    Ok(configs)
}

/// What can be told from a file that is malformed.
pub(super) fn salvage(contents: &[u8]) -> GroupConfigs {
    let mut configs = GroupConfigs::new();
    for entry in checkpoint::salvage(contents) {
        // What it says nothing of has its default.
        let _ = add(&mut configs, Path::new(GROUP_CONFIGS), entry);
    }
    configs
}

/// Takes in a line. What the broker lets members have may have changed since it was written.
fn add(configs: &mut GroupConfigs, file: &Path, [group, key, value]: [String; 3]) -> Result<()> {
    let malformed = |reason: String| Error::MalformedFile { file: file.to_owned(), line: 0, reason };
    let name = unescape(&group).ok_or_else(|| malformed(format!("{group:?} is no name of a group")))?;
    let mut config = configs.get(&name).cloned().unwrap_or_default();
    config.set(&key, &value).map_err(|error| malformed(format!("{group}: {error}")))?;
    configs.insert(name, config);
    Ok(())
}
