//! Topics: creating, listing, describing and deleting them.
//!
//! A topic exists if and only if the directory of its partition 0 does, which is created last; so a crash leaves a
//! whole topic, or what the next open clears away. That a deletion has begun is written down before anything else, and
//! the next open finishes it.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use parking_lot::RwLock;

use super::layout::Layout;
use super::open::log_context;
use super::topic_list::{Listed, TopicList};
use super::topic_map::TopicMap;
use super::transaction::TRANSACTION_STATE;
use super::{Store, StoreInner, in_parallel, meta_properties, topic_name, unknown, unknown_topic};
use crate::config::{BrokerCompressionType, CleanupPolicy, LogConfig, TopicConfig};
use crate::error::{Error, Result, TopicNameError};
use crate::io::DirEntry;
use crate::log::file_name::{LOG, PARTITION_METADATA, TEMPORARY, parse_base_offset};
use crate::log::{LastKnown, Log};
use crate::types::{LeaderEpoch, Offset, TopicPartition};
use crate::uuid::Uuid;

/// All topics that are open.
pub(super) type Topics = RwLock<TopicMap>;

/// A topic that is open. Never changes; another takes its place when it is altered.
#[derive(Clone, Debug)]
pub(crate) struct Topic {
    pub(crate) name: Arc<str>,
    pub(crate) id: Uuid,
    pub(crate) config: TopicConfig,
    pub(crate) partitions: Vec<Log>,
}

impl Topic {
    /// The log of one of its partitions.
    pub(crate) fn partition(&self, partition: i32) -> Result<Log> {
        let index = usize::try_from(partition).ok();
        let log = index.and_then(|index| self.partitions.get(index)).cloned();
        log.ok_or_else(|| unknown(&self.name, partition))
    }
}

/// What there is to say of a topic.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TopicDescription {
    /// Its name.
    pub name: String,
    /// Its id, which a topic of the same name created later does not share.
    pub id: Uuid,
    /// Its configuration: its own, and the store's defaults where it sets nothing. A topic that a broker created has
    /// its configs in the metadata log of its cluster, where they are not known from here: the store then keeps all of
    /// its records, with `retention.ms` and `retention.bytes` at −1.
    pub config: TopicConfig,
    /// Whether it belongs to the store itself, as `__consumer_offsets` does.
    pub is_internal: bool,
    /// Its partitions, by index.
    pub partitions: Vec<PartitionDescription>,
}

/// What there is to say of a partition.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PartitionDescription {
    /// Its index, from 0.
    pub partition: i32,
    /// The node that takes appends.
    pub leader: i32,
    /// The epoch of its leadership, which new batches are stamped with.
    pub leader_epoch: LeaderEpoch,
    /// The nodes that keep a copy.
    pub replicas: Vec<i32>,
    /// Those of them that have everything the leader has.
    pub in_sync_replicas: Vec<i32>,
    /// The first offset that can be read.
    pub log_start: Offset,
    /// The offset after the last one that can be read.
    pub high_watermark: Offset,
    /// The offset that the next record gets.
    pub log_end: Offset,
    /// The size of its log files in bytes.
    pub size_in_bytes: u64,
}

impl Store {
    /// Creates a topic. On return it survives the loss of power.
    ///
    /// # Errors
    /// [`Error::InvalidTopic`] and [`Error::TopicAlreadyExists`] for its name (also if something is in the directories
    /// that it would have: see [`RecoveryReport::incomplete`](super::RecoveryReport::incomplete));
    /// [`Error::InvalidPartitions`], [`Error::InvalidConfig`] and, for `remote.storage.enable=true`,
    /// [`Error::UnsupportedConfig`] for its configuration; [`Error::ReadOnly`]; [`Error::Io`] or [`Error::StorageFull`]
    /// if its files can't be created, after which it does not exist.
    pub fn create_topic(&self, name: &str, config: TopicConfig) -> Result<Uuid> {
        topic_name::refuse_internal(name)?;
        self.inner.create_topic(name, config)
    }

