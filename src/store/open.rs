//! Opening a store: lock the directory, find its partitions, recover them in parallel.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread;

use parking_lot::{Mutex, RwLock};

use super::cleaner::Cleaner;
use super::layout::Layout;
use super::log_checkpoints::LogCheckpoints;
use super::maintenance::{Maintenance, Schedule};
use super::meta_properties::{self, MetaProperties};
use super::offsets::{CONSUMER_OFFSETS, GroupOffsets};
use super::producer_ids::ProducerIds;
use super::reserve::Reserve;
use super::snapshot::Snapshots;
use super::topic::{Topic, has_log, internal_config_of, is_new, metadata_path, rename_deleted};
use super::topic_list::TopicList;
use super::topic_map::TopicMap;
use super::topic_name::{DirName, is_internal, parse_dir};
use super::transaction::{TRANSACTION_STATE, Transactions};
use super::{Store, StoreInner};
use crate::clock::{Clock, SystemClock};
use crate::config::{LogConfig, StoreConfig, TopicConfig, invalid};
use crate::error::{Error, Result};
use crate::io::{DirEntry, FsStorage, Locked, Storage, TemporaryDir};
use crate::log::{Checkpoints, Damage, LastKnown, Log, LogContext, OpenFiles, PartitionRecovery};
use crate::types::{Offset, TopicPartition};
use crate::uuid::Uuid;

pub(super) const LOCK: &str = ".lock";

/// How a store is opened. What is not set has its default: the real disk, the system's clock, Kafka's configuration,
/// and a maintenance thread.
#[derive(Clone, Debug)]
#[must_use]
pub struct StoreOptions {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) config: StoreConfig,
    maintenance: Maintenance,
    node_id: Option<i32>,
}

/// What opening a store found, and what it did about it.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RecoveryReport {
    /// The store had been closed properly, so nothing had to be checked. False for a new directory too, where nothing
    /// says so, and nothing is there to be checked.
    pub clean_shutdown: bool,
    /// What was found in each partition, by name.
    pub partitions: Vec<PartitionRecovery>,
    /// Partitions that were left over from the creation or deletion of a topic that a crash interrupted; they are
    /// being removed.
    pub leftovers: Vec<TopicPartition>,
    /// Partitions that come after one that is missing, or that are another topic's of the same name: they are not
    /// opened.
    pub incomplete: Vec<TopicPartition>,
}

impl RecoveryReport {
    /// Whether there is nothing that a person should look at: nothing was cut off and nothing is damaged.
    pub fn is_healthy(&self) -> bool {
        self.incomplete.is_empty()
            && self.partitions.iter().all(|partition| partition.cuts.is_empty() && partition.damage.is_empty())
    }
}

impl RecoveryReport {
    /// Notes what was found after the partitions had been opened, unless it was found then.
    fn add_damage(&mut self, logs: &[Log], damage: Vec<Vec<Damage>>) {
        for (log, damage) in logs.iter().zip(damage) {
            let is_it = |recovery: &&mut PartitionRecovery| recovery.topic_partition == *log.topic_partition();
            let Some(recovery) = self.partitions.iter_mut().find(is_it) else { continue };
            for found in damage {
                let found_before = |known: &Damage| known.error.to_string() == found.error.to_string();
                if !recovery.damage.iter().any(found_before) {
                    recovery.damage.push(found);
                }
            }
        }
    }
}

