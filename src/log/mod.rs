//! One partition: an ordered, durable sequence of batches, split by verb.
//!
//! ```text
//!   validator → append → active segment → flush (group commit), sync  in
//!   producer state                                                    asked and told by append: idempotence,
//!                                                                     transactions and their markers
//!   segments → index → scan → read                                    out
//!   loader                                                            at open: recovery
//!   follow                                                            opened read-only, beside another process
//!   retention, delete_records                                         off the start
//!   truncate                                                          off the end
//!   cleaner                                                           from the maintenance tick
//!   survey → verify, repair                                           of files that nobody need have open
//! ```
//!
//! The offsets of a log and their order, which holds at every moment:
//!
//! ```text
//!   log start ≤ last stable ≤ high watermark ≤ log end
//!   recovery point ≤ log end
//! ```
//!
//! One writer at a time holds the writer lock. Readers take no lock: they load the list of segments, and of its last
//! one the word that says how far it can be read.

mod active;
mod append;
mod appender;
pub(crate) mod checkpoint;
pub(crate) mod cleaner;
mod delete_records;
mod failed_sync;
pub(crate) mod file_name;
mod findings;
mod flush;
pub(crate) mod follow;
mod index;
mod index_writer;
mod leader_epoch;
mod let_go;
mod loader;
#[cfg(test)]
mod model_check;
mod open_files;
mod partition_recovery;
mod producer_state;
mod read;
mod readable;
mod rebuild;
pub(crate) mod repair;
mod retention;
mod rewrite;
mod scan;
mod segment;
mod segment_files;
mod snapshot;
mod survey;
mod sync;
mod synced;
#[cfg(feature = "net")]
pub(crate) mod synced_in_turn;
mod transaction;
mod truncate;
mod unfinished_swap;
mod validator;
mod verify;
mod verify_producers;
pub(crate) mod wait;
mod waiting;

use std::collections::VecDeque;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

pub use append::{AppendOptions, Appended};
pub use cleaner::Compaction;
pub(crate) use findings::Findings;
pub use findings::{Finding, Problem, VerifyProgress, VerifyReport};
pub(crate) use flush::SyncTarget;
pub use index::transaction::AbortedTransaction;
pub use leader_epoch::{EpochEndOffset, EpochEntry};
pub(crate) use loader::{LastKnown, LogLoad, load};
pub(crate) use open_files::OpenFiles;
pub use partition_recovery::{Cut, Damage, PartitionRecovery};
pub use read::{Fetched, FetchedBatches, OffsetAndTimestamp, ReadLimits};
pub use readable::Readable;
pub use repair::{LostOffsets, RepairAction, RepairOptions, RepairReport, RepairStep};
pub use synced::Synced;
pub(crate) use synced::WantsSync;
pub use transaction::ActiveProducer;
#[cfg(feature = "net")]
pub(crate) use transaction::MarkerEpoch;

use crate::clock::Clock;
use crate::config::{LogConfig, SyncPolicy};
use crate::error::{Error, Result};
use crate::io::StorageFile;
use crate::sync::atomic::{AtomicI32, AtomicI64, AtomicU8, AtomicU64, Ordering};
use crate::sync::{ArcSwap, Guard, Mutex};
use crate::types::{IsolationLevel, LeaderEpoch, Offset, TopicPartition};
use active::ActiveSegment;
use flush::GroupCommit;
use follow::Follower;
use leader_epoch::LeaderEpochCache;
use producer_state::ProducerStates;
pub(crate) use segment::Home;
use segment::{Segment, SegmentList};
pub(crate) use snapshot::SnapshotPoint;
pub(crate) use verify::{verify, verify_tails};
use wait::Waiters;

