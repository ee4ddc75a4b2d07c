//! A storage that takes space ahead of what is appended, as the mapped files of the real disk do, so that a crash
//! leaves reserved space behind the end.

use std::io;
use std::path::Path;
use std::sync::Arc;

use esker::io::{AppendFile, Storage, StorageFile};

use super::forward::forward;

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
    forward!(create_dir_all list len read open truncate rename remove_file remove_dir_all sync_dir lock);

    fn open_append(&self, path: &Path, len: u64, capacity: u64) -> io::Result<Box<dyn AppendFile>> {
        let inner = self.inner.open_append(path, len, capacity)?;
        Ok(Box::new(ReservingFile { inner, step_bytes: self.step_bytes, capacity, reserved: len }))
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