impl StoreOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self {
            storage: Arc::new(FsStorage::new()),
            clock: Arc::new(SystemClock),
            config: StoreConfig::default(),
            maintenance: Maintenance::default(),
            node_id: None,
        }
    }

    /// Where the files are: the real disk, memory ([`MemoryStorage`](crate::io::MemoryStorage)), or a simulated disk
    /// (feature `sim`).
    ///
    /// ```
    /// use std::sync::Arc;
    /// use esker::{Store, io::MemoryStorage};
    ///
    /// let store = Store::options().storage(Arc::new(MemoryStorage::new())).open("data")?; // touches no disk
    /// # Ok::<(), esker::Error>(())
    /// ```
    pub fn storage(mut self, storage: Arc<dyn Storage>) -> Self {
        self.storage = storage;
        self
    }

    /// What time it is.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The store's configuration.
    pub fn config(mut self, config: StoreConfig) -> Self {
        self.config = config;
        self
    }

    /// Who does what has to be done from time to time.
    pub fn maintenance(mut self, maintenance: Maintenance) -> Self {
        self.maintenance = maintenance;
        self
    }

    /// Which node it is, by Kafka's `node.id`. By default it is the one that the data directory belongs to, which for a
    /// new one is 1. A directory that belongs to another is not opened. Of a store that is opened read-only this means
    /// nothing.
    pub fn node_id(mut self, node_id: impl Into<Option<i32>>) -> Self {
        self.node_id = node_id.into();
        self
    }

    /// Opens the data directory `dir`: see [`Store::open`].
    ///
    /// # Errors
    /// As [`Store::open`], and [`Error::InvalidConfig`].
    pub fn open(self, dir: impl AsRef<Path>) -> Result<Store> {
        self.open_in(dir.as_ref(), None)
    }

    /// Opens a store in a temporary directory: see [`Store::temporary`].
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_temporary(self) -> Result<Store> {
        let temporary = TemporaryDir::new().map_err(|error| Error::io("create", "a temporary directory", error))?;
        self.open_in(&temporary.path(), Some(temporary))
    }

    fn open_in(self, dir: &Path, temporary: Option<TemporaryDir>) -> Result<Store> {
        self.config.validate()?;
        if let Some(node_id) = self.node_id.filter(|node_id| *node_id < 0) {
            return Err(invalid("node.id", &node_id.to_string(), "a number from 0 up"));
        }
        let layout = Layout { storage: self.storage, dir: dir.to_owned() };
        create_dir(layout.storage(), dir)?;
        let lock_path = dir.join(LOCK);
        let lock = layout.storage().lock(&lock_path).map_err(|locked| match locked {
            Locked::Held(holder) => Error::DirectoryLocked { directory: dir.to_owned(), holder },
            Locked::Io(error) => Error::io("lock", lock_path, error),
        })?;
        let reserve = Reserve::new(layout.storage.clone(), dir);
        let schedule = Arc::new(Schedule::new(&self.config, &*self.clock, self.maintenance));
        let meta = reserve.run(|| MetaProperties::load_or_create(layout.storage(), dir, self.node_id))?;
        // Gone before any log is opened, so that a crash from here on counts as one.
        let clean = layout.take_clean_shutdown()?;
        let checkpoints = Arc::new(LogCheckpoints::new(layout.clone(), reserve.clone()));
        let open_files = Arc::new(OpenFiles::new(self.config.open_files_max));
        let topic_defaults = self.config.topic_defaults.topic_config();
        let opened = reserve.run(|| {
            let mut opening = Opening {
                layout: &layout,
                config: &self.config,
                topic_defaults: &topic_defaults,
                clock: &self.clock,
                schedule: &schedule,
                checkpoints: &checkpoints,
                open_files: &open_files,
                report: RecoveryReport { clean_shutdown: clean, ..RecoveryReport::default() },
                deleted_dirs: Vec::new(),
            };
            let topics = opening.open_topics()?;
            Ok((topics, opening.report, opening.deleted_dirs))
        });
        let (topics, mut report, deleted_dirs) = opened?;
        reserve.hold();
        let offsets = GroupOffsets::default();
        if let Some(topic) = topics.get(CONSUMER_OFFSETS) {
            report.add_damage(&topic.partitions, offsets.load(topic)?);
        }
        let transactions = match topics.get(TRANSACTION_STATE) {
            None => Transactions::default(),
            Some(topic) => {
                let (transactions, damage) = Transactions::load(&topic.partitions)?;
                report.add_damage(&topic.partitions, damage);
                transactions
            }
        };
        let group_configs = super::group_configs::read(&layout)?;
        let topics = Arc::new(RwLock::new(topics));
        checkpoints.set_topics(&topics);
        let monotonic_ms = self.clock.monotonic_ms();
        // The default is beyond all there are, and becomes the greatest.
        let bytes_per_second = self.config.log_cleaner_io_max_bytes_per_second as u64;
        let cleaner = Cleaner::new(layout.first_dirty()?, bytes_per_second, monotonic_ms);
        let deleted_dirs = deleted_dirs.into_iter().map(|dir| (dir, monotonic_ms)).collect();
        let inner = Arc::new(StoreInner {
            schedule,
            layout,
            reserve,
            config: self.config,
            topic_defaults,
            clock: self.clock,
            meta,
            topics,
            partitions_added: AtomicU64::new(0),
            topic_changes: AtomicU64::new(0),
            altering: Mutex::default(),
            ticking: Mutex::default(),
            snapshots: Snapshots::default(),
            checkpoints,
            open_files,
            offsets,
            transactions,
            producer_ids: ProducerIds::default(),
            group_configs: RwLock::new(Arc::new(group_configs)),
            #[cfg(feature = "sasl")]
            scram_credentials: super::scram_credentials::ScramCredentials::default(),
            cleaner,
            report,
            deleted_dirs: Mutex::new(deleted_dirs),
            closed: AtomicBool::new(false),
            #[cfg(feature = "coordinator")]
            attached: super::attached::Attached::default(),
            is_read_only: false,
            lock: Mutex::new(Some(lock)),
            _temporary: temporary,
        });
        // The store opens all the same: the maintenance tries again.
        inner.finish_transactions().into_iter().for_each(|failure| inner.schedule.note_failure(failure));
        Schedule::start(&inner)?;
        Ok(Store { inner })
    }
}

