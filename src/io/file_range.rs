//! A range of a file that the operating system can send to a socket by itself.

#[cfg(target_os = "linux")]
use std::io;
use std::sync::Arc;

use super::StorageFile;

/// The right to keep a file open that the store would let go of. Whoever counts those that are out looks at the others.
pub(crate) type Lent = Arc<()>;

/// Bytes of a file by where they are: for who serves records over a network, and wants them to go from the file to the
/// socket without a copy. [`Fetched::file_range`](crate::Fetched::file_range) makes it.
///
/// The file stays open for as long as there is a range of it, whatever becomes of its name; what the range holds never
/// changes, for files are only appended to.
#[derive(Clone, Debug)]
pub struct FileRange {
    file: Arc<dyn StorageFile>,
    position: u64,
    len: usize,
    _lent: Lent,
}

impl FileRange {
    /// None where the system has no call to send it by, or the file is not one of the system's.
    pub(crate) fn new(file: Arc<dyn StorageFile>, position: u64, len: usize, lent: Lent) -> Option<Self> {
        is_sendable(&*file).then_some(Self { file, position, len, _lent: lent })
    }

    /// How many bytes it has.
    pub fn size(&self) -> usize {
        self.len
    }

    /// What follows its first `start` bytes, `size_max` bytes of it at most.
    #[must_use]
    pub fn part(&self, start: usize, size_max: usize) -> Self {
        let start = start.min(self.len);
        let len = size_max.min(self.len - start);
        Self { position: self.position + start as u64, len, ..self.clone() }
    }

    /// Sends it to a socket by `sendfile`, as much of it as that takes, and returns how many bytes that were. What is
    /// not in memory is waited for.
    ///
    /// # Errors
    /// What the system says; `WouldBlock` if a socket that does not block takes nothing now.
    #[cfg(target_os = "linux")]
    pub fn send_to(&self, socket: impl std::os::fd::AsFd) -> io::Result<usize> {
        let file = self.file.as_fd().ok_or(io::ErrorKind::Unsupported)?;
        Ok(rustix::fs::sendfile(socket, file, Some(&mut self.position.clone()), self.len)?)
    }

    /// Whether it can be sent without waiting for the disk, as far as some of its bytes tell: the system reads files by
    /// longer stretches than there are between them. False where the system doesn't say.
    #[cfg(target_os = "linux")]
    pub fn is_in_memory(&self) -> bool {
        let (Some(file), Some(last)) = (self.file.as_fd(), self.len.checked_sub(1)) else { return false };
        let is_there = |at: usize| {
            let mut byte = [0];
            let mut buffers = [io::IoSliceMut::new(&mut byte)];
            let (position, now) = (self.position + at as u64, rustix::io::ReadWriteFlags::NOWAIT);
            rustix::io::preadv2(file, &mut buffers, position, now) == Ok(1)
        };
        (0..last).step_by(READ_AHEAD_BYTES).chain([last]).all(is_there)
    }
}

/// Linux's default for how much of a file is read at once.
#[cfg(target_os = "linux")]
const READ_AHEAD_BYTES: usize = 128 * 1024;

impl PartialEq for FileRange {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.file, &other.file) && (self.position, self.len) == (other.position, other.len)
    }
}

impl Eq for FileRange {}

#[cfg(target_os = "linux")]
fn is_sendable(file: &dyn StorageFile) -> bool {
    file.as_fd().is_some()
}

#[cfg(not(target_os = "linux"))]
fn is_sendable(_: &dyn StorageFile) -> bool {
    false
}
