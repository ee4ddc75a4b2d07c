//! The simulated disk's two faces: to the test, which plans crashes and faults, and to the engine, as a
//! [`Storage`].

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::{Mutex, MutexGuard};

use super::ManualClock;
use super::disk::{Disk, Extent, total_len};
use super::fault::{Fault, Operation};
use super::file::SimFile;
use super::names::FileId;
use super::random::Random;
use super::schedule::{Fate, simulated_crash};
use crate::clock::Clock;
use crate::io::memory::contents::check_range;
use crate::io::{AppendFile, DirEntry, Locked, Storage, StorageFile, StorageLock};

/// What ends the life of a store: see [the fault model](crate::sim).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Crash {
    /// The process dies: everything that a call has returned from is kept.
    Process,
    /// Power is lost: only what has been synced is kept for certain.
    Power,
}

/// What a disk may pretend to have done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Lie {
    /// [`StorageFile::sync`] and the sync of [`Storage::truncate`] succeed and make nothing durable.
    FileSync,
    /// [`Storage::sync_dir`] succeeds and makes nothing durable.
    DirSync,
}

/// A simulated disk that crashes and fails when it is told to. [The module](crate::sim) states how.
///
/// Clones are handles to the same disk. What happens depends on the seed and the order of the calls alone, so a test
/// of one thread that failed fails again with the same seed.
#[derive(Clone)]
pub struct FaultStorage {
    disk: Arc<Mutex<Disk>>,
}

impl FaultStorage {
    /// An empty disk, with a clock that stands at 0.
    pub fn new(seed: u64) -> Self {
        Self::with_clock(seed, ManualClock::default())
    }

    /// An empty disk that dates its files by `clock`.
    pub fn with_clock(seed: u64, clock: impl Clock + 'static) -> Self {
        Self::from_disk(Disk::new(Random::new(seed), Arc::new(clock)))
    }

    fn from_disk(disk: Disk) -> Self {
        Self { disk: Arc::new(Mutex::new(disk)) }
    }

    fn lock(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock()
    }
}

/// Crashes.
impl FaultStorage {
    /// How many operations have been asked for, of all kinds. The next one has this number.
    pub fn operations(&self) -> u64 {
        self.lock().schedule.operations
    }

    /// How many of them were mutations: the points where a crash can hit, numbered from 0.
    pub fn mutations(&self) -> u64 {
        self.lock().schedule.mutations
    }

    /// Lets the machine crash in the mutation with this index, counted from the first one of this disk. The seed
    /// decides how much of it takes effect: all, nothing, or a part where it has parts. It and every later operation
    /// answers "simulated crash".
    pub fn crash_at(&self, mutation: u64) {
        self.lock().schedule.crash_at = Some(mutation);
    }

    /// Lets the machine crash now, between two operations.
    pub fn crash(&self) {
        self.lock().schedule.has_crashed = true;
    }

    /// Whether the crash has happened.
    pub fn has_crashed(&self) -> bool {
        self.lock().schedule.has_crashed
    }

    /// The disk as the next start finds it, with the seed deciding about everything that is not certain. This disk
    /// stays as it is, so one crash can be tried with many seeds; if it has not crashed, it is as if it did now.
    ///
    /// Capacity and clock go along. Faults, lies, the planned crash and the counts do not, and nothing is locked.
    #[must_use]
    pub fn after_crash(&self, crash: Crash, seed: u64) -> Self {
        Self::from_disk(self.lock().after_crash(crash, Random::new(seed).fork()))
    }

    /// From now on, keeps a line for each operation.
    pub fn start_trace(&self) {
        self.lock().schedule.trace.get_or_insert_default();
    }

    /// The operations since [`start_trace`](Self::start_trace): number, kind, paths, and what went wrong, if
    /// something did.
    pub fn trace(&self) -> Vec<String> {
        self.lock().schedule.trace.clone().unwrap_or_default()
    }
}

/// Faults.
impl FaultStorage {
    /// Adds a fault. Where several have an answer, the one that was added first gives it.
    pub fn inject(&self, fault: Fault) {
        self.lock().schedule.faults.push(fault);
    }

    /// Takes back all injected faults, spent or not.
    pub fn clear_faults(&self) {
        self.lock().schedule.faults.clear();
    }

    /// Refuses all mutations, or accepts them again.
    pub fn set_read_only(&self, is_read_only: bool) {
        self.lock().schedule.is_read_only = is_read_only;
    }

    /// Gives the device this many bytes in all, reserved space included. Beyond it, reserving and appending answer
    /// `StorageFull` until space is freed. `u64::MAX`, as in the beginning, is no limit.
    pub fn set_capacity(&self, bytes: u64) {
        self.lock().capacity = bytes;
    }

    /// How many bytes the files take up, reserved space and files that are only held open included.
    pub fn used(&self) -> u64 {
        self.lock().used()
    }

    /// From now on, lies. A crash test that still passes tests nothing.
    pub fn lie_about(&self, lie: Lie) {
        let mut disk = self.lock();
        match lie {
            Lie::FileSync => disk.lies_about_file_sync = true,
            Lie::DirSync => disk.lies_about_dir_sync = true,
        }
    }
}

