//! Consistent snapshots of a store that is being written to, as a data directory of their own.
//!
//! ```text
//!   1. meta.properties, which says that the snapshot is not complete: neither a store nor a broker opens it
//!   2. all logs are held, cut where they end, and let go
//!   3. checkpoints, how far each log is compacted, topic list, configs of groups, users
//!   4. each partition's files up to its cut, synced
//!   5. the marker of a clean shutdown
//!   6. meta.properties as it should be: from here on it is a snapshot
//! ```
//!
//! Up to 3 nobody changes topics, for a moment. After that they come and go, and the maintenance does what is due, but
//! for what would remove files or replace them: retention, compaction, and the files of what was deleted, which
//! deletion only renames.
//!
//! Files are copied, with blocks shared where the file system copies on write, and never hard-linked: two names of one
//! file would let the recovery of either directory cut, or go on with, a segment of the other, and a bad block or a
//! slip of the hand would be in both.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard, RwLock};

use super::layout::{GROUP_CONFIGS, Layout, SCRAM_CREDENTIALS};
use super::meta_properties::{self, MetaProperties};
use super::open::create_dir;
use super::topic_list::TopicList;
use super::{Store, StoreInner};
use crate::error::{Error, Result};
use crate::log::{Log, SnapshotPoint};
use crate::uuid::Uuid;

/// What snapshots take turns with. In the order in which they are taken: `turn`, the store's `altering`, `files`.
#[derive(Debug, Default)]
pub(super) struct Snapshots {
    /// Held while a snapshot is being taken, so that the next one keeps nobody waiting.
    turn: Mutex<()>,
    /// Held alone by who copies files, and shared by who removes them or puts others in their place. Who has it waits
    /// for neither of the others. Who waits for it while files are copied must not hold what others wait for; `close`
    /// does, and ends the copying.
    pub(super) files: RwLock<()>,
}

/// What a snapshot holds.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SnapshotReport {
    /// Where it is.
    pub dir: PathBuf,
    /// How many partitions it has.
    pub partitions: usize,
    /// The size of its log files in bytes.
    pub bytes: u64,
    /// For how long appends were held back, so that all partitions are cut at the same moment.
    pub held: Duration,
}

/// How far a snapshot is, in bytes of its log files.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct SnapshotProgress {
    /// How many are copied.
    pub bytes_done: u64,
    /// How many there are to copy.
    pub bytes_total: u64,
}

impl Store {
    /// Copies the store, as it is at one moment, into the directory `to`, which must not exist or be empty. On return
    /// the copy survives the loss of power, and can be opened by a store or a broker, without recovery.
    ///
    /// Everything that was appended before the call is in it. All partitions are cut at the same moment, those of
    /// committed offsets too: no commit in the snapshot is ahead of the records in it. Appends are held back for that
    /// moment alone. While files are copied everything goes on; but what retention, compaction and the deletion of
    /// topics make superfluous keeps its space until the copy is there, and [`compact`](Self::compact) waits for that.
    /// Another snapshot waits for this one. The snapshot belongs to the same cluster and node, and has a directory id
    /// of its own.
    ///
    /// Where the file system can, blocks are shared until either side changes them (Btrfs, XFS); elsewhere a snapshot
    /// takes as much space as the store.
    ///
    /// ```
    /// # let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    /// # let (from, to) = (from.path(), to.path());
    /// use esker::{ProducerConfig, Record, Store, TopicConfig};
    ///
    /// let store = Store::open(from)?;
    /// store.create_topic("events", TopicConfig::new())?;
    /// store.producer(ProducerConfig::new())?.send(Record::to("events").value("first"))?;
    /// store.snapshot(to)?;
    ///
    /// let restored = Store::open(to)?;
    /// assert_eq!(restored.partition("events", 0)?.log_end(), 1);
    /// # Ok::<(), esker::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Io`] if the directory is not empty, with the kind `DirectoryNotEmpty`; [`Error::Io`] or
    /// [`Error::StorageFull`] if it can't be written; [`Error::LogOffline`] if a log has lost a write;
    /// [`Error::LogTruncated`] if one is truncated meanwhile; [`Error::Closed`] if the store is closed meanwhile, which
    /// waits for no more than the segment that is being copied. What was copied is then removed. After a crash it is
    /// left, and says that it is not complete: opening it fails with [`Error::MalformedFile`].
    pub fn snapshot(&self, to: impl AsRef<Path>) -> Result<SnapshotReport> {
        self.snapshot_with_progress(to, |_| {})
    }

