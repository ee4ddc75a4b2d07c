//! The transaction index (`.txnindex`): the aborted transactions whose markers are in the segment.
//!
//! ```text
//!   0  int16  version = 0
//!   2  int64  producer id
//!  10  int64  first offset of the transaction
//!  18  int64  last offset: where the ABORT marker is
//!  26  int64  last stable offset once it had ended
//! ```
//!
//! Last offsets strictly increase. A segment without an aborted transaction has no such file. Unlike the other indexes
//! this one can't be left out: nothing else tells a reader early enough that a transaction is going to be void.

use super::Entry;
use crate::error::{Error, Result};
use crate::io::StorageFile;
use crate::types::{Offset, ProducerId};

/// A transaction that was aborted, as readers of a part of its log need to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AbortedTransaction {
    /// Whose it was.
    pub producer_id: ProducerId,
    /// The offset of its first record.
    pub first_offset: Offset,
    /// The offset of its ABORT marker: what the producer wrote before that, from the first offset on, is void.
    pub last_offset: Offset,
}

/// An entry of the transaction index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TransactionEntry {
    pub(crate) version: i16,
    pub(crate) aborted: AbortedTransaction,
    pub(crate) last_stable_offset: Offset,
}

impl TransactionEntry {
    pub(crate) fn encode(&self) -> [u8; Self::BYTES] {
        let fields =
            [self.aborted.producer_id, self.aborted.first_offset, self.aborted.last_offset, self.last_stable_offset];
        let mut bytes = [0; Self::BYTES];
        let (version, rest) = bytes.split_at_mut(2);
        version.copy_from_slice(&self.version.to_be_bytes());
        for (room, field) in rest.chunks_exact_mut(8).zip(fields) {
            room.copy_from_slice(&field.to_be_bytes());
        }
        bytes
    }
}

impl Entry for TransactionEntry {
    const BYTES: usize = 34;

    fn decode(bytes: &[u8]) -> Self {
        let field = |at: usize| i64::from_be_bytes(bytes[at..at + 8].try_into().expect("8 of 34 bytes"));
        Self {
            version: i16::from_be_bytes(bytes[..2].try_into().expect("2 of 34 bytes")),
            aborted: AbortedTransaction { producer_id: field(2), first_offset: field(10), last_offset: field(18) },
            last_stable_offset: field(26),
        }
    }
}

/// Whether an index could be that of a segment from `base_offset` up to `next_base`: whole entries in order.
pub(crate) fn is_sane(index: &[u8], base_offset: Offset, next_base: Offset) -> bool {
    let mut least = base_offset;
    index.len().is_multiple_of(TransactionEntry::BYTES)
        && index.chunks_exact(TransactionEntry::BYTES).map(TransactionEntry::decode).all(|entry| {
            let at = entry.aborted.last_offset;
            // Readers who look for more stop at an entry whose last stable offset is beyond what they read.
            let is_stable = entry.last_stable_offset <= at.saturating_add(1);
            let is_sane =
                entry.version == 0 && (least..next_base).contains(&at) && entry.aborted.first_offset < at && is_stable;
            least = at.saturating_add(1);
            is_sane
        })
}

/// Whether an index has every transaction that was `aborted` in its segment.
pub(crate) fn has_all(index: &[u8], aborted: &[TransactionEntry]) -> bool {
    let entries = || index.chunks_exact(TransactionEntry::BYTES).map(TransactionEntry::decode);
    aborted.iter().all(|one| entries().any(|known| known.aborted == one.aborted))
}

/// Adds to `found` the entries of transactions that have records in `from..upper`. True if no later segment can have
/// more.
pub(crate) fn collect(
    index: &dyn StorageFile,
    from: Offset,
    upper: Offset,
    found: &mut Vec<TransactionEntry>,
    failed: impl Fn(std::io::Error) -> Error,
) -> Result<bool> {
    for slot in 0..super::entry_count::<TransactionEntry>(index) {
        let entry: TransactionEntry = super::entry(index, slot).map_err(&failed)?;
        if entry.aborted.last_offset >= from && entry.aborted.first_offset < upper {
            found.push(entry);
        }
        if entry.last_stable_offset >= upper {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: TransactionEntry = TransactionEntry {
        version: 0,
        aborted: AbortedTransaction { producer_id: 4000, first_offset: 2, last_offset: 4 },
        last_stable_offset: 5,
    };

    #[test]
    fn an_entry_is_kafkas_bytes() {
        let bytes = ENTRY.encode();
        assert_eq!(bytes[..10], [0, 0, 0, 0, 0, 0, 0, 0, 0x0f, 0xa0]);
        assert_eq!((bytes[17], bytes[25], bytes[33]), (2, 4, 5));
        assert_eq!(TransactionEntry::decode(&bytes), ENTRY);
    }

    #[test]
    fn an_index_of_another_segment_or_out_of_order_is_told() {
        let bytes = ENTRY.encode();
        assert!(is_sane(&[], 0, 8) && is_sane(&bytes, 0, 8) && is_sane(&bytes, 4, 5));
        assert!(!is_sane(&bytes[..33], 0, 8) && !is_sane(&bytes, 5, 8) && !is_sane(&bytes, 0, 4));
        assert!(!is_sane(&[bytes, bytes].concat(), 0, 8));
        assert!(!is_sane(&TransactionEntry { version: 1, ..ENTRY }.encode(), 0, 8));
        assert!(!is_sane(&TransactionEntry { last_stable_offset: 6, ..ENTRY }.encode(), 0, 8));
        let aborted = AbortedTransaction { last_offset: Offset::MAX, ..ENTRY.aborted };
        assert!(!is_sane(&TransactionEntry { aborted, ..ENTRY }.encode(), 0, 8));
    }
}
