//! The offset index (`.index`).
//!
//! ```text
//!   0  int32  offset − base offset of the segment
//!   4  int32  position in the .log
//! ```
//!
//! An entry says: the append that ended at this offset starts at this position. Offsets strictly increase.

use super::Entry;

/// An entry of the offset index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OffsetEntry {
    /// The last offset of the append, relative to the segment's base offset.
    pub(crate) relative_offset: u32,
    /// Where the append starts in the log file.
    pub(crate) position: u32,
}

impl Entry for OffsetEntry {
    const BYTES: usize = 8;

    fn decode(bytes: &[u8]) -> Self {
        let (offset, position) = bytes.split_at(4);
        Self {
            relative_offset: u32::from_be_bytes(offset.try_into().expect("half of 8 bytes")),
            position: u32::from_be_bytes(position.try_into().expect("half of 8 bytes")),
        }
    }
}

impl OffsetEntry {
    pub(crate) fn encode(&self) -> [u8; 8] {
        ((u64::from(self.relative_offset) << 32) | u64::from(self.position)).to_be_bytes()
    }
}