/// A look at the files, and damage to them, behind the engine's back: not counted, not refused by faults or a crash,
/// and durable at once.
impl FaultStorage {
    /// All files, with their paths from the root, in order.
    pub fn files(&self) -> Vec<PathBuf> {
        self.lock().names.files().into_iter().map(|(path, _)| path).collect()
    }

    /// The whole of a file, reserved space included.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn contents(&self, path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
        Ok(self.lock().file_at(path.as_ref())?.contents.to_vec())
    }

    /// Puts a file with these contents there, and the directories on the way. Those who have an older one open keep
    /// it.
    ///
    /// # Errors
    /// What is wrong with the path.
    pub fn set_contents(&self, path: impl AsRef<Path>, contents: &[u8]) -> io::Result<()> {
        self.lock().write_durably(path.as_ref(), contents)
    }

    /// Flips one bit of a file, also for those who have it open; views of it stay as they are.
    ///
    /// # Errors
    /// `NotFound`, and `UnexpectedEof` if the file has no byte at `position`.
    ///
    /// # Panics
    /// If `bit` is over 7.
    pub fn flip_bit(&self, path: impl AsRef<Path>, position: u64, bit: u8) -> io::Result<()> {
        assert!(bit < 8, "a byte has no bit {bit}");
        let mut disk = self.lock();
        let id = disk.names.current.file(path.as_ref())?;
        check_range(position, 1, disk.file(id).contents.size())?;
        disk.file_mut(id).flip_bit(position, bit);
        Ok(())
    }

    /// Replaces a file by its first `len` bytes.
    ///
    /// # Errors
    /// `NotFound`, and `UnexpectedEof` if the file is shorter.
    pub fn cut(&self, path: impl AsRef<Path>, len: u64) -> io::Result<()> {
        let mut contents = self.contents(&path)?;
        check_range(len, 0, contents.len() as u64)?;
        contents.truncate(len as usize);
        self.set_contents(path, &contents)
    }

    /// Makes a file vanish. Those who have it open keep it.
    ///
    /// # Errors
    /// `NotFound`.
    pub fn erase(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.lock().remove_durably(path.as_ref())
    }
}

impl fmt::Debug for FaultStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultStorage").field("disk", &self.disk).finish()
    }
}

/// The passage of operations through the schedule.
impl FaultStorage {
    fn read_disk<T>(
        &self,
        operation: Operation,
        path: &Path,
        look: impl FnOnce(&mut Disk) -> io::Result<T>,
    ) -> io::Result<T> {
        debug_assert!(!operation.is_mutation());
        let mut disk = self.lock();
        disk.schedule.begin(operation, &[path])?;
        look(&mut disk)
    }

    /// Carries out a mutation, or what the crash in the middle of it leaves of it.
    fn mutate<T>(
        &self,
        operation: Operation,
        paths: &[&Path],
        apply: impl FnOnce(&mut Disk, Extent) -> io::Result<T>,
    ) -> io::Result<T> {
        debug_assert!(operation.is_mutation());
        let mut disk = self.lock();
        if disk.schedule.begin(operation, paths)? == Fate::Succeeds {
            return apply(&mut disk, Extent::Whole);
        }
        let extent = [None, Some(Extent::Torn), Some(Extent::Whole)][disk.random.below(3) as usize];
        if let Some(extent) = extent {
            // It would have failed for another reason; either way nobody learns of it any more.
            let _ = apply(&mut disk, extent);
        }
        Err(simulated_crash())
    }

    fn reader(&self, id: FileId, path: Arc<Path>, len_at_open: Option<u64>) -> Arc<FaultReader> {
        Arc::new(FaultReader { storage: self.clone(), id, path, len_at_open })
    }
}

impl Storage for FaultStorage {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.mutate(Operation::CreateDirAll, &[dir], |disk, extent| {
            let changes = disk.names.current.plan_create_dir_all(dir)?;
            disk.apply_all(changes, extent);
            Ok(())
        })
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        self.read_disk(Operation::List, dir, |disk| disk.list(dir))
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        self.read_disk(Operation::Len, path, |disk| Ok(disk.file_at(path)?.contents.size()))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.read_disk(Operation::Read, path, |disk| Ok(disk.file_at(path)?.contents.to_vec()))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn StorageFile>> {
        let (id, len) = self.read_disk(Operation::Open, path, |disk| disk.open(path))?;
        Ok(self.reader(id, path.into(), Some(len)))
    }

    fn open_shared(&self, path: &Path) -> io::Result<Arc<dyn StorageFile>> {
        let (id, _) = self.read_disk(Operation::Open, path, |disk| disk.open(path))?;
        Ok(self.reader(id, path.into(), None))
    }

    fn open_append(&self, path: &Path, len: u64, capacity: u64) -> io::Result<Box<dyn AppendFile>> {
        let (id, writer) =
            self.mutate(Operation::OpenAppend, &[path], |disk, extent| disk.open_append(path, len, extent))?;
        Ok(Box::new(FaultAppender { file: self.reader(id, path.into(), None), writer, capacity }))
    }

