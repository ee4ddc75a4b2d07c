//! Storage in memory, for stores that need no disk: caches, tests, examples.

pub(crate) mod contents;
pub(crate) mod tree;

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use bytes::Bytes;
use parking_lot::RwLock;

use self::contents::{Contents, check_append_position, check_capacity, check_range, replaced_writer};
use self::tree::{Node, Tree};
use super::{AppendFile, DirEntry, Locked, Storage, StorageFile, StorageLock};
use crate::clock::{Clock, SystemClock};

/// Files in memory. Clones share them, so a store can be closed and opened again; they end with the last clone.
///
/// Appending copies once; a [`view`](StorageFile::view) of what one append wrote is a slice of that copy. Syncing does
/// nothing and nothing survives the process. Absolute and relative paths are the same; `..` is refused.
///
/// A store in memory is one that was given it: [`StoreOptions::storage`](crate::StoreOptions::storage).
///
/// ```
/// use std::path::Path;
/// use esker::io::{MemoryStorage, Storage};
///
/// let storage = MemoryStorage::new();
/// storage.create_dir_all(Path::new("data"))?;
/// let mut file = storage.open_append(Path::new("data/greeting"), 0, 100)?;
/// file.append(&[b"hello, ", b"world"])?;
/// assert_eq!(storage.read(Path::new("data/greeting"))?, b"hello, world");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct MemoryStorage {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Arc<dyn Clock>,
    tree: RwLock<Tree<Arc<MemoryFile>>>,
}

impl MemoryStorage {
    /// An empty tree. Files are dated by the system's clock.
    pub fn new() -> Self {
        Self::with_clock(SystemClock)
    }

    /// An empty tree whose files are dated by `clock`.
    pub fn with_clock(clock: impl Clock + 'static) -> Self {
        Self { shared: Arc::new(Shared { clock: Arc::new(clock), tree: RwLock::default() }) }
    }

    fn file(&self, path: &Path) -> io::Result<Arc<MemoryFile>> {
        self.shared.tree.read().file(path)
    }

    fn open_or_create(&self, path: &Path) -> io::Result<Arc<MemoryFile>> {
        let mut tree = self.shared.tree.write();
        match tree.file(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let file = Arc::new(MemoryFile::new(self.shared.clock.now_ms()));
                let change = tree.plan_create_file(path, file.clone())?;
                tree.apply(&change);
                Ok(file)
            }
            found => found,
        }
    }
}

impl Default for MemoryStorage {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStorage").finish_non_exhaustive()
    }
}

impl Storage for MemoryStorage {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        let mut tree = self.shared.tree.write();
        tree.plan_create_dir_all(dir)?.iter().for_each(|change| tree.apply(change));
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        let tree = self.shared.tree.read();
        let entries = tree.children(tree.dir(dir)?).map(|(place, node)| {
            let name = place.name.clone();
            match node {
                Node::Dir(_) => DirEntry { name, is_dir: true, len: 0, modified_ms: 0 },
                Node::File(file) => {
                    let (len, modified_ms) = (file.contents.read().size(), file.modified_ms.load(Ordering::Relaxed));
                    DirEntry { name, is_dir: false, len, modified_ms }
                }
            }
        });
        Ok(entries.collect())
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        Ok(self.file(path)?.contents.read().size())
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        Ok(self.file(path)?.contents.read().to_vec())
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn StorageFile>> {
        let file = self.file(path)?;
        let len_at_open = Some(file.contents.read().size());
        Ok(Arc::new(MemoryReader { file, len_at_open }))
    }

    fn open_shared(&self, path: &Path) -> io::Result<Arc<dyn StorageFile>> {
        Ok(Arc::new(MemoryReader { file: self.file(path)?, len_at_open: None }))
    }

    fn open_append(&self, path: &Path, len: u64, capacity: u64) -> io::Result<Box<dyn AppendFile>> {
        let file = self.open_or_create(path)?;
        let mut contents = file.contents.write();
        check_append_position(len, contents.size())?;
        contents.set_len(len);
        let writer = file.writer.fetch_add(1, Ordering::Relaxed) + 1;
        drop(contents);
        Ok(Box::new(MemoryAppender { file, writer, capacity, clock: self.shared.clock.clone() }))
    }

    fn truncate(&self, path: &Path, len: u64) -> io::Result<()> {
        let file = self.file(path)?;
        let mut contents = file.contents.write();
        check_append_position(len, contents.size())?;
        contents.set_len(len);
        file.writer.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut tree = self.shared.tree.write();
        if let Some(change) = tree.plan_rename(from, to)? {
            tree.apply(&change);
        }
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut tree = self.shared.tree.write();
        let change = tree.plan_remove_file(path)?;
        tree.apply(&change);
        Ok(())
    }