    /// Deletes a topic: its partitions are gone at once, and committed offsets for them too; their files are removed
    /// after `file.delete.delay.ms`.
    ///
    /// # Errors
    /// [`Error::UnknownTopicOrPartition`] if there is none, [`Error::InvalidTopic`] if it is the store's own,
    /// [`Error::Io`] if its directories can't be renamed. The topic is then still there, and takes and gives no
    /// records: call this again to go on with it, or else the next open finishes it, or finds the topic as it was if
    /// nothing had begun.
    pub fn delete_topic(&self, name: &str) -> Result<()> {
        topic_name::refuse_internal(name)?;
        self.inner.delete_topic(name, None)
    }

    /// The names of all topics, internal ones included, in the order of the alphabet.
    pub fn topics(&self) -> Vec<String> {
        self.inner.topics.read().keys().map(|name| name.to_string()).collect()
    }

    /// The names, ids and partition counts of all topics that have ids, unless nothing has changed since the last time,
    /// which `seen` remembers.
    #[cfg(feature = "coordinator")]
    pub(crate) fn topics_since(&self, seen: &mut Option<u64>) -> Option<Vec<(String, Uuid, i32)>> {
        // Counted after the change, so that a change that is missed here is seen with the next number.
        let now = self.topic_changes();
        if seen.replace(now) == Some(now) {
            return None;
        }
        let topics = self.inner.topics.read();
        let with_id = topics.values().filter(|topic| topic.id != Uuid::ZERO);
        let count = |topic: &Topic| i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
        let all = with_id.map(|topic| (topic.name.to_string(), topic.id, count(topic)));
        Some(all.collect())
    }

    /// The name of the topic with this id, if there is one.
    #[cfg(feature = "coordinator")]
    pub(crate) fn topic_name(&self, id: Uuid) -> Option<Arc<str>> {
        self.topic_with_id(id).map(|topic| topic.name.clone())
    }

    /// The topic with this id, if there is one.
    #[cfg(feature = "coordinator")]
    pub(crate) fn topic_with_id(&self, id: Uuid) -> Option<Arc<Topic>> {
        self.inner.topics.read().with_id(id).cloned()
    }

    /// The id of the topic of this name, if there is one.
    #[cfg(feature = "net")]
    pub(crate) fn topic_id(&self, name: &str) -> Option<Uuid> {
        self.inner.topics.read().get(name).map(|topic| topic.id)
    }

    /// Describes a topic and its partitions as they are now.
    ///
    /// # Errors
    /// [`Error::UnknownTopicOrPartition`] if there is none.
    pub fn describe_topic(&self, name: &str) -> Result<TopicDescription> {
        self.inner.look_at_topic(name)?;
        let topic = self.inner.topic(name)?;
        let node = self.node_id();
        let describe = |log: &Log| PartitionDescription {
            partition: log.topic_partition().partition,
            leader: node,
            leader_epoch: log.leader_epoch(),
            replicas: vec![node],
            in_sync_replicas: vec![node],
            log_start: log.log_start(),
            high_watermark: log.high_watermark(),
            log_end: log.log_end(),
            size_in_bytes: log.size_in_bytes(),
        };
        Ok(TopicDescription {
            name: topic.name.to_string(),
            id: topic.id,
            config: topic.config.clone(),
            is_internal: topic_name::is_internal(name),
            partitions: topic.partitions.iter().map(describe).collect(),
        })
    }
}

impl StoreInner {
    /// One of the store's own topics, which is created when it is needed first.
    pub(super) fn internal_topic(&self, name: &str, partitions: i32) -> Result<Arc<Topic>> {
        if let Ok(topic) = self.topic(name) {
            return Ok(topic);
        }
        match self.create_topic(name, internal_config_of(name).partitions(partitions)) {
            Ok(_) | Err(Error::TopicAlreadyExists { .. }) => self.topic(name),
            Err(error) => Err(error),
        }
    }

    /// Refuses a topic that can't be created. Otherwise as [`find_remains`](Self::find_remains).
    pub(super) fn check_new_topic(&self, name: &str, config: &TopicConfig) -> Result<HashSet<i32>> {
        topic_name::validate(name)?;
        config.validate()?;
        self.check_writable()?;
        {
            let topics = self.topics.read();
            if topics.contains_key(name) {
                return Err(Error::TopicAlreadyExists { topic: name.to_owned() });
            }
            refuse_collision(name, topics.keys())?;
        }
        self.find_remains(&name.into(), 0..config.partition_count())
    }