/// The log of one partition: for those who build on partitions themselves, such as a broker.
///
/// Cheap to clone and shared between threads: appends take turns, reads run beside them without a lock.
///
/// ```
/// # let store = esker::Store::temporary()?;
/// use esker::record::{BatchBuilder, RecordData};
/// use esker::{Acks, ReadLimits, TopicConfig};
///
/// store.create_topic("events", TopicConfig::new())?;
/// let log = store.partition("events", 0)?;
///
/// let mut builder = BatchBuilder::new(16_384);
/// builder.push(&RecordData { value: Some(b"hello"), ..RecordData::default() })?;
/// let appended = log.append(builder.build()?, Acks::Leader)?;
/// assert_eq!(appended.base_offset, 0);
///
/// for batch in log.read(0, ReadLimits::default())?.batches() {
///     for record in &batch?.records()? {
///         assert_eq!(record?.value, Some(&b"hello"[..]));
///     }
/// }
/// # Ok::<(), esker::Error>(())
/// ```
#[derive(Clone)]
pub struct Log {
    inner: Arc<LogInner>,
}

pub(crate) struct LogInner {
    home: Arc<Home>,
    /// As the writer has it, for everybody else.
    config: ArcSwap<LogConfig>,
    clock: Arc<dyn Clock>,
    /// When the clock was last read, in its milliseconds.
    clock_last_read: AtomicI64,
    sync: SyncPolicy,
    helper: Option<Arc<dyn Helper>>,
    checkpoints: Option<Arc<dyn Checkpoints>>,
    /// Where the deepest truncation cut, until whoever compacts has heeded it.
    lowest_cut: AtomicI64,
    state: AtomicU8,
    writer: Mutex<Writer>,
    segments: ArcSwap<SegmentList>,
    log_start: AtomicI64,
    /// Where the oldest transaction begins that is not decided yet; [`Offset::MAX`] if all are. Lowered before readers
    /// see the transaction, and raised after they can see what became of it.
    first_unstable: AtomicI64,
    /// From which offset on all was appended lately, by this process: it is still in memory, as good as certainly.
    recent: AtomicI64,
    /// The latest of `epochs`, for every append.
    leader_epoch: AtomicI32,
    epochs: LeaderEpochCache,
    /// Everything below is on the device, indexes included: where recovery starts after a crash.
    recovery_point: AtomicI64,
    /// How often names were created in the partition's directory, and how many of those times it has been synced after.
    names_created: AtomicU64,
    names_synced: AtomicU64,
    /// When it was synced last, or opened, by the monotonic clock.
    flushed_ms: AtomicI64,
    commit: GroupCommit,
    /// Up to where somebody without a thread waits for a sync.
    sync_wanted: Mutex<Option<SyncTarget>>,
    /// Those who wait for records, and those who wait for the records to be decided as well.
    readers: Waiters,
    stable_readers: Waiters,
    /// Segments that were let go of, and whose files still have their names. Held by whoever changes names of closed
    /// segments, and taken after the writer lock.
    leaving: Mutex<VecDeque<Arc<Segment>>>,
    /// Files of deleted segments that wait for their delay to pass, and when it has, by the monotonic clock.
    deleted_files: Mutex<Vec<(PathBuf, i64)>>,
    /// The directory that has the files since the partition was deleted. Held while they are moved.
    moved_to: Mutex<Option<PathBuf>>,
    last_compaction: Mutex<Option<Compaction>>,
    /// False only where a test plants that bug.
    syncs_swaps: bool,
    /// Another process writes the log, and nothing is written here.
    follower: Option<Follower>,
}

/// What only the one who holds the writer lock may touch.
#[derive(Debug)]
struct Writer {
    /// None until the first append: a partition that is only read needs no writer.
    active: Option<ActiveSegment>,
    producers: ProducerStates,
    /// By what it appends.
    config: Arc<LogConfig>,
}

/// Whether there is a log to append to and to read. Changes under the writer lock, and never back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum State {
    Open,
    Closed,
    Deleted,
}

/// What a log is opened with.
#[derive(Debug)]
pub(crate) struct LogContext {
    pub(crate) config: LogConfig,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) sync: SyncPolicy,
    /// Who takes work off a writer in a hurry and syncs for those who have no thread, if anybody does.
    pub(crate) helper: Option<Arc<dyn Helper>>,
    /// Whether the steps of a swap of compacted segments are synced: false only where a test plants that bug.
    pub(crate) syncs_swaps: bool,
    /// Where the log's offsets are written down.
    pub(crate) checkpoints: Option<Arc<dyn Checkpoints>>,
    /// Among which its files count.
    pub(crate) open_files: Arc<OpenFiles>,
}

