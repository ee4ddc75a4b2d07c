//! Many partitions in one data directory, in Kafka's layout. Which files there are
//! [`guide::operating`](crate::guide::operating) lists.

#[cfg(feature = "net")]
mod admin;
mod alter;
#[cfg(feature = "coordinator")]
mod attached;
mod cleaner;
mod create_topics;
mod group_configs;
#[cfg(feature = "coordinator")]
mod group_records;
mod groups;
mod in_parallel;
mod layout;
mod log_checkpoints;
mod maintenance;
mod meta_properties;
mod offset_expiry;
mod offset_record;
mod offset_replay;
mod offset_state;
mod offsets;
mod open;
mod producer_ids;
mod read_only;
pub(crate) mod record_fields;
mod repair;
mod replay;
mod reserve;
mod reset_offsets;
#[cfg(feature = "sasl")]
mod scram_credentials;
mod snapshot;
mod topic;
mod topic_list;
mod topic_map;
mod topic_name;
mod transaction;
mod verify;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

pub use groups::{GroupDescription, GroupOffset};
pub use maintenance::Maintenance;
pub use offsets::CommittedOffset;
pub use open::{RecoveryReport, StoreOptions};
pub use reset_offsets::{OffsetReset, PlannedOffset};
#[cfg(feature = "sasl")]
pub use scram_credentials::ScramCredential;
pub use snapshot::{SnapshotProgress, SnapshotReport};
pub use topic::{PartitionDescription, TopicDescription};
pub use transaction::{HangingTransaction, TransactionDescription, TransactionFilter};

#[cfg(feature = "coordinator")]
pub(crate) use attached::WeakStore;
#[cfg(feature = "coordinator")]
pub(crate) use group_configs::GroupConfigs;
#[cfg(feature = "coordinator")]
pub(crate) use group_records::AppendedGroupRecords;
pub(crate) use maintenance::Task;
pub(crate) use offset_expiry::GroupInUse;
#[cfg(feature = "coordinator")]
pub(crate) use offset_record::java_hash;
pub(crate) use offsets::check_group_id;
#[cfg(feature = "sasl")]
pub(crate) use scram_credentials::{ScramAlteration, ScramUsers, USER_BYTES_MAX};
#[cfg(feature = "coordinator")]
pub(crate) use topic_name::is_internal;
#[cfg(feature = "coordinator")]
pub(crate) use topic_name::validate as validate_topic_name;
#[cfg(feature = "net")]
pub(crate) use transaction::TakesPart;

use crate::clock::Clock;
use crate::config::{ConfigEntry, StoreConfig, TopicConfig};
use crate::error::{Error, Result};
use crate::io::{StorageLock, TemporaryDir};
use crate::log::{Checkpoints, Log, OpenFiles};
use crate::types::TopicPartition;
use cleaner::Cleaner;
use group_configs::CurrentGroupConfigs;
use layout::Layout;
use log_checkpoints::LogCheckpoints;
use maintenance::Schedule;
use meta_properties::MetaProperties;
use offsets::GroupOffsets;
use producer_ids::ProducerIds;
use reserve::Reserve;
use snapshot::Snapshots;
use topic::{Topic, Topics};
use transaction::Transactions;

/// A data directory, open for reading and writing: topics, their partitions, and the offsets of consumer groups.
///
/// Cheap to clone; all clones are the same store. It is closed by [`close`](Self::close), or when its last clone and
/// the last producer and consumer of it are gone. A process that dies without either loses nothing that was
/// acknowledged; the next open only takes longer.
///
/// ```
/// use esker::{Acks, AutoOffsetReset, ConsumerConfig, ProducerConfig, Record, Store, TopicConfig};
/// use std::time::Duration;
///
/// let store = Store::temporary()?; // or Store::open("data")?
/// store.create_topic("payments", TopicConfig::new().partitions(4))?;
///
/// let producer = store.producer(ProducerConfig::new().acks(Acks::All))?;
/// producer.send(Record::to("payments").key("card-42").value("9.99 EUR"))?;
///
/// let config = ConsumerConfig::from("billing").auto_offset_reset(AutoOffsetReset::Earliest);
/// let mut consumer = store.consumer(config)?;
/// consumer.assign_topics(["payments"])?;
/// for record in consumer.poll(Duration::from_millis(100))? {
///     assert_eq!(record.value.as_deref(), Some(&b"9.99 EUR"[..]));
/// }
/// consumer.commit()?;
/// # Ok::<(), esker::Error>(())
/// ```
#[derive(Clone)]
pub struct Store {
    inner: Arc<StoreInner>,
}