    fn truncate(&self, path: &Path, len: u64) -> io::Result<()> {
        self.mutate(Operation::Truncate, &[path], |disk, extent| disk.truncate(path, len, extent))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.mutate(Operation::Rename, &[from, to], |disk, _| {
            if let Some(change) = disk.names.current.plan_rename(from, to)? {
                disk.names.apply(change);
            }
            Ok(())
        })
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.mutate(Operation::RemoveFile, &[path], |disk, _| {
            let change = disk.names.current.plan_remove_file(path)?;
            disk.names.apply(change);
            Ok(())
        })
    }

    fn remove_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.mutate(Operation::RemoveDirAll, &[dir], |disk, extent| {
            let changes = disk.names.current.plan_remove_dir_all(dir)?;
            disk.apply_all(changes, extent);
            Ok(())
        })
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.mutate(Operation::SyncDir, &[dir], |disk, _| disk.sync_dir(dir))
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn StorageLock>, Locked> {
        match self.mutate(Operation::Lock, &[path], |disk, _| disk.lock(path)) {
            Ok(Some(id)) => Ok(Box::new(FaultLock { storage: self.clone(), id })),
            Ok(None) => Err(Locked::Held("this process".to_owned())),
            Err(error) => Err(Locked::Io(error)),
        }
    }
}

struct FaultReader {
    storage: FaultStorage,
    id: FileId,
    /// What it was opened by, for faults and traces.
    path: Arc<Path>,
    /// The length of a file that was opened; a writer's own file, or a shared one, is as long as what was appended.
    len_at_open: Option<u64>,
}

impl FaultReader {
    /// Where reads have to end: a file may have been cut since it was opened.
    fn readable_end(&self, file: &SimFile) -> u64 {
        self.len_at_open.map_or(file.contents.len(), |len| len.min(file.contents.size()))
    }
}

impl fmt::Debug for FaultReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultReader").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Drop for FaultReader {
    fn drop(&mut self) {
        self.storage.lock().close(self.id);
    }
}

impl StorageFile for FaultReader {
    fn len(&self) -> u64 {
        self.len_at_open.unwrap_or_else(|| self.storage.lock().file(self.id).contents.len())
    }

    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.storage.read_disk(Operation::Read, &self.path, |disk| {
            let file = disk.file(self.id);
            check_range(position, buffer.len(), self.readable_end(file))?;
            file.contents.copy_to(position, buffer);
            Ok(())
        })
    }

    fn view(&self, position: u64, len: usize) -> io::Result<Bytes> {
        self.storage.read_disk(Operation::Read, &self.path, |disk| {
            let file = disk.file_mut(self.id);
            check_range(position, len, self.readable_end(file))?;
            file.contents.freeze();
            Ok(file.contents.view(position, len).expect("nothing is in the tail once it is frozen"))
        })
    }

    fn sync(&self) -> io::Result<()> {
        let synced = self.storage.mutate(Operation::Sync, &[&self.path], |disk, _| {
            disk.sync(self.id);
            Ok(())
        });
        if synced.is_err() {
            let mut disk = self.storage.lock();
            if !disk.schedule.has_crashed {
                disk.sync_failed(self.id);
            }
        }
        synced
    }
}

struct FaultAppender {
    file: Arc<FaultReader>,
    writer: u64,
    capacity: u64,
}

impl FaultAppender {
    fn mutate(
        &self,
        operation: Operation,
        additional: u64,
        apply: impl FnOnce(&mut Disk, Extent) -> io::Result<()>,
    ) -> io::Result<()> {
        self.file.storage.mutate(operation, &[&self.file.path], |disk, extent| {
            disk.check_writer(self.file.id, self.writer, additional, self.capacity)?;
            apply(disk, extent)
        })
    }
}

impl fmt::Debug for FaultAppender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultAppender").field("path", &self.file.path).finish_non_exhaustive()
    }
}

impl AppendFile for FaultAppender {
    fn file(&self) -> Arc<dyn StorageFile> {
        self.file.clone()
    }

    fn reserve(&mut self, additional: u64) -> io::Result<()> {
        let id = self.file.id;
        self.mutate(Operation::Reserve, additional, |disk, extent| disk.reserve(id, additional, extent))
    }

    fn append(&mut self, parts: &[&[u8]]) -> io::Result<()> {
        let id = self.file.id;
        self.mutate(Operation::Append, total_len(parts), |disk, extent| disk.append(id, parts, extent))
    }

    fn seal(&mut self) -> io::Result<()> {
        let id = self.file.id;
        self.mutate(Operation::Seal, 0, |disk, _| {
            disk.file_mut(id).seal();
            Ok(())
        })
    }
}

struct FaultLock {
    storage: FaultStorage,
    id: FileId,
}

impl fmt::Debug for FaultLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultLock").finish_non_exhaustive()
    }
}

impl StorageLock for FaultLock {}

impl Drop for FaultLock {
    fn drop(&mut self) {
        self.storage.lock().unlock(self.id);
    }
}
