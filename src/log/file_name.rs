//! The names of a partition's files, formed and parsed in this one place.
//!
//! ```text
//!   00000000000000000042.log         batches from offset 42 on
//!   00000000000000000042.index       offset index
//!   00000000000000000042.timeindex   time index
//!   00000000000000000042.txnindex    aborted transactions, if there are any
//!   00000000000000000042.snapshot    what is known of the producers from everything below offset 42
//!   00000000000000000042.log.deleted a segment on its way out
//!   00000000000000000042.log.cleaned a compacted segment that is being written
//!   00000000000000000042.log.swap    one that is complete, and takes the place of those that it was made of
//!   00000000000000000042.log.481.cut bytes that recovery or a repair took out at position 481 and kept
//!   sync-failed                      a note to the next open
//! ```
//!
//! Kafka passes over names that it does not know, so these last two do not disturb it.

use crate::types::Offset;

pub(crate) const LOG: &str = ".log";
pub(crate) const OFFSET_INDEX: &str = ".index";
pub(crate) const TIME_INDEX: &str = ".timeindex";
pub(crate) const TRANSACTION_INDEX: &str = ".txnindex";
pub(crate) const SNAPSHOT: &str = ".snapshot";
/// The suffixes of a segment's files. The log comes last: while it is there, the segment is.
pub(crate) const SEGMENT_SUFFIXES: [&str; 5] = [OFFSET_INDEX, TIME_INDEX, TRANSACTION_INDEX, SNAPSHOT, LOG];
/// The suffixes of the indexes that compaction writes.
pub(crate) const INDEX_SUFFIXES: [&str; 3] = [OFFSET_INDEX, TIME_INDEX, TRANSACTION_INDEX];
pub(crate) const CLEANED: &str = ".cleaned";
pub(crate) const SWAP: &str = ".swap";
pub(crate) const DELETED: &str = ".deleted";
pub(crate) const CUT: &str = ".cut";
pub(crate) const TEMPORARY: &str = ".tmp";

/// An empty file that says that a sync failed.
pub(crate) const SYNC_FAILED: &str = "sync-failed";

pub(crate) const LEADER_EPOCH_CHECKPOINT: &str = "leader-epoch-checkpoint";
pub(crate) const PARTITION_METADATA: &str = "partition.metadata";

/// The highest offset that a name or a checkpoint may speak of, so that no segment that begins there ends beyond what
/// an offset can be.
pub(crate) const OFFSET_MAX: Offset = Offset::MAX - 2 * (u32::MAX as Offset);

/// The name of the file with `suffix` of the segment that starts at `base_offset`.
pub(crate) fn segment_file(base_offset: Offset, suffix: &str) -> String {
    format!("{base_offset:020}{suffix}")
}

/// The base offset in the name of a file with exactly this suffix.
pub(crate) fn parse_base_offset(name: &str, suffix: &str) -> Option<Offset> {
    let digits = name.strip_suffix(suffix)?;
    if digits.len() != 20 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().filter(|base_offset| *base_offset <= OFFSET_MAX)
}

/// The base offset and the suffix in the name of a log or of an index.
pub(crate) fn parse_segment_file(name: &str) -> Option<(Offset, &'static str)> {
    let suffixes = [LOG].into_iter().chain(INDEX_SUFFIXES);
    suffixes.filter_map(|suffix| Some((parse_base_offset(name, suffix)?, suffix))).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_twenty_digits_and_parse_back() {
        assert_eq!(segment_file(42, LOG), "00000000000000000042.log");
        assert_eq!(parse_base_offset("00000000000000000042.log", LOG), Some(42));
        assert_eq!(parse_base_offset("00000000000000000042.log.deleted", LOG), None);
        assert_eq!(parse_base_offset("42.log", LOG), None);
        assert_eq!(parse_base_offset("+0000000000000000042.log", LOG), None);
        assert_eq!(parse_base_offset("99999999999999999999.log", LOG), None, "beyond an i64");
        assert_eq!(parse_base_offset("09223372036854775807.log", LOG), None, "nothing could come after it");
    }
}