pub(crate) struct StoreInner {
    layout: Layout,
    reserve: Reserve,
    config: StoreConfig,
    /// What topics get that they do not set.
    topic_defaults: TopicConfig,
    clock: Arc<dyn Clock>,
    meta: MetaProperties,
    topics: Arc<Topics>,
    /// How often partitions were added to a topic.
    partitions_added: AtomicU64,
    /// How often topics were created or deleted, or got partitions.
    topic_changes: AtomicU64,
    /// Held by whoever creates, changes or deletes a topic, or what a file beside the topics says, so that they take
    /// turns while others go on reading. Who has it looks whether the store is closed: nobody begins anything after
    /// that.
    altering: Mutex<()>,
    offsets: GroupOffsets,
    transactions: Transactions,
    producer_ids: ProducerIds,
    group_configs: CurrentGroupConfigs,
    #[cfg(feature = "sasl")]
    scram_credentials: scram_credentials::ScramCredentials,
    cleaner: Cleaner,
    report: RecoveryReport,
    schedule: Arc<Schedule>,
    /// Held by a tick while it works on the directory.
    ticking: Mutex<()>,
    snapshots: Snapshots,
    checkpoints: Arc<LogCheckpoints>,
    open_files: Arc<OpenFiles>,
    /// Directories of deleted partitions, and when they are to be removed.
    deleted_dirs: Mutex<Vec<(PathBuf, i64)>>,
    closed: AtomicBool,
    #[cfg(feature = "coordinator")]
    attached: attached::Attached,
    /// Another process writes the directory, and nothing is written here.
    is_read_only: bool,
    /// The directory's. Held by whoever closes the store, until the directory is let go of.
    lock: Mutex<Option<Box<dyn StorageLock>>>,
    /// Goes last: everything above may still write into it.
    _temporary: Option<TemporaryDir>,
}

impl Store {
    /// Opens the data directory `dir`, creating it if it does not exist, with the defaults of [`StoreOptions`].
    ///
    /// Takes the directory's lock, and recovers what a crash left: [`recovery_report`](Self::recovery_report) tells
    /// what was found.
    ///
    /// # Errors
    /// [`Error::DirectoryLocked`] names who has it open. [`Error::Io`], [`Error::StorageFull`],
    /// [`Error::MalformedFile`] and [`Error::CorruptRecord`] name the file that can't be used; nothing is lost by
    /// such a failure.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self> {
        StoreOptions::new().open(dir)
    }

    /// Opens a new store in a temporary directory of the operating system, which is removed when the store goes: for
    /// tests and examples. One that touches no disk at all has a [`MemoryStorage`](crate::io::MemoryStorage):
    /// `Store::options().storage(Arc::new(MemoryStorage::new())).open("data")`.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn temporary() -> Result<Self> {
        StoreOptions::new().open_temporary()
    }

    /// Options to open a store with: its storage, clock, configuration and maintenance.
    pub fn options() -> StoreOptions {
        StoreOptions::new()
    }

    /// What opening this store found and did.
    pub fn recovery_report(&self) -> &RecoveryReport {
        &self.inner.report
    }

    /// The data directory.
    pub fn dir(&self) -> &Path {
        &self.inner.layout.dir
    }

    /// The id of this node, which leads all partitions here (`node.id`).
    pub fn node_id(&self) -> i32 {
        self.inner.meta.node_id
    }

    /// The id of the directory (`directory.id`), which is in no response to a client.
    #[cfg(feature = "sasl")]
    pub(crate) fn directory_id(&self) -> crate::uuid::Uuid {
        self.inner.meta.directory_id
    }

    /// The id of the cluster that this directory belongs to (`cluster.id`).
    pub fn cluster_id(&self) -> &str {
        &self.inner.meta.cluster_id
    }

    /// The configs that the store was opened with, by the names that Kafka's brokers have for them (Kafka's
    /// `DescribeConfigs` of a broker), in their order. Those without a value are left out.
    pub fn describe_configs(&self) -> Vec<ConfigEntry> {
        let mut configs = self.inner.config.describe();
        configs.sort_unstable_by_key(|config| config.name);
        configs
    }

    /// How many files of its partitions the store has open, for reading and appending: no more than `open.files.max`,
    /// unless more are being used at this very moment.
    pub fn open_file_count(&self) -> usize {
        self.inner.open_files.count()
    }

    /// The log of a partition.
    ///
    /// # Errors
    /// [`Error::UnknownTopicOrPartition`] if there is none.
    pub fn partition(&self, topic: &str, partition: i32) -> Result<Log> {
        self.inner.partition(topic, partition).or_else(|unknown| {
            self.inner.look_for_topics(unknown)?;
            self.inner.partition(topic, partition)
        })
    }

    /// How many partitions a topic has.
    ///
    /// # Errors
    /// [`Error::UnknownTopicOrPartition`] if there is no such topic.
    pub fn partition_count(&self, topic: &str) -> Result<i32> {
        let found = self.inner.topic(topic).or_else(|unknown| {
            self.inner.look_for_topics(unknown)?;
            self.inner.topic(topic)
        })?;
        Ok(found.partitions.len() as i32)
    }

    /// Closes the store: appends what its producers hold back, refuses further records, makes everything durable, and
    /// marks the directory as cleanly shut down, so that the next open checks nothing. Closing again does nothing.
    ///
    /// # Errors
    /// What kept data from the device. The marker is then left out, and the next open recovers.
    pub fn close(&self) -> Result<()> {
        self.inner.close()
    }

    /// The logs of a topic's partitions.
    pub(crate) fn logs_of(&self, topic: &str) -> Result<Vec<Log>> {
        Ok(self.inner.topic(topic)?.partitions.clone())
    }

    /// Changes when partitions were added to a topic. Whoever looks at it before it looks at a topic can tell later
    /// whether it must look again.
    pub(crate) fn partitions_added(&self) -> u64 {
        self.inner.partitions_added.load(Ordering::Acquire)
    }

    /// Changes when topics are created or deleted, or get partitions. Those who wait for that are
    /// [told](Task::topics_changed).
    #[cfg(feature = "coordinator")]
    pub(crate) fn topic_changes(&self) -> u64 {
        self.inner.topic_changes.load(Ordering::Acquire)
    }

    pub(crate) fn check_open(&self) -> Result<()> {
        self.inner.check_open()
    }

    pub(crate) fn check_writable(&self) -> Result<()> {
        self.inner.check_writable()
    }

    #[cfg(feature = "coordinator")]
    pub(crate) fn config(&self) -> &StoreConfig {
        &self.inner.config
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }
}

