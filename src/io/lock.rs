//! The directory's lock: the same POSIX record lock that Kafka takes on `.lock`, so that a broker and a store keep
//! each other out. The kernel drops it with the process, so none outlives a crash.
//!
//! Such locks belong to the process, not to the handle: a second open in the same process would be let in, and
//! closing any handle of the file would drop the lock. A set of the files locked by this process covers both.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::path::Path;
use std::sync::LazyLock;

use parking_lot::Mutex;

use super::{Locked, StorageLock};

/// What tells one file from another, whatever paths lead to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct FileId(#[cfg(unix)] (u64, u64), #[cfg(not(unix))] std::path::PathBuf);

static LOCKED_HERE: LazyLock<Mutex<HashSet<FileId>>> = LazyLock::new(Mutex::default);

#[derive(Debug)]
struct FileLock {
    id: FileId,
    /// Some until it is let go of.
    file: Option<File>,
}

impl StorageLock for FileLock {}

impl Drop for FileLock {
    fn drop(&mut self) {
        let mut locked_here = LOCKED_HERE.lock();
        // Closed before anybody else here can open the file: closing this handle later would drop their lock too.
        self.file = None;
        locked_here.remove(&self.id);
    }
}

pub(super) fn lock(path: &Path) -> Result<Box<dyn StorageLock>, Locked> {
    // Held throughout, so that two threads can't both find the file unlocked; and before the file is opened, because
    // closing that handle again would drop the lock that this process has.
    let mut locked_here = LOCKED_HERE.lock();
    if let Ok(metadata) = fs::metadata(path)
        && locked_here.contains(&file_id(path, &metadata).map_err(Locked::Io)?)
    {
        return Err(Locked::Held(format!("this process (pid {})", std::process::id())));
    }
    let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    let file = options.map_err(Locked::Io)?;
    let id = file.metadata().and_then(|metadata| file_id(path, &metadata)).map_err(Locked::Io)?;
    lock_file(&file)?;
    locked_here.insert(id.clone());
    Ok(Box::new(FileLock { id, file: Some(file) }))
}

#[cfg(unix)]
fn file_id(_path: &Path, metadata: &fs::Metadata) -> std::io::Result<FileId> {
    use std::os::unix::fs::MetadataExt;
    Ok(FileId((metadata.dev(), metadata.ino())))
}

#[cfg(not(unix))]
fn file_id(path: &Path, _metadata: &fs::Metadata) -> std::io::Result<FileId> {
    path.canonicalize().map(FileId)
}

#[cfg(unix)]
fn lock_file(file: &File) -> Result<(), Locked> {
    use rustix::fs::{FlockOperation, fcntl_lock};
    use rustix::io::Errno;
    use rustix::process::{Flock, FlockOffsetType, FlockType, fcntl_getlk};

    match fcntl_lock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(()),
        Err(Errno::ACCESS | Errno::AGAIN) => {
            let wanted =
                Flock { start: 0, length: 0, pid: None, typ: FlockType::WriteLock, offset_type: FlockOffsetType::Set };
            let holder = fcntl_getlk(file, &wanted).ok().flatten().and_then(|held| held.pid);
            Err(Locked::Held(match holder {
                Some(pid) => format!("the process with pid {}", pid.as_raw_nonzero()),
                None => "another process".to_owned(),
            }))
        }
        Err(error) => Err(Locked::Io(error.into())),
    }
}

#[cfg(not(unix))]
fn lock_file(file: &File) -> Result<(), Locked> {
    file.try_lock().map_err(|error| match error {
        fs::TryLockError::WouldBlock => Locked::Held("another process".to_owned()),
        fs::TryLockError::Error(error) => Locked::Io(error),
    })
}
