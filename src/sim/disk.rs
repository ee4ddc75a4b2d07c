//! The simulated disk behind its lock: files, names, space, and the effect of each operation on them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;

use super::fault_storage::Crash;
use super::file::SimFile;
use super::names::{FileId, Names};
use super::random::Random;
use super::schedule::Schedule;
use crate::clock::Clock;
use crate::io::DirEntry;
use crate::io::memory::contents::{check_append_position, check_capacity, replaced_writer};
use crate::io::memory::tree::{Change, Node};

/// How much of an operation takes effect before a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    Whole,
    /// A part, where the operation has parts.
    Torn,
}

/// See the module's description. Methods assume that the schedule lets the operation pass.
pub(super) struct Disk {
    pub(super) schedule: Schedule,
    pub(super) random: Random,
    pub(super) lies_about_file_sync: bool,
    pub(super) lies_about_dir_sync: bool,
    pub(super) capacity: u64,
    clock: Arc<dyn Clock>,
    pub(super) names: Names,
    files: BTreeMap<FileId, SimFile>,
    next_file: FileId,
    /// The number of files that is worth looking for some that nobody can reach any more.
    sweep_at: usize,
    locked: BTreeSet<FileId>,
}

/// Few enough that the memory of forgotten files does not matter.
const SWEEP_AT_MIN: usize = 64;

impl Disk {
    pub(super) fn new(random: Random, clock: Arc<dyn Clock>) -> Self {
        Self {
            schedule: Schedule::default(),
            random,
            lies_about_file_sync: false,
            lies_about_dir_sync: false,
            capacity: u64::MAX,
            clock,
            names: Names::default(),
            files: BTreeMap::new(),
            next_file: 0,
            sweep_at: SWEEP_AT_MIN,
            locked: BTreeSet::new(),
        }
    }

    /// The disk that the next start of the machine or process finds.
    pub(super) fn after_crash(&self, crash: Crash, mut random: Random) -> Self {
        let names = match crash {
            Crash::Process => self.names.clone(),
            Crash::Power => self.names.after_power_loss(&mut random),
        };
        let kept = names.files_that_may_remain();
        let mut files: BTreeMap<FileId, SimFile> = BTreeMap::new();
        for (id, file) in self.files.iter().filter(|(id, _)| kept.contains(*id)) {
            let file = match crash {
                Crash::Process => file.after_process_death(),
                Crash::Power => SimFile::durable(file.after_power_loss(&mut random), file.modified_ms),
            };
            files.insert(*id, file);
        }
        let (capacity, next_file) = (self.capacity, self.next_file);
        Self { names, files, capacity, next_file, ..Self::new(random.fork(), self.clock.clone()) }
    }

    pub(super) fn file(&self, id: FileId) -> &SimFile {
        self.files.get(&id).expect("a file with a name or a handle is never swept")
    }

    pub(super) fn file_mut(&mut self, id: FileId) -> &mut SimFile {
        self.files.get_mut(&id).expect("a file with a name or a handle is never swept")
    }

    pub(super) fn file_at(&self, path: &Path) -> io::Result<&SimFile> {
        Ok(self.file(self.names.current.file(path)?))
    }

