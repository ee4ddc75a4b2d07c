//! Walks the batches of a segment, header by header, and finds the way again after damage.
//!
//! A walk trusts no header that does not fit its neighbours: its length must end within the file, and its offsets
//! must follow those before and come before those after. What does not fit is damage, and damage is local: the walk
//! can be taken up at the next batch whose CRC proves it ([`resync`]).

use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::Bytes;

use super::file_name::LOG;
use super::segment::{Segment, SegmentEnd};
use crate::error::{Corruption, Error, Result};
use crate::io::StorageFile;
use crate::record::{BATCH_HEADER_BYTES, BatchHeader, BatchRef, LOG_OVERHEAD};
use crate::types::Offset;

/// How much is looked at in one go. A batch that is larger is looked at whole.
const WINDOW_BYTES: u64 = 1 << 20;

/// The batches of a segment from a position on. Ends after an error.
#[derive(Debug)]
pub(super) struct BatchScan<'a> {
    segment: &'a Segment,
    file: Arc<dyn StorageFile>,
    position: u64,
    end: SegmentEnd,
    /// The lowest offset that can come next.
    expected: Offset,
    window: Bytes,
    window_position: u64,
    failed: bool,
}

/// A batch that a walk came by. Its header fits in; its CRC has not been looked at.
#[derive(Debug)]
pub(super) struct ScannedBatch {
    pub(super) position: u64,
    pub(super) header: BatchHeader,
}

impl<'a> BatchScan<'a> {
    pub(super) fn new(segment: &'a Segment, position: u64, end: SegmentEnd, expected: Offset) -> Result<Self> {
        let file = segment.files()?.log.clone();
        let (window, window_position) = (Bytes::new(), 0);
        Ok(Self { segment, file, position, end, expected, window, window_position, failed: false })
    }

    /// Where the next batch starts.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// The lowest offset that the next batch can have.
    pub(super) fn expected(&self) -> Offset {
        self.expected
    }

    /// Goes on at `position`, where a batch begins whose offsets are not below `expected`.
    pub(super) fn resume(&mut self, position: u64, expected: Offset) {
        (self.position, self.expected, self.failed) = (position, expected, false);
    }

    /// The bytes of a batch, with its CRC not yet looked at.
    pub(super) fn bytes(&mut self, batch: &ScannedBatch) -> Result<Bytes> {
        let start = self.look(batch.position, batch.header.size() as u64)?;
        Ok(self.window.slice(start..start + batch.header.size()))
    }

    /// Brings `position .. position + len` into the window and returns where in it that starts.
    fn look(&mut self, position: u64, len: u64) -> Result<usize> {
        let window = self.window_position..self.window_position + self.window.len() as u64;
        if position < window.start || position + len > window.end {
            let wanted = len.max(WINDOW_BYTES).min(self.end.size - position);
            self.window = self
                .file
                .view(position, wanted as usize)
                .map_err(|error| Error::io("read", self.segment.path(LOG), error))?;
            self.window_position = position;
        }
        Ok((position - self.window_position) as usize)
    }

    fn header_at(&mut self, position: u64) -> Result<BatchHeader> {
        let len = (self.end.size - position).min(BATCH_HEADER_BYTES as u64);
        let start = self.look(position, len)?;
        let header = BatchHeader::parse(&self.window[start..])
            .map_err(|error| error.in_file(&self.segment.path(LOG), position))?;
        let available = self.end.size - position;
        if header.size() as u64 > available {
            let reason = Corruption::Truncated { needed: header.size() as u64, available };
            return Err(self.corrupt(position, reason));
        }
        Ok(header)
    }

    fn corrupt(&self, position: u64, reason: Corruption) -> Error {
        Error::corrupt(0, reason).in_file(&self.segment.path(LOG), position)
    }

    fn advance(&mut self) -> Result<ScannedBatch> {
        let position = self.position;
        let header = self.header_at(position)?;
        let gap = header.base_offset - self.expected;
        if gap < 0 || header.next_offset() - self.segment.base_offset() > Offset::from(u32::MAX) {
            let reason = Corruption::OffsetOrder { expected: self.expected, found: header.base_offset };
            return Err(self.corrupt(position, reason));
        }
        // Offsets that compaction left out are fine; a base offset that runs into what follows is a damaged one, for
        // no checksum covers it.
        if gap > 0 && position > 0 && header.next_offset() > self.offset_after(position + header.size() as u64) {
            let reason = Corruption::OffsetOrder { expected: self.expected, found: header.base_offset };
            return Err(self.corrupt(position, reason));
        }
        self.position += header.size() as u64;
        self.expected = header.next_offset();
        Ok(ScannedBatch { position, header })
    }

    /// The offset that everything before `position` must stay below.
    fn offset_after(&mut self, position: u64) -> Offset {
        if position >= self.end.size {
            return self.end.next_offset;
        }
        self.header_at(position).map_or(self.end.next_offset, |header| header.base_offset)
    }
}

impl Iterator for BatchScan<'_> {
    type Item = Result<ScannedBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed || self.position >= self.end.size {
            return None;
        }
        let result = self.advance();
        self.failed = result.is_err();
        Some(result)
    }
}

/// Looks for the first batch after `position`, which is damaged, that proves itself by its CRC and whose offsets lie
/// between `expected` and the segment's end. Returns where it starts and its base offset.
pub(super) fn resync(
    segment: &Segment,
    position: u64,
    end: SegmentEnd,
    expected: Offset,
) -> Result<Option<(u64, Offset)>> {
    let file = segment.files()?.log.clone();
    let len = (end.size - position) as usize;
    let bytes = file.view(position, len).map_err(|error| Error::io("read", segment.path(LOG), error))?;
    // The damaged batch itself may be whole but for a base offset that does not fit in: skip over its start.
    for start in 1..bytes.len().saturating_sub(BATCH_HEADER_BYTES) {
        const MAGIC_POSITION: usize = 16;
        if bytes[start + MAGIC_POSITION] != 2 {
            continue;
        }
        let Ok(header) = BatchHeader::parse(&bytes[start..]) else { continue };
        if header.base_offset >= expected
            && header.next_offset() <= end.next_offset
            && BatchRef::parse(&bytes[start..]).is_ok()
        {
            return Ok(Some((position + start as u64, header.base_offset)));
        }
    }
    Ok(None)
}

/// The offsets that damage at `position` makes unreadable: from `expected` to before the next batch that can be read.
pub(super) fn damaged_offsets(
    segment: &Segment,
    position: u64,
    end: SegmentEnd,
    expected: Offset,
) -> Result<RangeInclusive<Offset>> {
    let next = resync(segment, position, end, expected)?.map_or(end.next_offset, |(_, base_offset)| base_offset);
    Ok(expected..=(next - 1).max(expected))
}

const _: () = assert!(LOG_OVERHEAD < BATCH_HEADER_BYTES);
