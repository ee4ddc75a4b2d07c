//! A store that another process writes: the same topics, logs and committed offsets, followed as they change.
//!
//! ```text
//!   open_read_only → topics of the directory → each log followed (log/follow.rs) → __consumer_offsets, followed
//!   refresh        → the same again, for what is new or gone
//! ```
//!
//! It takes no lock and changes no byte and no name: its storage refuses to.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64};

use parking_lot::Mutex;

use super::cleaner::Cleaner;
use super::group_configs::CurrentGroupConfigs;
use super::layout::Layout;
use super::log_checkpoints::LogCheckpoints;
use super::maintenance::{Maintenance, Schedule};
use super::meta_properties::MetaProperties;
use super::offsets::{CONSUMER_OFFSETS, GroupOffsets};
use super::open::{FoundPartitions, config_of, count_whole, find_partitions};
use super::producer_ids::ProducerIds;
use super::reserve::Reserve;
use super::snapshot::Snapshots;
use super::topic::Topic;
use super::topic_list::TopicList;
use super::topic_map::TopicMap;
use super::transaction::Transactions;
use super::{RecoveryReport, Store, StoreInner, StoreOptions};
use crate::config::{LogConfig, TopicConfig};
use crate::error::{Error, Result};
use crate::io::ReadOnlyStorage;
use crate::log::{Log, LogContext, OpenFiles};
use crate::types::{Offset, TopicPartition};
use crate::uuid::Uuid;

impl StoreOptions {
    /// Opens a data directory that another process may have open for writing, or nobody. Nothing in the directory
    /// changes, and no lock is taken; permission to read is enough, and a read-only file system is fine.
    ///
    /// The store reads as any other does, and follows what the other process appends. Whatever would change something
    /// is refused with [`Error::ReadOnly`]. A read or a poll that comes to the end of a log looks for more; those that
    /// wait look every 50 ms at least. [`Store::refresh`] looks at everything, new and deleted topics too. There is no
    /// thread: of [`maintenance`](Self::maintenance) a store that is read only needs none.
    ///
    /// What a reader sees is what lies in the log, whole batches up to the first that is not whole. That a record can
    /// be read says nothing of whether its producer was told so: it may not have been synced yet, and the loss of power
    /// can take it, and its offset can then be another record's. Of a directory that a crash left, everything up to the
    /// first batch that is not whole is seen; the next open for writing may find less worth keeping.
    ///
    /// ```
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let dir = dir.path();
    /// use esker::{ProducerConfig, Record, ReadLimits, Store, TopicConfig};
    ///
    /// let store = Store::open(dir)?; // usually in another process
    /// store.create_topic("events", TopicConfig::new())?;
    ///
    /// let reader = Store::options().open_read_only(dir)?;
    /// let log = reader.partition("events", 0)?;
    /// assert!(log.read(0, ReadLimits::new())?.is_empty());
    ///
    /// store.producer(ProducerConfig::new())?.send(Record::to("events").value("first"))?;
    /// assert_eq!(log.read(0, ReadLimits::new())?.next_offset(), 1);
    /// # Ok::<(), esker::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidConfig`], [`Error::MalformedFile`], and [`Error::Io`]: also if the directory is none that a
    /// store or a broker has made, because it has no `meta.properties`.
    pub fn open_read_only(self, dir: impl AsRef<Path>) -> Result<Store> {
        self.config.validate()?;
        let layout = Layout { storage: Arc::new(ReadOnlyStorage::new(self.storage)), dir: dir.as_ref().to_owned() };
        let meta = MetaProperties::load(layout.storage(), &layout.dir)?;
        let reserve = Reserve::new(layout.storage.clone(), &layout.dir);
        let inner = Arc::new(StoreInner {
            schedule: Arc::new(Schedule::new(&self.config, &*self.clock, Maintenance::Manual)),
            reserve: reserve.clone(),
            // Nobody writes any.
            checkpoints: Arc::new(LogCheckpoints::new(layout.clone(), reserve)),
            open_files: Arc::new(OpenFiles::new(self.config.open_files_max)),
            layout,
            topic_defaults: self.config.topic_defaults.topic_config(),
            config: self.config,
            clock: self.clock,
            meta,
            topics: Arc::default(),
            partitions_added: AtomicU64::new(0),
            topic_changes: AtomicU64::new(0),
            altering: Mutex::default(),
            ticking: Mutex::default(),
            snapshots: Snapshots::default(),
            offsets: GroupOffsets::default(),
            transactions: Transactions::default(),
            producer_ids: ProducerIds::default(),
            // They are read when they are asked for.
            group_configs: CurrentGroupConfigs::default(),
            #[cfg(feature = "sasl")]
            scram_credentials: super::scram_credentials::ScramCredentials::default(),
            cleaner: Cleaner::new(HashMap::new(), 0, 0),
            report: RecoveryReport::default(),
            deleted_dirs: Mutex::default(),
            closed: AtomicBool::new(false),
            #[cfg(feature = "coordinator")]
            attached: super::attached::Attached::default(),
            is_read_only: true,
            lock: Mutex::default(),
            _temporary: None,
        });
        inner.refresh()?;
        Ok(Store { inner })
    }
}