/// Creates the data directory and those above it that are missing, so that the loss of power keeps their names.
pub(super) fn create_dir(storage: &dyn Storage, dir: &Path) -> Result<()> {
    let is_missing = |dir: &&Path| matches!(storage.list(dir), Err(error) if error.kind() == io::ErrorKind::NotFound);
    let missing: Vec<&Path> = dir.ancestors().take_while(is_missing).collect();
    storage.create_dir_all(dir).map_err(|error| Error::io("create", dir, error))?;
    for parent in missing.iter().rev().filter_map(|dir| dir.parent()) {
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        storage.sync_dir(parent).map_err(|error| Error::io("sync", parent, error))?;
    }
    Ok(())
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// The partitions of a topic that have a directory, by index, with the topic id that each has.
pub(super) type FoundPartitions = BTreeMap<i32, Option<Uuid>>;
pub(super) type FoundTopics = BTreeMap<Arc<str>, FoundPartitions>;

/// The partitions that have a directory, and the directories of deleted ones. One with neither a topic's id nor a log
/// in it is somebody else's, whatever its name, or was being created when a crash came and has nothing in it yet.
pub(super) fn find_partitions(layout: &Layout) -> Result<(FoundTopics, Vec<PathBuf>)> {
    let (storage, dir) = (layout.storage(), &layout.dir);
    let entries = storage.list(dir).map_err(|error| Error::io("list", dir, error))?;
    let (mut found, mut deleted_dirs) = (FoundTopics::new(), Vec::new());
    for entry in entries.iter().filter(|entry| entry.is_dir) {
        let path = dir.join(&entry.name);
        match parse_dir(&entry.name) {
            DirName::Partition(partition) => {
                let id = meta_properties::read_topic_id(storage, &metadata_path(&path))?;
                if id.is_some() || has_log(&files_of(layout, &partition)?) {
                    found.entry(partition.topic).or_default().insert(partition.partition, id);
                }
            }
            DirName::Deleted => deleted_dirs.push(path),
            DirName::Other => {}
        }
    }
    Ok((found, deleted_dirs))
}

/// The files of a partition; none if its directory was taken away meanwhile.
fn files_of(layout: &Layout, partition: &TopicPartition) -> Result<Vec<DirEntry>> {
    let dir = layout.partition_dir(partition);
    match layout.storage().list(&dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        listed => listed.map_err(|error| Error::io("list", dir, error)),
    }
}

/// Whether a partition with this id in its directory is one whose creation a crash interrupted: it was to be created
/// here, and nothing has come into it.
pub(super) fn is_left_of_creation(
    layout: &Layout,
    partition: &TopicPartition,
    id: Option<Uuid>,
    list: &TopicList,
) -> Result<bool> {
    let is_ours = id.is_some_and(|id| list.config_of(&partition.topic, id).is_some());
    Ok(is_ours && is_new(&files_of(layout, partition)?))
}

/// How many partitions of a topic there are, from 0 on without one that is missing or another topic's.
pub(super) fn count_whole(partitions: &FoundPartitions, id: Uuid) -> usize {
    let belongs = |(index, of): (&i32, &Option<Uuid>), expected| *index == expected && of.is_none_or(|of| of == id);
    partitions.iter().zip(0..).take_while(|(found, expected)| belongs(*found, *expected)).count()
}

/// The configs of a topic with `count` partitions.
pub(super) fn config_of(list: &TopicList, name: &str, id: Uuid, count: usize, defaults: &TopicConfig) -> TopicConfig {
    let config = match list.config_of(name, id) {
        // Theirs were not always listed.
        listed if is_internal(name) && listed.is_none_or(|config| config.overrides().is_empty()) => {
            internal_config_of(name)
        }
        Some(config) => config.clone(),
        // Its configs are in the metadata log of whoever created it. To keep everything is the one guess that costs no
        // record.
        None => TopicConfig::new().retention_ms(-1).retention_bytes(-1),
    };
    config.over(defaults).partitions(count as i32)
}

struct Opening<'a> {
    schedule: &'a Arc<Schedule>,
    checkpoints: &'a Arc<LogCheckpoints>,
    open_files: &'a Arc<OpenFiles>,
    layout: &'a Layout,
    config: &'a StoreConfig,
    topic_defaults: &'a TopicConfig,
    clock: &'a Arc<dyn Clock>,
    report: RecoveryReport,
    deleted_dirs: Vec<PathBuf>,
}

