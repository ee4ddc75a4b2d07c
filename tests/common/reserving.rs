//! A storage that takes space ahead of what is appended, as the mapped files of the real disk do, so that a crash
//! leaves reserved space behind the end.

use std::io;
use std::path::Path;
use std::sync::Arc;

use esker::io::{AppendFile, DirEntry, Locked, Storage, StorageFile, StorageLock};

/// Passes everything on, and reserves before it appends.
#[derive(Debug)]
pub struct Reserving<S> {
    inner: S,
    step_bytes: u64,
}

impl<S: Storage> Reserving<S> {
    /// Takes space in steps of `step_bytes`.
    pub fn new(inner: S, step_bytes: u64) -> Self {
        Self { inner, step_bytes }
    }
}

impl<S: Storage> Storage for Reserving<S> {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.inner.create_dir_all(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        self.inner.list(dir)
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        self.inner.len(path)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.inner.read(path)
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn StorageFile>> {
        self.inner.open(path)
    }

    fn open_append(&self, path: &Path, len: u64, capacity: u64) -> io::Result<Box<dyn AppendFile>> {
        let inner = self.inner.open_append(path, len, capacity)?;
        Ok(Box::new(ReservingFile { inner, step_bytes: self.step_bytes, capacity, reserved: len }))
    }

    fn truncate(&self, path: &Path, len: u64) -> io::Result<()> {
        self.inner.truncate(path, len)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.inner.rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.inner.remove_file(path)
    }

    fn remove_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.inner.remove_dir_all(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.inner.sync_dir(dir)
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn StorageLock>, Locked> {
        self.inner.lock(path)
    }
}

#[derive(Debug)]
struct ReservingFile {
    inner: Box<dyn AppendFile>,
    step_bytes: u64,
    capacity: u64,
    reserved: u64,
}

impl AppendFile for ReservingFile {
    fn file(&self) -> Arc<dyn StorageFile> {
        self.inner.file()
    }

    fn reserve(&mut self, additional: u64) -> io::Result<()> {
        self.inner.reserve(additional)
    }

    fn append(&mut self, parts: &[&[u8]]) -> io::Result<()> {
        let len = self.inner.file().len();
        let end = len + parts.iter().map(|part| part.len() as u64).sum::<u64>();
        if end > self.reserved && end <= self.capacity {
            let wanted = end.next_multiple_of(self.step_bytes).min(self.capacity);
            self.inner.reserve(wanted - len)?;
            self.reserved = wanted;
        }
        self.inner.append(parts)
    }

    fn seal(&mut self) -> io::Result<()> {
        self.inner.seal()
    }
}
