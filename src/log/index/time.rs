//! The time index (`.timeindex`).
//!
//! ```text
//!   0  int64  the largest timestamp in the segment so far
//!   8  int32  last offset of the batch that carries it − base offset of the segment
//! ```
//!
//! Timestamps strictly increase, offsets do not decrease. Once a segment is closed, its last entry has the largest
//! timestamp of all.

use super::Entry;

/// An entry of the time index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeEntry {
    /// The largest timestamp up to here, in milliseconds.
    pub(crate) timestamp: i64,
    /// The last offset of the batch with that timestamp, relative to the segment's base offset.
    pub(crate) relative_offset: u32,
}

impl TimeEntry {
    pub(crate) fn encode(&self) -> [u8; 12] {
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&self.timestamp.to_be_bytes());
        bytes[8..].copy_from_slice(&self.relative_offset.to_be_bytes());
        bytes
    }
}

impl Entry for TimeEntry {
    const BYTES: usize = 12;

    fn decode(bytes: &[u8]) -> Self {
        let (timestamp, offset) = bytes.split_at(8);
        Self {
            timestamp: i64::from_be_bytes(timestamp.try_into().expect("8 of 12 bytes")),
            relative_offset: u32::from_be_bytes(offset.try_into().expect("4 of 12 bytes")),
        }
    }
}
