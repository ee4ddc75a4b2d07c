//! The real disk: `std::fs`, with the active files mapped where the system can do that.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use bytes::Bytes;

use super::lock;
#[cfg(unix)]
use super::mmap::{MappedAppend, MappedFile};
use super::{AppendFile, DirEntry, DiskSpace, Locked, Storage, StorageFile, StorageLock};

/// The operating system's file system.
///
/// By default files are read and appended to through memory maps, which is several times faster than a system call
/// for each batch. Two things follow, and [`FsStorage::without_mmap`] avoids both at the price of speed:
/// - nobody else may shorten the files while they are open (the directory's lock keeps other stores out);
/// - a device that fails under a mapped page ends the process (`SIGBUS`) where a plain read returns an error. On
///   file systems that copy on write (Btrfs, ZFS) a full device can show itself that way too, because space that is
///   reserved there is not space that is kept.
///
/// What a sync promises is what the platform's does: `fdatasync` on Linux, `F_FULLFSYNC` on macOS.
#[derive(Clone, Debug)]
pub struct FsStorage {
    mmap: bool,
}

impl FsStorage {
    /// Files are mapped where the platform allows it.
    pub fn new() -> Self {
        Self { mmap: cfg!(unix) && cfg!(target_pointer_width = "64") }
    }

    /// Files are read and written by system calls alone.
    pub fn without_mmap() -> Self {
        Self { mmap: false }
    }
}

impl Default for FsStorage {
    fn default() -> Self {
        Self::new()
    }
}