impl StoreInner {
    pub(crate) fn topic(&self, name: &str) -> Result<Arc<Topic>> {
        self.topics.read().get(name).cloned().ok_or_else(|| unknown_topic(name))
    }

    pub(crate) fn partition(&self, topic: &str, partition: i32) -> Result<Log> {
        self.topic(topic).map_err(|_| unknown(topic, partition))?.partition(partition)
    }

    /// All partitions, in the order of topics and indexes.
    fn logs(&self) -> Vec<Log> {
        self.topics.read().values().flat_map(|topic| topic.partitions.iter().cloned()).collect()
    }

    fn note_partitions_added(&self) {
        self.partitions_added.fetch_add(1, Ordering::AcqRel);
        self.note_topics_changed();
    }

    fn note_topics_changed(&self) {
        self.topic_changes.fetch_add(1, Ordering::AcqRel);
        self.schedule.note_topics_changed();
    }

    fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::Acquire) { Err(Error::Closed { what: "the store" }) } else { Ok(()) }
    }

    /// Refuses to change what can't be changed.
    fn check_writable(&self) -> Result<()> {
        self.check_open()?;
        if self.is_read_only { Err(Error::ReadOnly { directory: self.layout.dir.clone() }) } else { Ok(()) }
    }

    fn close(&self) -> Result<()> {
        // Those who close it at the same time return when it is closed.
        let mut lock = self.lock.lock();
        // Nobody may be halfway through creating a topic. Not held longer: the tasks that are ended here may be about
        // to create one, and find that it is too late.
        let altering = self.altering.lock();
        if self.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        drop(altering);
        self.schedule.stop();
        self.schedule.close_tasks();
        // A tick of another thread ends, and so does the writing of checkpoints; those after them see that the store is
        // closed.
        drop(self.ticking.lock());
        // So does a snapshot, after the segment that it copies.
        drop(self.snapshots.files.write());
        self.checkpoints.wait();
        self.producer_ids.wait();
        self.cleaner.stop();
        let result = self.reserve.run(|| self.close_logs());
        if let Err(failure) = &result {
            self.logs().iter().for_each(|log| log.abandon(failure));
        }
        *lock = None;
        result
    }

    fn close_logs(&self) -> Result<()> {
        let logs = self.logs();
        in_parallel::for_each(&logs, Log::close)?;
        if self.is_read_only {
            return Ok(());
        }
        self.checkpoints.write()?;
        // A topic whose deletion failed halfway was not closed, and may be found whole by the next open.
        if logs.iter().any(Log::is_deleted) { Ok(()) } else { self.layout.write_clean_shutdown() }
    }
}

impl Drop for StoreInner {
    fn drop(&mut self) {
        // Who wants to know about failures calls `close`.
        let _ = self.close();
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("dir", &self.inner.layout.dir)
            .field("topics", &self.inner.topics.read().len())
            .finish_non_exhaustive()
    }
}

fn unknown(topic: &str, partition: i32) -> Error {
    Error::UnknownTopicOrPartition { topic_partition: TopicPartition::new(topic, partition) }
}

/// The same of a topic of which nobody named a partition.
fn unknown_topic(topic: &str) -> Error {
    unknown(topic, -1)
}
