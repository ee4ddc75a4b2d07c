//! A file that is read from front to back, a window of it at a time.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

const WINDOW_BYTES: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct Window {
    file: File,
    len: u64,
    bytes: Vec<u8>,
    /// Where in the file the window begins.
    position: u64,
}

impl Window {
    /// Opens a file. What is appended to it from now on is not seen.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let len = file.metadata()?.len();
        Ok(Self { file, len, bytes: Vec::new(), position: 0 })
    }

    /// The length of the file.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// The bytes `position .. position + len`, which lie in the file.
    pub(super) fn bytes(&mut self, position: u64, len: usize) -> io::Result<&[u8]> {
        let end = self.position + self.bytes.len() as u64;
        if position < self.position || position + len as u64 > end {
            let wanted = (len.max(WINDOW_BYTES) as u64).min(self.len - position) as usize;
            self.bytes.resize(wanted, 0);
            self.position = position;
            let read = self.file.seek(SeekFrom::Start(position)).and_then(|_| self.file.read_exact(&mut self.bytes));
            if let Err(error) = read {
                self.bytes.clear();
                return Err(error);
            }
        }
        let start = (position - self.position) as usize;
        Ok(&self.bytes[start..start + len])
    }

    /// Whether there are only zeros from `position` on.
    pub(super) fn is_zero_from(&mut self, mut position: u64) -> io::Result<bool> {
        while position < self.len {
            let len = (self.len - position).min(WINDOW_BYTES as u64) as usize;
            if self.bytes(position, len)?.iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            position += len as u64;
        }
        Ok(true)
    }
}