/// The files that have the log starts and recovery points of all logs, and up to where they are compacted.
pub(crate) trait Checkpoints: Send + Sync + fmt::Debug {
    /// Makes them durable as they are now.
    fn write(&self) -> Result<()>;
    /// Makes it durable that nothing of a log is compacted from `offset` on.
    fn lower_first_dirty(&self, partition: &TopicPartition, offset: Offset) -> Result<()>;
}

/// A thread besides the writers', which neither of these waits for.
pub(crate) trait Helper: Send + Sync + fmt::Debug {
    /// Populates `file` ahead of its writer, soon.
    fn populate_ahead(&self, file: Arc<dyn StorageFile>);
    /// Syncs a log, soon.
    fn sync_soon(&self, log: WantsSync);
}

impl Log {
    /// A log over what the loader found.
    pub(crate) fn new(load: LogLoad, context: LogContext) -> Self {
        let end = load.segments.active().end().next_offset;
        assert!(load.log_start <= end && load.recovery_point <= end, "offsets are in order after recovery");
        let first_unstable = load.producers.first_unstable_offset().unwrap_or(Offset::MAX);
        let (opened_ms, config) = (context.clock.monotonic_ms(), Arc::new(context.config));
        let log = Self {
            inner: Arc::new(LogInner {
                home: load.home,
                config: ArcSwap::new(config.clone()),
                clock: context.clock,
                clock_last_read: AtomicI64::new(0),
                sync: context.sync,
                helper: context.helper,
                checkpoints: context.checkpoints,
                lowest_cut: AtomicI64::new(Offset::MAX),
                state: AtomicU8::new(State::Open as u8),
                writer: Mutex::new(Writer { active: None, producers: load.producers, config }),
                segments: ArcSwap::from_pointee(load.segments),
                log_start: AtomicI64::new(load.log_start),
                first_unstable: AtomicI64::new(first_unstable),
                recent: AtomicI64::new(Offset::MAX),
                leader_epoch: AtomicI32::new(load.epochs.current()),
                epochs: load.epochs,
                recovery_point: AtomicI64::new(load.recovery_point),
                names_created: AtomicU64::new(0),
                names_synced: AtomicU64::new(0),
                flushed_ms: AtomicI64::new(opened_ms),
                commit: GroupCommit::new(load.recovery_point),
                sync_wanted: Mutex::default(),
                readers: Waiters::default(),
                stable_readers: Waiters::default(),
                leaving: Mutex::default(),
                deleted_files: Mutex::default(),
                moved_to: Mutex::default(),
                last_compaction: Mutex::default(),
                syncs_swaps: context.syncs_swaps,
                follower: load.follower,
            }),
        };
        log.inner.home.set_log(&log.inner);
        log
    }

    /// Which partition this is.
    pub fn topic_partition(&self) -> &TopicPartition {
        &self.inner.home.topic_partition
    }

    /// The first offset that can be read.
    pub fn log_start(&self) -> Offset {
        self.inner.log_start.load(Ordering::Acquire)
    }

    /// The offset after the last record that consumers see. Without replication it is the log's end.
    pub fn high_watermark(&self) -> Offset {
        self.log_end()
    }

    /// The offset that the next record gets.
    pub fn log_end(&self) -> Offset {
        self.inner.log_end()
    }

    /// The epoch that new batches are stamped with.
    pub fn leader_epoch(&self) -> LeaderEpoch {
        self.inner.leader_epoch.load(Ordering::Acquire)
    }

    /// Everything below this offset is on the device; recovery after a crash starts here. It is written to the
    /// store's checkpoint from time to time.
    pub fn recovery_point(&self) -> Offset {
        self.inner.recovery_point.load(Ordering::Acquire)
    }

    /// The size of the log files, in bytes.
    pub fn size_in_bytes(&self) -> u64 {
        self.inner.segments.load().iter().map(|segment| segment.end().size).sum()
    }

    /// How many segments there are.
    pub fn segment_count(&self) -> usize {
        self.inner.segments.load().len()
    }

