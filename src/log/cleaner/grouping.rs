//! Which neighbouring segments become one: segments shrink when they are compacted, and must not grow ever smaller.

use std::ops::Range;

use crate::types::Offset;

/// What there is to know of a segment that may be joined with others.
#[derive(Clone, Copy, Debug)]
pub(super) struct SegmentSize {
    pub(super) base_offset: Offset,
    pub(super) log_bytes: u64,
    pub(super) offset_index_bytes: u64,
    pub(super) time_index_bytes: u64,
}

/// How large a segment may become.
#[derive(Clone, Copy, Debug)]
pub(super) struct SizeLimits {
    pub(super) log_bytes: u64,
    /// Of each index.
    pub(super) index_bytes: u64,
}

/// Groups the segments in order, each with as many as fit, by their sizes before compaction. The offsets of a group
/// span no more than an index entry can hold; `end` is the offset after the last segment.
pub(super) fn group(segments: &[SegmentSize], limits: SizeLimits, end: Offset) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    let mut sum: Option<SegmentSize> = None;
    for (index, segment) in segments.iter().enumerate() {
        let next_base = segments.get(index + 1).map_or(end, |next| next.base_offset);
        let joined = sum.map(|sum| sum.joined_with(segment)).filter(|joined| joined.fits(limits, next_base));
        match (joined, groups.last_mut()) {
            (Some(joined), Some(group)) => {
                group.end = index + 1;
                sum = Some(joined);
            }
            _ => {
                groups.push(index..index + 1);
                sum = Some(*segment);
            }
        }
    }
    groups
}

impl SegmentSize {
    fn joined_with(self, next: &Self) -> Self {
        Self {
            base_offset: self.base_offset,
            log_bytes: self.log_bytes + next.log_bytes,
            offset_index_bytes: self.offset_index_bytes + next.offset_index_bytes,
            time_index_bytes: self.time_index_bytes + next.time_index_bytes,
        }
    }

    fn fits(&self, limits: SizeLimits, next_base: Offset) -> bool {
        self.log_bytes <= limits.log_bytes
            && self.offset_index_bytes <= limits.index_bytes
            && self.time_index_bytes <= limits.index_bytes
            && next_base - 1 - self.base_offset <= Offset::from(i32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: SizeLimits = SizeLimits { log_bytes: 100, index_bytes: 24 };

    fn segment(base_offset: Offset, log_bytes: u64, index_bytes: u64) -> SegmentSize {
        SegmentSize { base_offset, log_bytes, offset_index_bytes: index_bytes, time_index_bytes: index_bytes / 2 }
    }

    #[test]
    fn neighbours_are_joined_up_to_the_size_of_a_segment() {
        let segments = [40, 60, 10, 90, 200, 0, 1].map(|bytes| segment(0, bytes, 0));
        let segments: Vec<_> =
            segments.iter().zip(0..).map(|(segment, base_offset)| SegmentSize { base_offset, ..*segment }).collect();
        assert_eq!(group(&segments, LIMITS, 7), [0..2, 2..4, 4..5, 5..7]);
        assert!(group(&[], LIMITS, 0).is_empty());
    }

    #[test]
    fn indexes_and_offsets_bound_a_group_too() {
        let segments = [segment(0, 1, 16), segment(1, 1, 8), segment(2, 1, 8)];
        assert_eq!(group(&segments, LIMITS, 3), [0..2, 2..3]);

        let far = Offset::from(i32::MAX);
        let segments = [segment(0, 1, 0), segment(far, 1, 0)];
        assert_eq!(group(&segments, LIMITS, far + 1).first(), Some(&(0..2)));
        assert_eq!(group(&segments, LIMITS, far + 2), [0..1, 1..2]);
    }
}