    /// The same, and tells how far it is: once before anything is copied, and after each segment.
    ///
    /// # Errors
    /// As [`snapshot`](Self::snapshot).
    pub fn snapshot_with_progress(
        &self,
        to: impl AsRef<Path>,
        progress: impl FnMut(SnapshotProgress),
    ) -> Result<SnapshotReport> {
        self.inner.snapshot(to.as_ref(), progress)
    }
}

impl StoreInner {
    fn snapshot(&self, to: &Path, progress: impl FnMut(SnapshotProgress)) -> Result<SnapshotReport> {
        let _turn = self.snapshots.turn.lock();
        let altering = self.altering.lock();
        self.check_writable()?;
        let _files = self.snapshots.files.write();
        let target = Layout { storage: self.layout.storage.clone(), dir: to.to_owned() };
        create_dir(target.storage(), to)?;
        let entries = target.storage().list(to).map_err(|error| Error::io("list", to, error))?;
        if !entries.is_empty() {
            return Err(Error::io("snapshot to", to, io::ErrorKind::DirectoryNotEmpty.into()));
        }
        self.write_snapshot(&target, altering, progress).inspect_err(|_| discard(&target))
    }

    /// Lets go of `altering` when it is seen what there is.
    fn write_snapshot(
        &self,
        target: &Layout,
        altering: MutexGuard<'_, ()>,
        mut progress: impl FnMut(SnapshotProgress),
    ) -> Result<SnapshotReport> {
        meta_properties::write_incomplete(target.storage(), &target.dir)?;
        let logs: Vec<Log> = self.logs().into_iter().filter(|log| !log.is_deleted()).collect();
        let (points, held) = cut(&logs)?;
        self.write_what_is_known(target, &points)?;
        drop(altering);
        let mut so_far = SnapshotProgress { bytes_done: 0, bytes_total: points.iter().map(SnapshotPoint::size).sum() };
        progress(so_far);
        for point in &points {
            point.copy_to(&target.partition_dir(point.topic_partition()), |bytes| {
                so_far.bytes_done += bytes;
                progress(so_far);
                self.check_open()
            })?;
        }
        target.sync()?;
        target.write_clean_shutdown()?;
        let meta = MetaProperties { directory_id: Uuid::random(), ..self.meta.clone() };
        meta.write(target.storage(), &target.dir)?;
        Ok(SnapshotReport { dir: target.dir.clone(), partitions: points.len(), bytes: so_far.bytes_done, held })
    }

    /// Writes what there is besides the partitions. Nothing of that may have changed since they were cut, but for a
    /// truncation, which ends the snapshot.
    fn write_what_is_known(&self, target: &Layout, points: &[SnapshotPoint]) -> Result<()> {
        let at = |offset: fn(&SnapshotPoint) -> i64| {
            points.iter().map(move |point| (point.topic_partition().clone(), offset(point))).collect::<Vec<_>>()
        };
        target.write_offsets_of(at(SnapshotPoint::log_end), at(SnapshotPoint::log_start))?;
        // Of the file, for who holds the cleaner's lock may wait for this to end.
        let first_dirty = self.layout.first_dirty()?;
        let compacted = points
            .iter()
            .map(SnapshotPoint::topic_partition)
            .filter_map(|partition| Some((partition.clone(), *first_dirty.get(partition)?)));
        target.write_first_dirty(compacted.collect())?;
        TopicList::read(&self.layout)?.without_deletions().write(target)?;
        self.layout.copy(GROUP_CONFIGS, target)?;
        // Whether there are users in this build or not.
        self.layout.copy(SCRAM_CREDENTIALS, target)
    }
}

/// Cuts all logs at one moment. Also tells how long that was.
fn cut(logs: &[Log]) -> Result<(Vec<SnapshotPoint>, Duration)> {
    let start = Instant::now();
    let held = logs.iter().map(Log::hold).collect::<Result<Vec<_>>>()?;
    let points = held.iter().zip(logs).map(|(held, log)| held.point(log)).collect();
    drop(held);
    Ok((points, start.elapsed()))
}

/// Takes back what there is of a snapshot, as far as that can be done. Last the file that says what it is.
fn discard(target: &Layout) {
    let storage = target.storage();
    let entries = storage.list(&target.dir).unwrap_or_default();
    let (dirs, files): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| entry.is_dir);
    let removed = dirs.iter().try_for_each(|dir| storage.remove_dir_all(&target.dir.join(&dir.name)));
    if removed.is_ok() && target.sync().is_ok() {
        for file in files {
            let _ = storage.remove_file(&target.dir.join(file.name));
        }
    }
}