    /// Makes everything that has been appended survive the loss of power, as a wait for [`Acks::All`] does.
    ///
    /// [`Acks::All`]: crate::Acks::All
    ///
    /// # Errors
    /// [`Error::LogOffline`] if a sync failed, now or before; [`Error::ReadOnly`].
    pub fn flush(&self) -> Result<()> {
        self.inner.check_writable()?;
        self.inner.flush()
    }

    /// The offset after the last one that readers of this isolation level see.
    pub(crate) fn readable_end(&self, isolation: IsolationLevel) -> Offset {
        if isolation == IsolationLevel::ReadCommitted {
            // What goes wrong comes up again in the read.
            let _ = self.inner.follow_transactions();
        }
        self.inner.readable_end(isolation, self.high_watermark())
    }

    /// Waits until everything up to `target` survives what [`Acks::All`](crate::Acks::All) promises.
    pub(crate) fn wait_synced(&self, target: SyncTarget) -> Result<()> {
        self.inner.wait_synced(target)
    }

    /// Waits until everything that has been appended by now survives what [`Acks::All`](crate::Acks::All) promises.
    pub(crate) fn wait_appended(&self) -> Result<()> {
        self.inner.wait_synced(self.appended())
    }

    /// Everything that has been appended by now.
    pub(crate) fn appended(&self) -> SyncTarget {
        // The generation before the end: a truncation in between shows.
        let generation = self.inner.commit.generation();
        SyncTarget { generation, end: self.log_end() }
    }

    /// What [`wait_synced`](Self::wait_synced) would return now, or None if it would have to wait.
    pub(crate) fn check_synced(&self, target: SyncTarget) -> Option<Result<()>> {
        if self.inner.sync == SyncPolicy::OsManaged {
            return Some(Ok(()));
        }
        self.inner.commit.check(target).map(|result| result.map_err(|cause| self.inner.offline(cause)))
    }

    /// Syncs if the last sync was `flush.ms` ago and something was appended since.
    pub(crate) fn flush_if_due(&self, monotonic_ms: i64) -> Result<()> {
        let log = &*self.inner;
        let is_due = monotonic_ms.saturating_sub(log.flushed_ms.load(Ordering::Relaxed)) >= log.config().flush_ms;
        if is_due && self.recovery_point() < self.log_end() && log.commit.failure().is_none() {
            log.flush()?;
        }
        Ok(())
    }

    /// Syncs the segments that were closed since the last sync, so that the recovery point passes them.
    pub(crate) fn flush_closed_segments(&self) -> Result<()> {
        self.inner.flush_closed()
    }

    /// Lives by another configuration from the next call on; those that are under way end by the one before.
    pub(crate) fn set_config(&self, config: LogConfig) {
        let config = Arc::new(config);
        self.inner.writer.lock().config = config.clone();
        self.inner.config.store(config);
    }

    /// The largest batch that the log takes now, in bytes.
    #[inline]
    pub(crate) fn max_message_bytes(&self) -> usize {
        self.inner.config().max_message_bytes.unsigned_abs() as usize
    }

    /// Refuses appends from now on, makes everything durable and gives the files their true length.
    pub(crate) fn close(&self) -> Result<()> {
        self.inner.close()
    }

    /// Closing failed for good: tells those who wait for a sync without a thread, for nobody will sync any more.
    pub(crate) fn abandon(&self, failure: &Error) {
        self.inner.commit.fail(failure.clone());
        self.inner.wake_all_readers();
    }

    /// Refuses appends from now on, for the partition's files are about to go.
    pub(crate) fn mark_deleted(&self) {
        let mut writer = self.inner.writer.lock();
        self.inner.set_state(State::Deleted);
        writer.active = None;
        drop(writer);
        // They may become those of another topic of this name.
        self.inner.segments.load().iter().for_each(|segment| segment.file_slot().lose_names());
        let unknown = Error::UnknownTopicOrPartition { topic_partition: self.topic_partition().clone() };
        self.inner.commit.fail(unknown);
        self.inner.wake_all_readers();
    }

    /// That there is no record at an offset, and where there are some.
    #[cold]
    pub(crate) fn out_of_range(&self, requested: Offset) -> Error {
        self.inner.out_of_range(requested)
    }