    /// Which partitions that do not exist have a directory with nothing in it. What is left of a topic
    /// that could not be opened, or is no topic's, must not become part of one that has the name of its directory.
    pub(super) fn find_remains(&self, name: &Arc<str>, partitions: Range<i32>) -> Result<HashSet<i32>> {
        let mut found = HashSet::new();
        for index in partitions {
            let dir = self.layout.partition_dir(&TopicPartition::new(name.clone(), index));
            match self.layout.storage().list(&dir) {
                Ok(entries) if is_new(&entries) => drop(found.insert(index)),
                Ok(_) => return Err(Error::TopicAlreadyExists { topic: name.to_string() }),
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => return Err(Error::io("list", dir, error)),
            }
        }
        Ok(found)
    }

    /// Takes back what the creation of partitions has done, and leaves directories that it found.
    pub(super) fn discard(&self, name: &Arc<str>, partitions: Range<i32>, found: &HashSet<i32>) -> Result<()> {
        for index in partitions {
            let dir = self.layout.partition_dir(&TopicPartition::new(name.clone(), index));
            let storage = self.layout.storage();
            let removed = match found.contains(&index) {
                true => storage.remove_file(&metadata_path(&dir)),
                false => storage.remove_dir_all(&dir),
            };
            match removed {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(Error::io("remove", dir, error)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Takes partitions that do not exist out of the checkpoints.
    pub(super) fn forget_checkpoints_of(&self, is_gone: impl Fn(&TopicPartition) -> bool) -> Result<()> {
        // Whoever is writing them may have looked at the topics before the deletion.
        self.checkpoints.write_if(|| {
            Ok(self.layout.recovery_points()?.keys().any(&is_gone) || self.layout.log_starts()?.keys().any(&is_gone))
        })?;
        let known: HashSet<_> = self.layout.first_dirty()?.into_keys().filter(is_gone).map(|gone| gone.topic).collect();
        if known.is_empty() { Ok(()) } else { self.forget_first_dirty(&known) }
    }

    pub(super) fn open_new(&self, partition: &TopicPartition, config: &TopicConfig) -> Result<Log> {
        let known = LastKnown {
            clean: true,
            recovery_point: 0,
            log_start: 0,
            first_dirty: 0,
            checks_crc: true,
            replays_producers: true,
        };
        let context =
            log_context(&self.config, config, &self.clock, &self.schedule, &self.checkpoints, &self.open_files);
        Ok(self.layout.open_log(partition, known, context)?.0)
    }

    /// Deletes the topic with this name, and this id if there is one.
    pub(super) fn delete_topic(&self, name: &str, id: Option<Uuid>) -> Result<()> {
        let _altering = self.altering.lock();
        self.check_writable()?;
        let topic = self.topic(name)?;
        if id.is_some_and(|id| id != topic.id) {
            return Err(unknown_topic(name));
        }
        let deleting = Listed::Deleting { id: topic.id };
        let put = self.reserve.run(|| TopicList::put(&self.layout, name, deleting.clone()));
        // While the old list is in its place, the topic is in use as before. One that failed when it was in its place
        // already may or may not be there for the next open.
        if put.is_err() && TopicList::read(&self.layout).is_ok_and(|list| !list.is_deleting(name)) {
            return put;
        }
        topic.partitions.iter().for_each(Log::mark_deleted);
        // A pass over one of them ends here, before its directory is another's.
        self.cleaner.forget(name);
        put?;
        let due_ms = self.clock.monotonic_ms().saturating_add(LogConfig::from(&topic.config).file_delete_delay_ms);
        for log in topic.partitions.iter().rev() {
            self.reserve.run(|| self.rename_deleted(log, due_ms))?;
        }
        self.layout.sync()?;
        self.topics.write().remove(name);
        self.note_topics_changed();
        self.reserve.run(|| TopicList::remove(&self.layout, &[name.to_owned()]))?;
        self.forget_offsets_of_topics(&HashSet::from([name]))
    }

    fn rename_deleted(&self, log: &Log, due_ms: i64) -> Result<()> {
        match log.move_files(|| rename_deleted(&self.layout, log.topic_partition())) {
            Ok(to) => self.deleted_dirs.lock().push((to, due_ms)),
            // An earlier attempt got this far.
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// The configuration that one of the store's own topics is created with. Kafka keeps `__transaction_state`
/// uncompressed.
pub(super) fn internal_config_of(topic: &str) -> TopicConfig {
    let compression_type = match topic {
        TRANSACTION_STATE => BrokerCompressionType::Uncompressed,
        _ => BrokerCompressionType::Producer,
    };
    TopicConfig::new()
        .cleanup_policy(CleanupPolicy::COMPACT)
        .compression_type(compression_type)
        .segment_bytes(104_857_600)
}

/// Refuses a configuration that would let one of the store's own topics forget what is in force.
pub(super) fn check_internal_config(config: &TopicConfig) -> Result<()> {
    let policy = LogConfig::from(config).cleanup_policy;
    if policy == CleanupPolicy::COMPACT {
        return Ok(());
    }
    let expected = "compact, which the store's own topics stay".to_owned();
    Err(Error::InvalidConfig { key: "cleanup.policy".to_owned(), value: policy.to_string(), expected })
}

/// Whether a directory with these files is a partition's, as far as its name allows.
pub(super) fn has_log(files: &[DirEntry]) -> bool {
    files.iter().any(|file| parse_base_offset(&file.name, LOG).is_some())
}

/// Whether these are the files of a partition, or some of them, as a creation leaves it: nothing was ever appended.
pub(super) fn is_new(files: &[DirEntry]) -> bool {
    files.iter().all(|file| !file.is_dir && file.name.trim_end_matches(TEMPORARY) == PARTITION_METADATA)
}

/// Partitions that are to be created for a topic, at least one.
pub(super) struct NewPartitions<'a> {
    pub(super) topic: &'a Arc<str>,
    pub(super) id: Uuid,
    pub(super) indexes: Range<i32>,
}

/// Creates the directories of partitions of some topics, the first one of each last, so that a crash leaves all of a
/// topic or not that one. Durable on return.
pub(super) fn create_partitions(layout: &Layout, topics: &[NewPartitions<'_>]) -> Result<()> {
    let create = |(of, index): &(&NewPartitions<'_>, i32)| {
        create_partition(layout, &TopicPartition::new(of.topic.clone(), *index), of.id)
    };
    let others = topics.iter().flat_map(|of| of.indexes.clone().skip(1).rev().map(move |index| (of, index)));
    let others: Vec<_> = others.collect();
    if !others.is_empty() {
        in_parallel::for_each(&others, create)?;
        layout.sync()?;
    }
    let firsts: Vec<_> = topics.iter().map(|of| (of, of.indexes.start)).collect();
    in_parallel::for_each(&firsts, create)?;
    layout.sync()
}

/// Refuses a name that can't be told apart from one of `others` in the names of metrics.
pub(super) fn refuse_collision<'a>(name: &str, mut others: impl Iterator<Item = &'a Arc<str>>) -> Result<()> {
    // Where neither is in the name there is nothing to mistake, and no need to look at all topics.
    let other = if name.contains(['.', '_']) { others.find(|other| topic_name::collide(other, name)) } else { None };
    other.map_or(Ok(()), |other| {
        let reason = TopicNameError::Collision { other: other.to_string() };
        Err(Error::InvalidTopic { topic: name.to_owned(), reason })
    })
}

/// Creates the directory of a partition, with its topic's id in it. Its name is durable after a sync of the layout.
pub(super) fn create_partition(layout: &Layout, partition: &TopicPartition, id: Uuid) -> Result<()> {
    let dir = layout.partition_dir(partition);
    layout.storage().create_dir_all(&dir).map_err(|error| Error::io("create", &dir, error))?;
    meta_properties::write_topic_id(layout.storage(), &metadata_path(&dir), id)
}

pub(super) fn metadata_path(dir: &Path) -> std::path::PathBuf {
    dir.join(PARTITION_METADATA)
}

/// Renames a partition's directory to that of a deleted one. Durable after a sync of the layout.
pub(super) fn rename_deleted(layout: &Layout, partition: &TopicPartition) -> Result<std::path::PathBuf> {
    let from = layout.partition_dir(partition);
    let to = layout.dir.join(topic_name::deleted_dir(partition, Uuid::random()));
    layout.storage().rename(&from, &to).map_err(|error| Error::io("rename", from, error))?;
    Ok(to)
}