impl Storage for FsStorage {
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        fs::create_dir_all(dir).map_err(|error| match error.kind() {
            // The system says that there is a file, and not that it is none to be in.
            io::ErrorKind::AlreadyExists => io::ErrorKind::NotADirectory.into(),
            _ => error,
        })
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            // A name that goes away between the listing and the look at it was never there.
            let metadata = match entry.metadata() {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                other => other?,
            };
            let is_dir = metadata.is_dir();
            let modified = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
            entries.push(DirEntry {
                name,
                is_dir,
                len: if is_dir { 0 } else { metadata.len() },
                modified_ms: modified.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX)),
            });
        }
        Ok(entries)
    }

    fn len(&self, path: &Path) -> io::Result<u64> {
        Ok(fs::metadata(path)?.len())
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn StorageFile>> {
        // What is read is synced too, which Windows leaves to those who may write.
        let file = OpenOptions::new().read(true).write(cfg!(windows)).open(path)?;
        #[cfg(unix)]
        if self.mmap {
            return Ok(Arc::new(MappedFile::open(file)?));
        }
        let len = file.metadata()?.len();
        Ok(Arc::new(PlainFile { file, len: AtomicU64::new(len) }))
    }

    fn open_shared(&self, path: &Path) -> io::Result<Arc<dyn StorageFile>> {
        Ok(Arc::new(SharedFile { file: File::open(path)? }))
    }

    fn open_append(&self, path: &Path, len: u64, capacity: u64) -> io::Result<Box<dyn AppendFile>> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let found = file.metadata()?.len();
        if found < len {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("{found} bytes, not the {len} expected")));
        }
        if found > len {
            file.set_len(len)?;
        }
        #[cfg(unix)]
        if self.mmap && capacity > 0 {
            return Ok(Box::new(MappedAppend::new(file, len, capacity)?));
        }
        Ok(Box::new(PlainAppend {
            file: Arc::new(PlainFile { file, len: AtomicU64::new(len) }),
            capacity,
            reserved: len,
        }))
    }

    fn copy_file(&self, from: &Path, to: &Path, len: u64) -> io::Result<()> {
        let mut source = File::open(from)?.take(len); // first: what is not there leaves nothing behind
        let mut target = File::create(to)?;
        // On Linux this is `copy_file_range`, which shares blocks where the file system can.
        if io::copy(&mut source, &mut target)? < len {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        target.sync_all()
    }

    fn truncate(&self, path: &Path, len: u64) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(len)?;
        file.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir_all(&self, dir: &Path) -> io::Result<()> {
        fs::remove_dir_all(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        // Windows has no such call: its file systems journal names by themselves.
        if cfg!(unix) { File::open(dir)?.sync_all() } else { Ok(()) }
    }

    fn copies_views(&self) -> bool {
        !self.mmap
    }

    #[cfg(unix)]
    fn space(&self, dir: &Path) -> io::Result<Option<DiskSpace>> {
        let device = rustix::fs::statvfs(dir)?;
        let bytes = |blocks: u64| blocks.saturating_mul(device.f_frsize);
        Ok(Some(DiskSpace { total_bytes: bytes(device.f_blocks), usable_bytes: bytes(device.f_bavail) }))
    }

    #[cfg(not(unix))]
    fn space(&self, _: &Path) -> io::Result<Option<DiskSpace>> {
        Ok(None)
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn StorageLock>, Locked> {
        lock::lock(path)
    }
}

/// How many files the process may have open, as far as the system tells.
pub(crate) fn process_files_max() -> Option<usize> {
    #[cfg(unix)]
    {
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current?;
        usize::try_from(limit).ok()
    }
    #[cfg(not(unix))]
    None
}

/// Lets this process have as many files open as the system allows it, sockets among them. By default many systems allow
/// 1,024 and a million to whoever asks. The Java runtime asks for every process, so a Kafka broker has them too.
///
/// To be called before a store is opened, which keeps up to half of them to itself.
///
/// # Errors
///
/// That of the system, which leaves the limit as it was.
pub fn raise_open_files_limit() -> io::Result<()> {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let mut limit = getrlimit(Resource::Nofile);
        limit.current = limit.maximum;
        if cfg!(target_vendor = "apple") {
            // It says that there is no limit, and takes no more than OPEN_MAX.
            limit.current = Some(limit.maximum.map_or(10_240, |maximum| maximum.min(10_240)));
        }
        setrlimit(Resource::Nofile, limit)?;
    }
    Ok(())
}

/// A directory that is removed, with all that is in it, when the value is dropped.
#[derive(Debug)]
pub(crate) struct TemporaryDir(tempfile::TempDir);

impl TemporaryDir {
    pub(crate) fn new() -> io::Result<Self> {
        tempfile::Builder::new().prefix("esker-").tempdir().map(Self)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.0.path().to_owned()
    }
}

/// A file that is read and written by system calls.
#[derive(Debug)]
struct PlainFile {
    file: File,
    len: AtomicU64,
}

impl PlainFile {
    fn check(&self, position: u64, len: usize) -> io::Result<()> {
        match position.checked_add(len as u64) {
            Some(end) if end <= self.len.load(Ordering::Acquire) => Ok(()),
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

impl StorageFile for PlainFile {
    fn len(&self) -> u64 {
        self.len.load(Ordering::Acquire)
    }

    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.check(position, buffer.len())?;
        read_exact_at(&self.file, position, buffer)
    }

    fn view(&self, position: u64, len: usize) -> io::Result<Bytes> {
        self.check(position, len)?;
        let mut buffer = vec![0; len];
        read_exact_at(&self.file, position, &mut buffer)?;
        Ok(buffer.into())
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// A file that another process may be writing. It is never mapped, for a page that goes away under a map ends the
/// process.
#[derive(Debug)]
struct SharedFile {
    file: File,
}

impl StorageFile for SharedFile {
    fn len(&self) -> u64 {
        self.file.metadata().map_or(0, |metadata| metadata.len())
    }

    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<()> {
        read_exact_at(&self.file, position, buffer)
    }

    fn view(&self, position: u64, len: usize) -> io::Result<Bytes> {
        let mut buffer = vec![0; len];
        self.read_at(position, &mut buffer)?;
        Ok(buffer.into())
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

#[derive(Debug)]
struct PlainAppend {
    file: Arc<PlainFile>,
    capacity: u64,
    /// How long the file is on the device.
    reserved: u64,
}

impl AppendFile for PlainAppend {
    fn file(&self) -> Arc<dyn StorageFile> {
        self.file.clone()
    }

    fn reserve(&mut self, additional: u64) -> io::Result<()> {
        let len = self.file.len();
        check_capacity(len, additional, self.capacity)?;
        if len + additional > self.reserved {
            allocate(&self.file.file, self.reserved, len + additional)?;
            self.reserved = len + additional;
        }
        Ok(())
    }

    fn append(&mut self, parts: &[&[u8]]) -> io::Result<()> {
        let start = self.file.len();
        check_capacity(start, parts.iter().map(|part| part.len() as u64).sum(), self.capacity)?;
        let end = write_parts_at(&self.file.file, start, parts).inspect_err(|_| {
            // What was written of it must not be taken for data by a later recovery. If even this fails, the batch's
            // CRC still tells.
            let _ = self.file.file.set_len(start);
            self.reserved = start;
        })?;
        self.reserved = self.reserved.max(end);
        self.file.len.store(end, Ordering::Release);
        Ok(())
    }

    fn seal(&mut self) -> io::Result<()> {
        self.reserved = self.file.len();
        self.file.file.set_len(self.reserved)
    }
}

/// Refuses to go beyond what the file was opened for.
pub(super) fn check_capacity(len: u64, additional: u64, capacity: u64) -> io::Result<()> {
    match len.checked_add(additional) {
        Some(end) if end <= capacity => Ok(()),
        _ => Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("{additional} more bytes after {len} exceed the capacity of {capacity}"),
        )),
    }
}

/// Extends `file` from `from` to `to` bytes with space that is really there.
pub(super) fn allocate(file: &File, from: u64, to: u64) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{FallocateFlags, fallocate};
        use rustix::io::{Errno, retry_on_intr};
        match retry_on_intr(|| fallocate(file, FallocateFlags::empty(), from, to - from)) {
            Err(Errno::OPNOTSUPP | Errno::NOSYS) => {}
            other => {
                return other.map_err(|error| {
                    // Some of it may have been had.
                    let _ = file.set_len(from);
                    error.into()
                });
            }
        }
    }
    // Where space can't be reserved by a call, writing is what takes it.
    write_zeros_at(file, from, to - from).inspect_err(|_| {
        let _ = file.set_len(from);
    })
}

/// Writes so many zeros.
pub(super) fn write_zeros_at(file: &File, mut position: u64, mut bytes: u64) -> io::Result<()> {
    static ZEROS: [u8; 64 << 10] = [0; 64 << 10];
    while bytes > 0 {
        let zeros = &ZEROS[..bytes.min(ZEROS.len() as u64) as usize];
        write_all_at(file, position, zeros)?;
        position += zeros.len() as u64;
        bytes -= zeros.len() as u64;
    }
    Ok(())
}

/// Writes the parts one behind the other, and returns where the last one ends.
#[cfg(target_os = "linux")]
pub(super) fn write_parts_at(file: &File, mut position: u64, parts: &[&[u8]]) -> io::Result<u64> {
    let mut slices: Vec<_> = parts.iter().map(|part| io::IoSlice::new(part)).collect();
    let mut left = &mut slices[..];
    io::IoSlice::advance_slices(&mut left, 0); // leaves out what is empty
    while !left.is_empty() {
        match rustix::io::pwritev(file, left, position) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                position += written as u64;
                io::IoSlice::advance_slices(&mut left, written);
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(position)
}

/// The same by a call for each.
#[cfg(not(target_os = "linux"))]
pub(super) fn write_parts_at(file: &File, mut position: u64, parts: &[&[u8]]) -> io::Result<u64> {
    for part in parts {
        write_all_at(file, position, part)?;
        position += part.len() as u64;
    }
    Ok(position)
}

#[cfg(unix)]
fn read_exact_at(file: &File, position: u64, buffer: &mut [u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, position)
}

#[cfg(unix)]
fn write_all_at(file: &File, position: u64, bytes: &[u8]) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, position)
}

#[cfg(windows)]
fn read_exact_at(file: &File, mut position: u64, mut buffer: &mut [u8]) -> io::Result<()> {
    while !buffer.is_empty() {
        match std::os::windows::fs::FileExt::seek_read(file, buffer, position)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => {
                buffer = &mut buffer[read..];
                position += read as u64;
            }
        }
    }
    Ok(())
}

#[cfg(windows)]
fn write_all_at(file: &File, mut position: u64, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match std::os::windows::fs::FileExt::seek_write(file, bytes, position)? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            written => {
                bytes = &bytes[written..];
                position += written as u64;
            }
        }
    }
    Ok(())
}