    pub(super) fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        let tree = &self.names.current;
        let entries = tree.children(tree.dir(dir)?).map(|(place, node)| {
            let name = place.name.clone();
            match node {
                Node::Dir(_) => DirEntry { name, is_dir: true, len: 0, modified_ms: 0 },
                Node::File(id) => {
                    let file = self.file(*id);
                    DirEntry { name, is_dir: false, len: file.contents.size(), modified_ms: file.modified_ms }
                }
            }
        });
        Ok(entries.collect())
    }

    pub(super) fn open(&mut self, path: &Path) -> io::Result<(FileId, u64)> {
        let id = self.names.current.file(path)?;
        let file = self.file_mut(id);
        file.opens += 1;
        Ok((id, file.contents.size()))
    }

    /// Opens a file for appending, and says which writer of it that is.
    pub(super) fn open_append(&mut self, path: &Path, len: u64, extent: Extent) -> io::Result<(FileId, u64)> {
        let id = self.open_or_create(path)?;
        if extent == Extent::Whole {
            self.set_len(id, len)?;
        }
        let file = self.file_mut(id);
        file.opens += 1;
        Ok((id, file.writer))
    }

    pub(super) fn open_or_create(&mut self, path: &Path) -> io::Result<FileId> {
        match self.names.current.file(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let change = self.names.current.plan_create_file(path, self.next_file)?;
                self.names.apply(change);
                Ok(self.add_file(SimFile::new(self.clock.now_ms())))
            }
            found => found,
        }
    }

    pub(super) fn reserve(&mut self, id: FileId, additional: u64, extent: Extent) -> io::Result<()> {
        self.check_space(id, additional)?;
        let reserved = match extent {
            Extent::Whole => additional,
            Extent::Torn => self.random.below(additional.saturating_add(1)),
        };
        self.file_mut(id).reserve(reserved);
        Ok(())
    }

    pub(super) fn append(&mut self, id: FileId, parts: &[&[u8]], extent: Extent) -> io::Result<()> {
        self.check_space(id, total_len(parts))?;
        let now_ms = self.clock.now_ms();
        let file = self.files.get_mut(&id).expect("a file with a handle is never swept");
        match extent {
            Extent::Whole => file.append(parts, now_ms),
            Extent::Torn => file.append_torn(parts, now_ms, &mut self.random),
        }
        Ok(())
    }

    /// Whether this writer may take the file, opened with `capacity`, `additional` bytes further.
    pub(super) fn check_writer(&self, id: FileId, writer: u64, additional: u64, capacity: u64) -> io::Result<()> {
        let file = self.file(id);
        if file.writer != writer {
            return Err(replaced_writer());
        }
        check_capacity(file.contents.len(), additional, capacity)
    }

    pub(super) fn sync(&mut self, id: FileId) {
        if !self.lies_about_file_sync {
            self.file_mut(id).sync();
        }
    }

    pub(super) fn sync_failed(&mut self, id: FileId) {
        self.files.get_mut(&id).expect("a file with a handle is never swept").sync_failed(&mut self.random);
    }

    pub(super) fn truncate(&mut self, path: &Path, len: u64, extent: Extent) -> io::Result<()> {
        let id = self.names.current.file(path)?;
        self.set_len(id, len)?;
        if extent == Extent::Whole {
            self.sync(id);
        }
        Ok(())
    }

    pub(super) fn sync_dir(&mut self, dir: &Path) -> io::Result<()> {
        if self.lies_about_dir_sync {
            return self.names.current.dir(dir).map(drop);
        }
        self.names.sync_dir(dir)
    }

    /// Carries out one change of names after another; if torn, only the first few.
    pub(super) fn apply_all(&mut self, changes: Vec<Change<FileId>>, extent: Extent) {
        let count = match extent {
            Extent::Whole => changes.len(),
            Extent::Torn => self.random.below(changes.len() as u64 + 1) as usize,
        };
        changes.into_iter().take(count).for_each(|change| self.names.apply(change));
    }

    /// Locks a file; `None` if it is locked.
    pub(super) fn lock(&mut self, path: &Path) -> io::Result<Option<FileId>> {
        let id = self.open_or_create(path)?;
        if !self.locked.insert(id) {
            return Ok(None);
        }
        self.file_mut(id).opens += 1;
        Ok(Some(id))
    }

    pub(super) fn unlock(&mut self, id: FileId) {
        self.locked.remove(&id);
        self.close(id);
    }

    pub(super) fn close(&mut self, id: FileId) {
        self.file_mut(id).opens -= 1;
    }

    /// Puts a file there that has always been there, as far as the device is concerned.
    pub(super) fn write_durably(&mut self, path: &Path, contents: &[u8]) -> io::Result<()> {
        if let Some(dir) = path.parent() {
            let missing = self.names.current.plan_create_dir_all(dir)?;
            missing.into_iter().for_each(|change| self.names.apply(change));
        }
        if self.names.current.file(path).is_ok() {
            let removal = self.names.current.plan_remove_file(path)?;
            self.names.apply(removal);
        }
        let creation = self.names.current.plan_create_file(path, self.next_file)?;
        self.names.apply(creation);
        self.add_file(SimFile::durable(contents.to_vec(), self.clock.now_ms()));
        self.names.make_durable(path)
    }

    /// Removes a file for good.
    pub(super) fn remove_durably(&mut self, path: &Path) -> io::Result<()> {
        let removal = self.names.current.plan_remove_file(path)?;
        self.names.apply(removal);
        self.names.make_durable(path)
    }

    fn set_len(&mut self, id: FileId, len: u64) -> io::Result<()> {
        let file = self.files.get_mut(&id).expect("a file with a name is never swept");
        check_append_position(len, file.contents.size())?;
        file.set_len(len, &mut self.random);
        file.writer += 1;
        Ok(())
    }

    fn add_file(&mut self, file: SimFile) -> FileId {
        if self.files.len() >= self.sweep_at {
            let kept = self.names.files_that_may_remain();
            self.files.retain(|id, file| file.opens > 0 || kept.contains(id));
            self.sweep_at = SWEEP_AT_MIN.max(2 * self.files.len());
        }
        let id = self.next_file;
        self.next_file += 1;
        self.files.insert(id, file);
        id
    }

    /// Whether the device has room for a file to hold `additional` bytes behind its end. What has no name takes up
    /// space until nobody has it open.
    fn check_space(&self, id: FileId, additional: u64) -> io::Result<()> {
        let contents = &self.file(id).contents;
        let growth = contents.len().saturating_add(additional).saturating_sub(contents.size());
        if growth == 0 || self.capacity == u64::MAX {
            return Ok(());
        }
        if self.used().saturating_add(growth) <= self.capacity {
            return Ok(());
        }
        Err(io::Error::new(ErrorKind::StorageFull, "injected fault: no space left on device"))
    }

    pub(super) fn used(&self) -> u64 {
        let named: BTreeSet<FileId> = self.names.files().into_iter().map(|(_, id)| id).collect();
        let in_use = self.files.iter().filter(|(id, file)| file.opens > 0 || named.contains(*id));
        in_use.map(|(_, file)| file.contents.size()).sum()
    }
}

pub(super) fn total_len(parts: &[&[u8]]) -> u64 {
    parts.iter().map(|part| part.len() as u64).sum()
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Disk").field("schedule", &self.schedule).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by a panic")]
mod tests {
    use super::*;
    use crate::sim::ManualClock;

    #[test]
    fn files_that_nobody_can_reach_any_more_are_forgotten() {
        let mut disk = Disk::new(Random::new(0), Arc::new(ManualClock::default()));
        let path = Path::new("/file");
        let (open, _) = disk.open_append(path, 0, Extent::Whole).unwrap();
        disk.append(open, &[b"still open"], Extent::Whole).unwrap();
        for _ in 0..1000 {
            let removal = disk.names.current.plan_remove_file(path).unwrap();
            disk.names.apply(removal);
            disk.names.sync_dir(Path::new("/")).unwrap();
            disk.open_or_create(path).unwrap();
        }
        assert!(disk.files.len() <= SWEEP_AT_MIN, "{} files are left", disk.files.len());
        assert_eq!(disk.file(open).contents.to_vec(), b"still open");
    }
}
