//! A range of a file that the operating system can send to a socket by itself.

#[cfg(target_os = "linux")]
use std::io;
use std::sync::Arc;

use super::StorageFile;

/// The right to keep a file open that the store would let go of. Whoever counts those that are out looks at the others.
pub(crate) type Lent = Arc<()>;

/// Bytes of a file by where they are. The file stays open for as long as there is a range of it, whatever becomes of its
/// name; what the range holds never changes, for files are only appended to.
#[derive(Clone, Debug)]
pub(crate) struct FileRange {
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

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The part of it that `within` says.
    #[cfg(target_os = "linux")]
    pub(crate) fn part(&self, within: std::ops::Range<usize>) -> Self {
        debug_assert!(within.start <= within.end && within.end <= self.len, "a part of it");
        Self { position: self.position + within.start as u64, len: within.len(), ..self.clone() }
    }

    /// Sends it to a socket, as much of it as that takes, and returns how much that was. What is not in memory is waited
    /// for.
    #[cfg(target_os = "linux")]
    pub(crate) fn send_to(&self, socket: impl std::os::fd::AsFd) -> io::Result<usize> {
        let file = self.file.as_fd().ok_or(io::ErrorKind::Unsupported)?;
        Ok(rustix::fs::sendfile(socket, file, Some(&mut self.position.clone()), self.len)?)
    }

    /// Whether it can be sent without waiting for the disk, as far as some of its bytes tell: the system reads files by
    /// longer stretches than there are between them. False where the system doesn't say.
    #[cfg(target_os = "linux")]
    pub(crate) fn is_in_memory(&self) -> bool {
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