    /// Moves the files of a partition that was deleted, as `rename` does, into the directory that it returns.
    pub(crate) fn move_files(&self, rename: impl FnOnce() -> Result<PathBuf>) -> Result<PathBuf> {
        let mut moved_to = self.inner.moved_to.lock();
        let to = rename()?;
        *moved_to = Some(to.clone());
        Ok(to)
    }

    /// Whether the partition was deleted, so that nothing more will come.
    pub(crate) fn is_deleted(&self) -> bool {
        self.inner.state() == State::Deleted
    }
}

impl LogInner {
    fn state(&self) -> State {
        match self.state.load(Ordering::Acquire) {
            state if state == State::Open as u8 => State::Open,
            state if state == State::Closed as u8 => State::Closed,
            _ => State::Deleted,
        }
    }

    fn set_state(&self, state: State) {
        self.state.store(state as u8, Ordering::Release);
        // Whoever is changing names comes to an end first, and nobody begins.
        drop(self.leaving.lock());
    }

    /// The configuration now. An append, or whatever else, looks once and keeps to that.
    #[inline]
    pub(super) fn config(&self) -> Guard<Arc<LogConfig>> {
        self.config.load()
    }

    /// Refuses to go on with a log that is closed or deleted.
    #[inline]
    fn check_state(&self) -> Result<()> {
        match self.state() {
            State::Open => Ok(()),
            State::Closed => Err(Error::Closed { what: "the store" }),
            State::Deleted => Err(Error::UnknownTopicOrPartition { topic_partition: self.topic_partition().clone() }),
        }
    }

    /// Refuses to change a log that was opened read-only.
    #[inline]
    fn check_writable(&self) -> Result<()> {
        match self.follower {
            None => Ok(()),
            Some(_) => Err(Error::ReadOnly { directory: self.home.dir.clone() }),
        }
    }

    fn log_end(&self) -> Offset {
        self.segments.load().active().end().next_offset
    }

    fn topic_partition(&self) -> &TopicPartition {
        &self.home.topic_partition
    }

    /// Can be called again after a failure, and then does what is left.
    fn close(&self) -> Result<()> {
        let mut writer = self.writer.lock();
        if self.state() == State::Deleted {
            return Ok(());
        }
        self.set_state(State::Closed);
        if self.is_followed() {
            self.segments.load().iter().for_each(|segment| segment.close_files());
            self.readers.notify(Offset::MAX);
            return Ok(());
        }
        if let Some(failure) = self.commit.failure() {
            return Err(self.offline(failure));
        }
        if let Some(active) = &mut writer.active {
            active.seal()?;
            writer.active = None;
        }
        self.write_last_snapshot(&mut writer.producers)?;
        let segments = self.segments.load_full();
        let active = segments.active();
        let synced = self.sync_closed(&segments).and_then(|()| match active.end().size > 0 && !active.is_flushed() {
            true => active.sync_all(),
            false => Ok(()),
        });
        // Nothing may have been appended, and yet names created.
        let synced = synced.and_then(|()| self.sync_dir());
        self.or_fail(synced)?;
        self.flush()?;
        active.set_flushed(true);
        segments.iter().for_each(|segment| segment.close_files());
        self.wake_all_readers();
        Ok(())
    }

    #[cold]
    fn out_of_range(&self, requested: Offset) -> Error {
        Error::OffsetOutOfRange {
            topic_partition: self.topic_partition().clone(),
            requested,
            log_start: self.log_start.load(Ordering::Acquire),
            high_watermark: self.log_end(),
        }
    }

    #[cold]
    fn offline(&self, cause: Error) -> Error {
        match cause {
            known @ (Error::UnknownTopicOrPartition { .. }
            | Error::LogOffline { .. }
            | Error::LogTruncated { .. }
            | Error::TooManyOpenFiles { .. }) => known,
            cause => Error::LogOffline { topic_partition: self.topic_partition().clone(), cause: Box::new(cause) },
        }
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("topic_partition", self.topic_partition())
            .field("log_start", &self.log_start())
            .field("log_end", &self.log_end())
            .field("recovery_point", &self.recovery_point())
            .finish_non_exhaustive()
    }
}
