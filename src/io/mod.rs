//! The one door to the operating system. Nothing outside this folder names `std::fs`.
//!
//! [`Storage`] is a directory tree, [`AppendFile`] the one writer of a growing file, [`StorageFile`] a file that any
//! number of threads read and sync. Each call says what a crash after it leaves behind; the fault-injecting storage
//! of the feature `sim` implements exactly those statements, so the crash tests hold the engine to them.
//!
//! Files are only ever appended to. What has been appended never changes, so a slice handed out stays valid and
//! constant however long it is kept; to change a file, a new one is written and renamed over it.
//!
//! Two kinds of crash matter:
//! - the *process* dies: everything that a call has returned from is kept, for the kernel has it;
//! - *power* is lost: only what has been synced is kept for certain. Of the rest any part may be kept: any subset of
//!   the pages written, any length up to what was reserved, any subset of the names created, renamed or removed.

#[cfg(not(any(unix, windows)))]
compile_error!("esker reads and writes files at positions, which it can on Unix and on Windows alone");

mod file_range;
mod fs;
mod lock;
pub(crate) mod memory;
#[cfg(unix)]
mod mmap;
mod read_only;
#[cfg(all(target_os = "linux", feature = "net"))]
pub(crate) mod socket;

use std::fmt;
use std::io;
#[cfg(unix)]
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;

pub use file_range::FileRange;
pub(crate) use file_range::Lent;
pub use fs::{FsStorage, raise_open_files_limit};
pub(crate) use fs::{TemporaryDir, process_files_max};
pub use memory::MemoryStorage;
pub(crate) use read_only::ReadOnlyStorage;

/// A tree of directories and files on a device, or something that behaves like one.
///
/// Paths are whatever the implementation takes them for; the engine only joins names to the path it was given.
///
/// An error is whatever the device says. Where the engine goes by the kind of it, the call says what the kind means.
pub trait Storage: Send + Sync + fmt::Debug {
    /// Creates `dir` and the directories above it that are missing. Existing ones are fine.
    ///
    /// The name of a new directory survives the loss of power only after [`sync_dir`](Self::sync_dir) of its parent.
    ///
    /// # Errors
    /// `NotADirectory` if a file is in the way.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;

    /// What `dir` holds, in no particular order.
    ///
    /// # Errors
    /// `NotFound` if there is no such directory.
    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>>;

    /// The length of a file in bytes, whatever has been reserved included.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    fn len(&self, path: &Path) -> io::Result<u64>;

    /// Reads a whole small file: a checkpoint, a marker.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// Opens an existing file for reading and syncing. Its length is what it is now.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn StorageFile>>;

    /// Opens an existing file that another process may be appending to or shortening. Its length is what it is at each
    /// moment, whatever has been reserved included or not; where the file has become shorter, reading is
    /// `UnexpectedEof` and nothing worse. What has been read of it stays as it was.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    fn open_shared(&self, path: &Path) -> io::Result<Arc<dyn StorageFile>> {
        self.open(path)
    }

    /// Opens a file for appending after its first `len` bytes, creating it if it does not exist; whatever lies beyond
    /// `len` is cut off. It will never hold more than `capacity` bytes.
    ///
    /// The name of a new file survives the loss of power only after [`sync_dir`](Self::sync_dir) of its directory.
    ///
    /// # Errors
    /// `NotFound` if there is no such directory, `UnexpectedEof` if the file has fewer bytes than `len`.
    fn open_append(&self, path: &Path, len: u64, capacity: u64) -> io::Result<Box<dyn AppendFile>>;

    /// Makes `to` a file that holds the first `len` bytes of `from`, and syncs it. What else a file system keeps of a
    /// file need not come along; where it can, the two share blocks until one of them changes.
    ///
    /// The name of the new file survives the loss of power only after [`sync_dir`](Self::sync_dir) of its directory. A
    /// crash in the middle, or an error, may leave a file with a part of the bytes, or with other ones.
    ///
    /// # Errors
    /// `NotFound` if there is no `from`, `UnexpectedEof` if it is shorter.
    fn copy_file(&self, from: &Path, to: &Path, len: u64) -> io::Result<()> {
        const CHUNK_BYTES: u64 = 1 << 20;
        let source = self.open(from)?;
        let mut target = self.open_append(to, 0, len)?;
        let mut position = 0;
        while position < len {
            let chunk = (len - position).min(CHUNK_BYTES);
            target.append(&[&source.view(position, chunk as usize)?])?;
            position += chunk;
        }
        target.seal()?;
        target.file().sync()
    }

    /// Cuts a file that nobody has open to `len` bytes, and syncs that.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    fn truncate(&self, path: &Path, len: u64) -> io::Result<()>;

    /// Renames a file or directory, replacing a file of the new name. Either name is there after a crash, never
    /// neither; which one is certain only after [`sync_dir`](Self::sync_dir) of the directories of both.
    ///
    /// # Errors
    /// `NotFound` if there is no `from`.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file. Readers that have it open keep it. The name may come back after the loss of power until
    /// [`sync_dir`](Self::sync_dir).
    ///
    /// # Errors
    /// `NotFound` if there is none.
    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Removes a directory and everything in it.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    fn remove_dir_all(&self, dir: &Path) -> io::Result<()>;

    /// Makes the names in `dir` durable: after it returns, what was created, renamed and removed there survives the
    /// loss of power.
    ///
    /// # Errors
    /// After any, nothing is known about what reached the device, and a later success proves nothing.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Whether a [view](StorageFile::view) takes memory of its own, as it does of files that are neither mapped nor in
    /// memory: who hands out views to others then hands out fewer. Yes by default.
    fn copies_views(&self) -> bool {
        true
    }

    /// How much space there is where `dir` lies; None where that is not known, as by default.
    ///
    /// # Errors
    /// What keeps that from being found out.
    fn space(&self, dir: &Path) -> io::Result<Option<DiskSpace>> {
        let _ = dir;
        Ok(None)
    }

    /// Takes the exclusive lock that `path` stands for, creating the file if need be. The lock ends with the value, or
    /// with the process; the file stays.
    ///
    /// # Errors
    /// [`Locked::Held`] says who has it, [`Locked::Io`] why it can't be had.
    fn lock(&self, path: &Path) -> Result<Box<dyn StorageLock>, Locked>;
}