impl Opening<'_> {
    fn open_topics(&mut self) -> Result<TopicMap> {
        if !self.report.clean_shutdown {
            // A topic whose creation died before this was done looks like any other, and is going to be appended to.
            self.layout.sync()?;
        }
        let (mut found, deleted_dirs) = find_partitions(self.layout)?;
        self.deleted_dirs.extend(deleted_dirs);
        let list = TopicList::read(self.layout)?;
        self.finish_deletions(&mut found, &list)?;
        let mut wanted: Vec<(TopicPartition, TopicConfig)> = Vec::new();
        let mut ids: HashMap<Arc<str>, Uuid> = HashMap::new();
        for (name, partitions) in found {
            if !partitions.contains_key(&0) {
                self.clear_leftovers(&name, &partitions, &list)?;
                continue;
            }
            let id = self.topic_id(&name, &partitions)?;
            let whole = count_whole(&partitions, id);
            for (index, of) in partitions.iter().skip(whole) {
                let partition = TopicPartition::new(name.clone(), *index);
                // Partitions were being added when a crash came.
                if *of == Some(id) && is_left_of_creation(self.layout, &partition, *of, &list)? {
                    self.put_away(partition)?;
                } else {
                    self.report.incomplete.push(partition);
                }
            }
            let config = config_of(&list, &name, id, whole, self.topic_defaults);
            wanted.extend((0..whole as i32).map(|index| (TopicPartition::new(name.clone(), index), config.clone())));
            ids.insert(name, id);
        }
        let logs = self.open_logs(&wanted)?;
        let mut topics: BTreeMap<Arc<str>, Topic> = BTreeMap::new();
        for ((partition, config), (log, recovery)) in wanted.into_iter().zip(logs) {
            self.report.partitions.push(recovery);
            let name = partition.topic;
            let id = ids[&name];
            let topic = || Topic { name: name.clone(), id, config, partitions: Vec::new() };
            topics.entry(name.clone()).or_insert_with(topic).partitions.push(log);
        }
        Ok(topics.into_values().collect())
    }

    /// Does what is left to do of the deletions that a crash interrupted: no directory of theirs is left in `found`.
    fn finish_deletions(&mut self, found: &mut FoundTopics, list: &TopicList) -> Result<()> {
        let deletions = list.deletions();
        for (topic, id) in &deletions {
            let Some(partitions) = found.get_mut(&**topic) else { continue };
            for (index, _) in partitions.extract_if(.., |_, of| *of == Some(*id)) {
                self.put_away(TopicPartition::new(topic.as_str(), index))?;
            }
            if partitions.is_empty() {
                found.remove(&**topic);
            }
        }
        self.unlist(&deletions.into_iter().map(|(topic, _)| topic).collect::<Vec<_>>())
    }

    /// A topic without partition 0 is one whose creation a crash interrupted, if it was to be created here and nothing
    /// has come into its partitions. Anything else is kept and reported.
    fn clear_leftovers(&mut self, name: &Arc<str>, partitions: &FoundPartitions, list: &TopicList) -> Result<()> {
        let mut is_cleared = true;
        for (index, id) in partitions.iter().rev() {
            let partition = TopicPartition::new(name.clone(), *index);
            if is_left_of_creation(self.layout, &partition, *id, list)? {
                self.put_away(partition)?;
            } else {
                self.report.incomplete.push(partition);
                is_cleared = false;
            }
        }
        if is_cleared { self.unlist(&[name.to_string()]) } else { self.layout.sync() }
    }

    fn put_away(&mut self, partition: TopicPartition) -> Result<()> {
        self.deleted_dirs.push(rename_deleted(self.layout, &partition)?);
        self.report.leftovers.push(partition);
        Ok(())
    }

    /// Takes topics off the list, whose directories have been put away: first that becomes durable.
    fn unlist(&self, topics: &[String]) -> Result<()> {
        if topics.is_empty() {
            return Ok(());
        }
        self.layout.sync()?;
        TopicList::remove(self.layout, topics)
    }

    /// The topic's id, of the first partition that has one; those that have none get it, as Kafka gives one to logs
    /// from before there were ids.
    fn topic_id(&self, name: &Arc<str>, partitions: &FoundPartitions) -> Result<Uuid> {
        let topic_id = partitions.values().copied().flatten().next().unwrap_or_else(Uuid::random);
        for (index, _) in partitions.iter().filter(|(_, id)| id.is_none()) {
            let dir = self.layout.partition_dir(&TopicPartition::new(name.clone(), *index));
            meta_properties::write_topic_id(self.layout.storage(), &metadata_path(&dir), topic_id)?;
        }
        Ok(topic_id)
    }

    /// Opens the logs on as many threads as are configured, if there are that many to be had, and returns them in the
    /// order of `wanted`.
    fn open_logs(&self, wanted: &[(TopicPartition, TopicConfig)]) -> Result<Vec<(Log, PartitionRecovery)>> {
        let (recovery_points, log_starts) = (self.layout.recovery_points()?, self.layout.log_starts()?);
        let first_dirty = self.layout.first_dirty()?;
        let next = AtomicUsize::new(0);
        let open = |index: usize| {
            let (partition, config) = &wanted[index];
            let at = |offsets: &HashMap<TopicPartition, Offset>| offsets.get(partition).copied().unwrap_or(0);
            let known = LastKnown {
                clean: self.report.clean_shutdown,
                recovery_point: at(&recovery_points),
                log_start: at(&log_starts),
                first_dirty: at(&first_dirty),
                checks_crc: self.config.checks_crc_at_recovery(),
                replays_producers: self.config.replays_producers_at_recovery(),
            };
            self.open_log(partition, config, known).map(|opened| (index, opened))
        };
        let open_some = || {
            let mut opened = Vec::new();
            loop {
                match next.fetch_add(1, Ordering::Relaxed) {
                    index if index < wanted.len() => opened.push(open(index)?),
                    _ => return Ok(opened),
                }
            }
        };
        let threads = self.config.num_recovery_threads_per_data_dir.min(wanted.len());
        let mut opened = thread::scope(|scope| {
            // The system may have no more: then those who are there do it.
            let help = |_| thread::Builder::new().spawn_scoped(scope, open_some).ok();
            let others: Vec<_> = (1..threads).map_while(help).collect();
            let mut all = open_some()?;
            for other in others {
                match other.join() {
                    Ok(opened) => all.extend(opened?),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            Ok::<_, Error>(all)
        })?;
        opened.sort_unstable_by_key(|(index, _)| *index);
        Ok(opened.into_iter().map(|(_, opened)| opened).collect())
    }

    fn open_log(
        &self,
        partition: &TopicPartition,
        config: &TopicConfig,
        known: LastKnown,
    ) -> Result<(Log, PartitionRecovery)> {
        let context = log_context(self.config, config, self.clock, self.schedule, self.checkpoints, self.open_files);
        self.layout.open_log(partition, known, context)
    }
}

/// What a log of a store is opened with.
pub(super) fn log_context(
    store: &StoreConfig,
    topic: &TopicConfig,
    clock: &Arc<dyn Clock>,
    schedule: &Arc<Schedule>,
    checkpoints: &Arc<LogCheckpoints>,
    open_files: &Arc<OpenFiles>,
) -> LogContext {
    let checkpoints: Arc<dyn Checkpoints> = checkpoints.clone();
    LogContext {
        config: LogConfig::from(topic),
        clock: clock.clone(),
        sync: store.sync,
        helper: Some(schedule.clone()),
        checkpoints: store.writes_down_truncations().then_some(checkpoints),
        syncs_swaps: store.syncs_swaps(),
        open_files: open_files.clone(),
    }
}
