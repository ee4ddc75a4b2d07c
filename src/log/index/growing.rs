//! The index of a segment that another process may be appending to. The file is longer than its entries then: the rest
//! is reserved space, and reads as zeros. No entry is all zeros but perhaps the first of a time index, which is no
//! loss.

use std::io;
use std::sync::Arc;

use bytes::Bytes;

use super::Entry;
use crate::io::StorageFile;

/// An index file that ends where its entries do.
#[derive(Debug)]
pub(in crate::log) struct GrowingIndex {
    file: Arc<dyn StorageFile>,
    entry_bytes: usize,
}

impl GrowingIndex {
    pub(in crate::log) fn of<E: Entry>(file: Arc<dyn StorageFile>) -> Arc<dyn StorageFile> {
        Arc::new(Self { file, entry_bytes: E::BYTES })
    }

    /// Whether there is no entry in this slot. Neither is there one in a file that was cut meanwhile.
    fn is_blank(&self, slot: u64) -> bool {
        let mut buffer = [0; 64];
        let buffer = &mut buffer[..self.entry_bytes];
        self.file.read_at(slot * self.entry_bytes as u64, buffer).is_err() || buffer.iter().all(|byte| *byte == 0)
    }
}

impl StorageFile for GrowingIndex {
    fn len(&self) -> u64 {
        let (mut low, mut high) = (0, self.file.len() / self.entry_bytes as u64);
        if high > 0 && !self.is_blank(high - 1) {
            low = high;
        }
        while low < high {
            let middle = low + (high - low) / 2;
            if self.is_blank(middle) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        low * self.entry_bytes as u64
    }

    fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.file.read_at(position, buffer)
    }

    fn view(&self, position: u64, len: usize) -> io::Result<Bytes> {
        self.file.view(position, len)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync()
    }
}
