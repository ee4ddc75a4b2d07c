//! Which part of a log can be compacted, and whether that is worth it: Kafka's `LogCleanerManager`, as arithmetic.
//!
//! ```text
//!   log start          first dirty             first uncleanable      active segment
//!   | clean: a key is   | dirty: compacted next | too young, or in a    |
//!   | there once        |                       | transaction           |
//! ```

use crate::config::LogConfig;
use crate::types::Offset;

/// A closed segment, as far as the choice depends on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SegmentFacts {
    pub(crate) base_offset: Offset,
    pub(crate) bytes: u64,
    /// Of all of its batches; None if nobody needs to know.
    pub(crate) largest_timestamp: Option<i64>,
    /// Of its first batch; None if it has none, or nobody needs to know.
    pub(crate) first_timestamp: Option<i64>,
}

/// What compaction would find in a log.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cleanable {
    /// Where the part begins that no pass has gone through.
    pub(crate) first_dirty: Offset,
    /// The base offset of the first segment that must not be compacted yet.
    pub(crate) first_uncleanable: Offset,
    pub(crate) clean_bytes: u64,
    /// The size of what lies between the two, in bytes.
    pub(crate) cleanable_bytes: u64,
    /// Something in it is older than `max.compaction.lag.ms`.
    pub(crate) is_overdue: bool,
}

impl Cleanable {
    /// The share of the log that is dirty and can be compacted.
    pub(crate) fn dirty_ratio(&self) -> f64 {
        match self.clean_bytes + self.cleanable_bytes {
            0 => 0.0,
            total => self.cleanable_bytes as f64 / total as f64,
        }
    }

    /// Whether it is worth a pass.
    pub(crate) fn is_eligible(&self, min_cleanable_dirty_ratio: f64) -> bool {
        self.dirty_ratio() > min_cleanable_dirty_ratio || (self.is_overdue && self.cleanable_bytes > 0)
    }
}

/// Where the dirty part begins by the checkpoint, put right if it says something that can't be: a log that was cut, or
/// that lost its beginning, is dirty from its start.
pub(crate) fn first_dirty(checkpointed: Option<Offset>, log_start: Offset, log_end: Offset) -> Offset {
    checkpointed.filter(|offset| (log_start..=log_end).contains(offset)).unwrap_or(log_start)
}

/// What can be compacted of a log with these closed segments, from `first_dirty` on and below `limit`, which is where
/// the active segment begins or the first open transaction, or from where on not all is on the device.
pub(crate) fn cleanable(
    segments: &[SegmentFacts],
    active_base: Offset,
    first_dirty: Offset,
    limit: Offset,
    config: &LogConfig,
    now_ms: i64,
) -> Cleanable {
    let ends = segments.iter().skip(1).map(|next| next.base_offset).chain([active_base]);
    let is_dirty = |(_, end): &(&SegmentFacts, Offset)| *end > first_dirty;
    let dirty: Vec<&SegmentFacts> = segments.iter().zip(ends).filter(is_dirty).map(|(segment, _)| segment).collect();
    let young_from = now_ms.saturating_sub(config.min_compaction_lag_ms);
    let is_young = |segment: &&&SegmentFacts| segment.largest_timestamp.is_some_and(|largest| largest > young_from);
    let first_young = match config.min_compaction_lag_ms {
        0 => None,
        _ => dirty.iter().find(is_young).map(|segment| segment.base_offset),
    };
    let uncleanable = active_base.min(limit).min(first_young.unwrap_or(Offset::MAX)).max(first_dirty);
    // A segment is compacted whole or not at all.
    let bases = segments.iter().map(|segment| segment.base_offset).chain([active_base]);
    let first_uncleanable = bases.take_while(|base| *base <= uncleanable).last().unwrap_or(active_base);
    let bytes = |from: Offset, to: Offset| -> u64 {
        let within = segments.iter().filter(|segment| (from..to).contains(&segment.base_offset));
        within.map(|segment| segment.bytes).sum()
    };
    // The segment that the dirty part begins in is dirty.
    let dirty_base = dirty.first().map_or(first_dirty, |segment| segment.base_offset);
    let overdue_before = now_ms.saturating_sub(config.max_compaction_lag_ms);
    let firsts = dirty.iter().filter_map(|segment| segment.first_timestamp).filter(|timestamp| *timestamp > 0);
    Cleanable {
        first_dirty,
        first_uncleanable,
        clean_bytes: bytes(Offset::MIN, dirty_base),
        cleanable_bytes: bytes(dirty_base, first_uncleanable),
        is_overdue: firsts.min().is_some_and(|earliest| earliest < overdue_before),
    }
}
