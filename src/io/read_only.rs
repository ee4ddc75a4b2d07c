//! A storage that changes nothing: what a store that is opened read-only stands on.
//!
//! Whatever its caller forgets to refuse is refused here, so no byte and no name in the directory changes. And nothing
//! is mapped: the process that writes the files may shorten them.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::{AppendFile, DirEntry, DiskSpace, Locked, Storage, StorageFile, StorageLock};

/// The reading half of another storage.
#[derive(Debug)]
pub(crate) struct ReadOnlyStorage {
    inner: Arc<dyn Storage>,
}

impl ReadOnlyStorage {
    pub(crate) fn new(inner: Arc<dyn Storage>) -> Self {
        Self { inner }
    }
}

fn refuse<T>() -> io::Result<T> {
    Err(io::ErrorKind::ReadOnlyFilesystem.into())
}

impl Storage for ReadOnlyStorage {
    fn create_dir_all(&self, _: &Path) -> io::Result<()> {
        refuse()
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
        self.inner.open_shared(path)
    }

    fn open_append(&self, _: &Path, _: u64, _: u64) -> io::Result<Box<dyn AppendFile>> {
        refuse()
    }

    fn truncate(&self, _: &Path, _: u64) -> io::Result<()> {
        refuse()
    }

    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> {
        refuse()
    }

    fn remove_file(&self, _: &Path) -> io::Result<()> {
        refuse()
    }

    fn remove_dir_all(&self, _: &Path) -> io::Result<()> {
        refuse()
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        refuse()
    }

    fn space(&self, dir: &Path) -> io::Result<Option<DiskSpace>> {
        self.inner.space(dir)
    }

    fn lock(&self, _: &Path) -> Result<Box<dyn StorageLock>, Locked> {
        Err(Locked::Io(io::ErrorKind::ReadOnlyFilesystem.into()))
    }
}
