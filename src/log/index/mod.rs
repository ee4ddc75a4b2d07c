//! The sparse indexes of a segment: from an offset to a position ([`offset`]), from a timestamp to an offset
//! ([`time`]).
//!
//! Both are arrays of fixed-size entries without a header, appended to as the segment grows. An index is derived from
//! its log and can be rebuilt from it at any time; it is never evidence. So whoever follows an entry checks that what
//! it points at is what it says, and falls back to the log itself; and an entry that can't be written is left out.

pub(super) mod growing;
pub(super) mod offset;
pub(super) mod time;
pub(super) mod transaction;

use std::io;

use crate::io::StorageFile;

/// The entries of an index file: fixed-size, big-endian, in ascending order.
pub(super) trait Entry: Sized {
    /// The size of an entry in bytes.
    const BYTES: usize;
    /// The entry in `bytes`, which are exactly as many.
    fn decode(bytes: &[u8]) -> Self;
}

/// How many whole entries `file` holds.
pub(super) fn entry_count<E: Entry>(file: &dyn StorageFile) -> u64 {
    file.len() / E::BYTES as u64
}

/// Entry number `slot`, from 0.
pub(super) fn entry<E: Entry>(file: &dyn StorageFile, slot: u64) -> io::Result<E> {
    let mut buffer = [0; 16];
    let buffer = &mut buffer[..E::BYTES];
    file.read_at(slot * E::BYTES as u64, buffer)?;
    Ok(E::decode(buffer))
}

/// The last entry for which `is_at_or_below` holds, given that it holds for some first entries and no later ones.
pub(super) fn last_at_or_below<E: Entry>(
    file: &dyn StorageFile,
    is_at_or_below: impl Fn(&E) -> bool,
) -> io::Result<Option<E>> {
    let (mut low, mut high) = (0, entry_count::<E>(file));
    let mut found = None;
    while low < high {
        let middle = low + (high - low) / 2;
        let candidate = entry::<E>(file, middle)?;
        if is_at_or_below(&candidate) {
            found = Some(candidate);
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(found)
}

/// The last entry, if there is one.
pub(super) fn last<E: Entry>(file: &dyn StorageFile) -> io::Result<Option<E>> {
    match entry_count::<E>(file) {
        0 => Ok(None),
        count => entry(file, count - 1).map(Some),
    }
}