/// A file that is read, and synced, through any number of shared handles.
pub trait StorageFile: Send + Sync + fmt::Debug {
    /// How many bytes can be read: what has been appended, not what is reserved.
    fn len(&self) -> u64;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Fills `buffer` from `position`.
    ///
    /// # Errors
    /// `UnexpectedEof` if the file ends before it is full.
    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<()>;

    /// The bytes `position .. position + len`, without a copy where the storage can do that. They never change, and
    /// outlive the file.
    ///
    /// # Errors
    /// `UnexpectedEof` if the file ends before.
    fn view(&self, position: u64, len: usize) -> io::Result<Bytes>;

    /// Whether [views](Self::view) are of the memory that appended bytes are in, so that those of late are had without
    /// waiting for a device. No by default.
    fn is_viewed_in_place(&self) -> bool {
        false
    }

    /// The file as the operating system has it, if it holds at `position` what is read from there, and for as long as
    /// the handle is kept: then ranges of it can be sent to a socket without passing through this process. None by
    /// default.
    #[cfg(unix)]
    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    /// Brings in pages ahead of the file's writer, who is in a hurry, so that it need not. Any thread may call this
    /// at any time; it changes nothing that can be read, and does nothing where there is nothing to bring in.
    fn populate_ahead(&self) {}

    /// Makes what had been appended when the call began, and the length that goes with it, durable. Says nothing of
    /// the file's name.
    ///
    /// # Errors
    /// After any, nothing is known about what reached the device, and a later success proves nothing.
    fn sync(&self) -> io::Result<()>;
}

/// The one writer of a file.
pub trait AppendFile: Send + fmt::Debug {
    /// The same file for readers, which see each append as soon as it has returned.
    fn file(&self) -> Arc<dyn StorageFile>;

    /// Takes hold of the space for `additional` more bytes, so that appending them can't fail for want of it.
    ///
    /// # Errors
    /// `StorageFull` or `QuotaExceeded` if there is not enough.
    fn reserve(&mut self, additional: u64) -> io::Result<()>;

    /// Whether `additional` bytes can be appended in a moment, because that takes no more than memory: a guess, for a
    /// caller who should not block. What can't tell says no.
    fn appends_at_once(&self, additional: u64) -> bool {
        let _ = additional;
        false
    }

    /// Appends the parts one after another, all or nothing. Survives the death of the process as soon as it returns.
    ///
    /// # Errors
    /// `StorageFull` or `QuotaExceeded` if there is no space. After any, the length is what it was, and the file can be
    /// appended to again.
    fn append(&mut self, parts: &[&[u8]]) -> io::Result<()>;

    /// Gives back what is reserved beyond the end. No append comes after it. Durable after the next
    /// [`sync`](StorageFile::sync).
    ///
    /// # Errors
    /// What was appended is there after any.
    fn seal(&mut self) -> io::Result<()>;
}

/// Held for as long as the store is open; dropping it lets go.
pub trait StorageLock: Send + Sync + fmt::Debug {}

/// Why a lock was not had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Locked {
    /// Somebody else has it; the text says who, as far as that is known.
    #[error("it is held by {0}")]
    Held(String),
    /// The lock file could not be opened or locked.
    #[error("it can't be had")]
    Io(#[from] io::Error),
}

/// The space of a file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskSpace {
    /// All of it, in bytes.
    pub total_bytes: u64,
    /// What is left of it for this process, in bytes.
    pub usable_bytes: u64,
}

/// One name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirEntry {
    /// The name alone, without its directory. Names that are not UTF-8 are left out of listings: none of ours are.
    pub name: String,
    /// Whether it is a directory.
    pub is_dir: bool,
    /// The length in bytes; 0 for a directory.
    pub len: u64,
    /// When it was last written, in milliseconds since the Unix epoch; 0 where that is not known.
    pub modified_ms: i64,
}

/// Replaces the file at `path` by one that holds `contents`, so that a crash at any moment leaves either the old or
/// the new contents, whole: `<path>.tmp` is written, synced and renamed, and the directory is synced.
///
/// # Errors
/// What the storage says. Either the old or the new contents are there then, whole, and `<path>.tmp` may be.
pub fn replace_file(storage: &dyn Storage, path: &Path, contents: &[u8]) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".tmp");
    let temporary = Path::new(&temporary);
    let mut file = storage.open_append(temporary, 0, contents.len() as u64)?;
    file.append(&[contents])?;
    file.seal()?;
    file.file().sync()?;
    drop(file);
    storage.rename(temporary, path)?;
    match path.parent() {
        Some(dir) => storage.sync_dir(dir),
        None => Ok(()),
    }
}