impl Store {
    /// Whether the store was opened with [`open_read_only`](StoreOptions::open_read_only).
    pub fn is_read_only(&self) -> bool {
        self.inner.is_read_only
    }

    /// Looks at the whole directory again, of a store that was opened read-only: at topics that were created or
    /// deleted, partitions that were added, logs that went on, segments that were deleted, offsets that were committed.
    /// Does nothing with a store that is open for writing.
    ///
    /// # Errors
    /// The first failure; the rest has been looked at all the same.
    pub fn refresh(&self) -> Result<()> {
        self.inner.refresh()
    }
}

impl StoreInner {
    pub(super) fn refresh(&self) -> Result<()> {
        self.check_open()?;
        if !self.is_read_only {
            return Ok(());
        }
        self.find_topics()?;
        let failures: Vec<Error> = self.logs().iter().filter_map(|log| log.refresh().err()).collect();
        self.follow_offsets()?;
        failures.into_iter().next().map_or(Ok(()), Err)
    }

    /// A topic or partition is not known: perhaps another process has created it meanwhile. Fails as before if there is
    /// no other process.
    pub(super) fn look_for_topics(&self, unknown: Error) -> Result<()> {
        if self.is_read_only { self.find_topics() } else { Err(unknown) }
    }

    /// Brings a topic that is about to be described up to date.
    pub(super) fn look_at_topic(&self, name: &str) -> Result<()> {
        if self.is_read_only {
            self.find_topics()?;
            self.topic(name)?.partitions.iter().try_for_each(Log::refresh)?;
        }
        Ok(())
    }

    /// Brings `__consumer_offsets` up to date, if another process writes it.
    pub(super) fn look_at_offsets(&self) -> Result<()> {
        if !self.is_read_only {
            return Ok(());
        }
        if self.topic(CONSUMER_OFFSETS).is_err() {
            // The first commit creates the topic.
            self.find_topics()?;
        }
        match self.topic(CONSUMER_OFFSETS) {
            Ok(topic) => topic.partitions.iter().try_for_each(Log::look),
            Err(_) => Ok(()),
        }
    }

    /// Opens what is new, and lets go of what is gone.
    pub(super) fn find_topics(&self) -> Result<()> {
        let _altering = self.altering.lock();
        self.check_open()?;
        let (mut found, _) = find_partitions(&self.layout)?;
        let list = TopicList::read(&self.layout)?;
        for (topic, id) in list.deletions() {
            if let Some(partitions) = found.get_mut(&*topic) {
                partitions.retain(|_, of| *of != Some(id));
            }
        }
        let starts = self.layout.log_starts()?;
        let known = self.topics.read().clone();
        let mut topics = TopicMap::default();
        for (name, partitions) in found.into_iter().filter(|(_, partitions)| partitions.contains_key(&0)) {
            let topic = self.open_topic(&name, &partitions, &list, &starts, known.get(&name))?;
            topics.insert(topic);
        }
        for (name, topic) in &*known {
            if topics.get(name).is_none_or(|now| now.id != topic.id) {
                topic.partitions.iter().for_each(Log::mark_deleted);
            }
        }
        *self.topics.write() = topics;
        Ok(())
    }

    /// A topic as it is now, with the logs of it that are open already.
    fn open_topic(
        &self,
        name: &Arc<str>,
        partitions: &FoundPartitions,
        list: &TopicList,
        starts: &HashMap<TopicPartition, Offset>,
        known: Option<&Arc<Topic>>,
    ) -> Result<Topic> {
        let id = partitions.values().copied().flatten().next().unwrap_or(Uuid::from_bytes([0; 16]));
        let count = count_whole(partitions, id);
        let config = config_of(list, name, id, count, &self.topic_defaults);
        let open = known.filter(|known| known.id == id).map(|known| &known.partitions[..]).unwrap_or_default();
        let mut logs: Vec<Log> = open.iter().take(count).filter(|log| !log.is_deleted()).cloned().collect();
        for index in 0..count {
            let partition = TopicPartition::new(name.clone(), index as i32);
            let start = starts.get(&partition).copied().unwrap_or(0);
            match logs.get(index) {
                Some(log) => {
                    log.set_config(LogConfig::from(&config));
                    log.follow_log_start(start);
                }
                None => logs.push(self.follow_log(&partition, start, &config)?),
            }
        }
        Ok(Topic { name: name.clone(), id, config, partitions: logs })
    }

    fn follow_log(&self, partition: &TopicPartition, start: Offset, config: &TopicConfig) -> Result<Log> {
        let context = LogContext {
            config: LogConfig::from(config),
            clock: self.clock.clone(),
            sync: self.config.sync,
            helper: None,
            checkpoints: None,
            syncs_swaps: true,
            open_files: self.open_files.clone(),
        };
        self.layout.follow_log(partition, start, context)
    }
}
