//! A disk for the scenes: files in memory whose own synchronization is taken away, and that know what was synced.
//!
//! How far a file has been appended is a relaxed atomic. Nothing but the log's own publishing makes a reader see it:
//! one that gets ahead of what was published finds the file too short.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64 as PlainU64;

use bytes::Bytes;

use crate::io::{AppendFile, DirEntry, Locked, MemoryStorage, Storage, StorageFile, StorageLock};
use crate::log::{Home, OpenFiles};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::types::TopicPartition;

/// Clones are the same disk.
#[derive(Clone, Debug)]
pub(super) struct Device {
    inner: MemoryStorage,
    files: Arc<std::sync::Mutex<BTreeMap<PathBuf, Arc<Lengths>>>>,
    open_files: Arc<OpenFiles>,
}

/// How long a file is, as the model's threads see it, and as it is.
#[derive(Debug)]
struct Lengths {
    seen: AtomicU64,
    appended: PlainU64,
    synced: PlainU64,
}

impl Lengths {
    fn new(len: u64) -> Self {
        let true_len = || PlainU64::new(len);
        Self { seen: AtomicU64::new(len), appended: true_len(), synced: true_len() }
    }
}

impl Device {
    /// A disk on which the files of a log are let go of where there are more than `open_files_max`.
    pub(super) fn new(open_files_max: usize) -> Self {
        Self {
            inner: MemoryStorage::new(),
            files: Arc::default(),
            open_files: Arc::new(OpenFiles::new(open_files_max)),
        }
    }

    pub(super) fn open_files(&self) -> &Arc<OpenFiles> {
        &self.open_files
    }

    /// Where the files of a partition are, in a directory that is there.
    pub(super) fn home(&self, topic_partition: TopicPartition) -> Home {
        let dir = PathBuf::from(topic_partition.to_string());
        self.inner.create_dir_all(&dir).expect("memory");
        Home::new(Arc::new(self.clone()), dir, topic_partition, self.open_files.clone())
    }

    /// How many bytes of log files would survive the loss of power now.
    pub(super) fn synced_log_bytes(&self) -> u64 {
        let files = self.files.lock().expect("no panic");
        let logs = files.iter().filter(|(path, _)| path.extension().is_some_and(|extension| extension == "log"));
        logs.map(|(_, lengths)| lengths.synced.load(Ordering::Relaxed)).sum()
    }

    fn lengths(&self, path: &Path) -> Arc<Lengths> {
        let len = self.inner.len(path).unwrap_or(0);
        let mut files = self.files.lock().expect("no panic");
        files.entry(path.to_owned()).or_insert_with(|| Arc::new(Lengths::new(len))).clone()
    }
}

impl Storage for Device {
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
        Ok(Arc::new(File { inner: self.inner.open(path)?, lengths: self.lengths(path) }))
    }

    fn open_append(&self, path: &Path, len: u64, capacity: u64) -> io::Result<Box<dyn AppendFile>> {
        let inner = self.inner.open_append(path, len, capacity)?;
        Ok(Box::new(Appender { inner, lengths: self.lengths(path) }))
    }

    fn truncate(&self, path: &Path, len: u64) -> io::Result<()> {
        self.inner.truncate(path, len)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.inner.rename(from, to)?;
        let mut files = self.files.lock().expect("no panic");
        if let Some(lengths) = files.remove(from) {
            files.insert(to.to_owned(), lengths);
        }
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.inner.remove_file(path)?;
        self.files.lock().expect("no panic").remove(path);
        Ok(())
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
struct File {
    inner: Arc<dyn StorageFile>,
    lengths: Arc<Lengths>,
}

impl File {
    fn check(&self, position: u64, len: usize) -> io::Result<()> {
        let seen = self.lengths.seen.load(Ordering::Relaxed);
        if position + len as u64 > seen { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }
}

impl StorageFile for File {
    fn len(&self) -> u64 {
        self.lengths.seen.load(Ordering::Relaxed)
    }

    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.check(position, buffer.len())?;
        self.inner.read_at(position, buffer)
    }

    fn view(&self, position: u64, len: usize) -> io::Result<Bytes> {
        self.check(position, len)?;
        self.inner.view(position, len)
    }

    /// Takes a moment: what is appended meanwhile is not on the device when it returns.
    fn sync(&self) -> io::Result<()> {
        let appended = self.lengths.appended.load(Ordering::Relaxed);
        // A moment for others, if they want it: to yield here would make them take it.
        let _ = self.lengths.seen.load(Ordering::Relaxed);
        self.lengths.synced.fetch_max(appended, Ordering::Relaxed);
        Ok(())
    }
}

#[derive(Debug)]
struct Appender {
    inner: Box<dyn AppendFile>,
    lengths: Arc<Lengths>,
}

impl AppendFile for Appender {
    fn file(&self) -> Arc<dyn StorageFile> {
        Arc::new(File { inner: self.inner.file(), lengths: self.lengths.clone() })
    }

    fn reserve(&mut self, additional: u64) -> io::Result<()> {
        self.inner.reserve(additional)
    }

    fn append(&mut self, parts: &[&[u8]]) -> io::Result<()> {
        self.inner.append(parts)?;
        let len = self.inner.file().len();
        self.lengths.appended.store(len, Ordering::Relaxed);
        self.lengths.seen.store(len, Ordering::Relaxed);
        Ok(())
    }

    fn seal(&mut self) -> io::Result<()> {
        self.inner.seal()
    }
}