    fn remove_dir_all(&self, dir: &Path) -> io::Result<()> {
        let mut tree = self.shared.tree.write();
        tree.plan_remove_dir_all(dir)?.iter().for_each(|change| tree.apply(change));
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.shared.tree.read().dir(dir).map(drop)
    }

    fn copies_views(&self) -> bool {
        false
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn StorageLock>, Locked> {
        let file = self.open_or_create(path).map_err(Locked::Io)?;
        if file.is_locked.swap(true, Ordering::Acquire) {
            return Err(Locked::Held("this process".to_owned()));
        }
        Ok(Box::new(MemoryLock { file }))
    }
}

/// A file, under whatever name.
struct MemoryFile {
    contents: RwLock<Contents>,
    modified_ms: AtomicI64,
    /// The number of the writer that may append; the ones before it have been replaced. Changes under the write lock
    /// of the contents.
    writer: AtomicU64,
    is_locked: AtomicBool,
}

impl MemoryFile {
    fn new(now_ms: i64) -> Self {
        Self {
            contents: RwLock::default(),
            modified_ms: AtomicI64::new(now_ms),
            writer: AtomicU64::new(0),
            is_locked: AtomicBool::new(false),
        }
    }
}

struct MemoryReader {
    file: Arc<MemoryFile>,
    /// The length of a file that was opened; a writer's own file, or a shared one, is as long as what was appended.
    len_at_open: Option<u64>,
}

impl MemoryReader {
    /// Where reads have to end: a file may have been cut since it was opened.
    fn readable_end(&self, contents: &Contents) -> u64 {
        self.len_at_open.map_or(contents.len(), |len| len.min(contents.size()))
    }
}

impl fmt::Debug for MemoryReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryReader").field("len", &self.len()).finish_non_exhaustive()
    }
}

impl StorageFile for MemoryReader {
    fn len(&self) -> u64 {
        self.len_at_open.unwrap_or_else(|| self.file.contents.read().len())
    }

    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<()> {
        let contents = self.file.contents.read();
        check_range(position, buffer.len(), self.readable_end(&contents))?;
        contents.copy_to(position, buffer);
        Ok(())
    }

    fn is_viewed_in_place(&self) -> bool {
        true
    }

    fn view(&self, position: u64, len: usize) -> io::Result<Bytes> {
        let contents = self.file.contents.read();
        check_range(position, len, self.readable_end(&contents))?;
        if let Some(view) = contents.view(position, len) {
            return Ok(view);
        }
        drop(contents);
        let mut contents = self.file.contents.write();
        check_range(position, len, self.readable_end(&contents))?;
        contents.freeze();
        Ok(contents.view(position, len).expect("nothing is in the tail once it is frozen"))
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

struct MemoryAppender {
    file: Arc<MemoryFile>,
    writer: u64,
    capacity: u64,
    clock: Arc<dyn Clock>,
}

impl MemoryAppender {
    fn check(&self, contents: &Contents, additional: u64) -> io::Result<()> {
        if self.file.writer.load(Ordering::Relaxed) != self.writer {
            return Err(replaced_writer());
        }
        check_capacity(contents.len(), additional, self.capacity)
    }
}

impl fmt::Debug for MemoryAppender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryAppender").field("capacity", &self.capacity).finish_non_exhaustive()
    }
}

impl AppendFile for MemoryAppender {
    fn file(&self) -> Arc<dyn StorageFile> {
        Arc::new(MemoryReader { file: self.file.clone(), len_at_open: None })
    }

    fn reserve(&mut self, additional: u64) -> io::Result<()> {
        let mut contents = self.file.contents.write();
        self.check(&contents, additional)?;
        contents.reserve(additional);
        Ok(())
    }

    fn appends_at_once(&self, _: u64) -> bool {
        true
    }

    fn append(&mut self, parts: &[&[u8]]) -> io::Result<()> {
        let size: usize = parts.iter().map(|part| part.len()).sum();
        let mut contents = self.file.contents.write();
        self.check(&contents, size as u64)?;
        contents.append(parts);
        self.file.modified_ms.store(self.clock.now_ms(), Ordering::Relaxed);
        Ok(())
    }

    fn seal(&mut self) -> io::Result<()> {
        let mut contents = self.file.contents.write();
        self.check(&contents, 0)?;
        contents.release();
        Ok(())
    }
}

struct MemoryLock {
    file: Arc<MemoryFile>,
}

impl fmt::Debug for MemoryLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryLock").finish_non_exhaustive()
    }
}

impl StorageLock for MemoryLock {}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        self.file.is_locked.store(false, Ordering::Release);
    }
}
