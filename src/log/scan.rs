//! Walks the batches of a segment, header by header, and finds the way again after damage.
//!
//! A walk trusts no header that does not fit its neighbours: its offsets must follow those before, and the next batch
//! must begin where it ends and go on with the next offset. One that does not, perhaps because compaction left gaps,
//! has to prove itself by its CRC. What does not is damage, and damage is local: the walk can be taken up at the next
//! batch whose CRC proves it ([`resync`]).

use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::Bytes;

use super::file_name::LOG;
use super::segment::{Segment, SegmentEnd};
use crate::error::{Corruption, Error, Result};
use crate::io::StorageFile;
use crate::record::{BATCH_HEADER_BYTES, BatchHeader, BatchRef};
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
    /// The header at `position`, if it has been looked at.
    ahead: Option<BatchHeader>,
    /// False only where a test plants that bug.
    checks_crc: bool,
    window: Bytes,
    window_position: u64,
    failed: bool,
}

/// A batch that a walk came by. Its offsets and its size are right; what is inside has not been looked at.
#[derive(Debug)]
pub(super) struct ScannedBatch {
    pub(super) position: u64,
    pub(super) header: BatchHeader,
}

impl<'a> BatchScan<'a> {
    pub(super) fn new(segment: &'a Segment, position: u64, end: SegmentEnd, expected: Offset) -> Result<Self> {
        let file = segment.files()?.log.clone();
        let (window, window_position) = (Bytes::new(), 0);
        Ok(Self {
            segment,
            file,
            position,
            end,
            expected,
            ahead: None,
            checks_crc: true,
            window,
            window_position,
            failed: false,
        })
    }

    /// Takes every batch for whole, if that is the bug to plant.
    pub(super) fn checking_crc(self, checks_crc: bool) -> Self {
        Self { checks_crc, ..self }
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
        (self.position, self.expected, self.ahead, self.failed) = (position, expected, None, false);
    }

    /// Goes on at the next batch that proves itself, after an error about damage. False if there is none.
    pub(super) fn skip_damage(&mut self) -> Result<bool> {
        let found = resync(self.segment, self.position, self.end, self.expected)?;
        if let Some((position, base_offset)) = found {
            self.resume(position, base_offset);
        }
        Ok(found.is_some())
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
        let (position, expected) = (self.position, self.expected);
        let header = match self.ahead.take() {
            Some(header) => header,
            None => self.header_at(position)?,
        };
        let found = header.base_offset;
        let next_offset = header.next_offset();
        let spans_too_much = next_offset - self.segment.base_offset() > Offset::from(u32::MAX);
        if found < expected || next_offset > self.end.next_offset || spans_too_much {
            return Err(self.corrupt(position, Corruption::OffsetOrder { expected, found }));
        }
        let batch = ScannedBatch { position, header };
        let after = position + batch.header.size() as u64;
        self.ahead = match after < self.end.size {
            true => self.header_at(after).map(Some).or_else(|error| match error {
                Error::CorruptRecord { .. } => Ok(None),
                error => Err(error),
            })?,
            false => None,
        };
        let following = match &self.ahead {
            Some(ahead) => ahead.base_offset,
            None => self.end.next_offset,
        };
        if found != expected || following != next_offset {
            self.confirm(&batch, following)?;
        }
        (self.position, self.expected) = (after, next_offset);
        Ok(batch)
    }

    /// Looks closer at a batch that does not fit tightly between its neighbours.
    #[cold]
    fn confirm(&mut self, batch: &ScannedBatch, following: Offset) -> Result<()> {
        let bytes = self.bytes(batch)?;
        let parsed = if self.checks_crc { BatchRef::parse(&bytes).map(drop) } else { Ok(()) };
        parsed.map_err(|error| error.in_file(&self.segment.path(LOG), batch.position))?;
        // No checksum covers the base offset: one that leaves a gap before it and none after it is a damaged one.
        let (expected, found) = (self.expected, batch.header.base_offset);
        if found > expected && batch.header.next_offset() > following {
            return Err(self.corrupt(batch.position, Corruption::OffsetOrder { expected, found }));
        }
        Ok(())
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
    let found =
        next_batch(&bytes, 1, |header| header.base_offset >= expected && header.next_offset() <= end.next_offset);
    Ok(found.map(|(start, header)| (position + start as u64, header.base_offset)))
}

/// The first batch in `bytes` from `start` on that proves itself by its CRC and is one that is looked for.
fn next_batch(bytes: &[u8], start: usize, is_wanted: impl Fn(&BatchHeader) -> bool) -> Option<(usize, BatchHeader)> {
    const MAGIC_POSITION: usize = 16;
    (start..(bytes.len() + 1).saturating_sub(BATCH_HEADER_BYTES))
        .filter(|start| bytes[start + MAGIC_POSITION] == 2)
        .filter_map(|start| Some((start, BatchHeader::parse(&bytes[start..]).ok()?)))
        .find(|(start, header)| is_wanted(header) && BatchRef::parse(&bytes[*start..]).is_ok())
}

/// Where in `bytes` the last batch ends that proves itself by its CRC; 0 if there is none.
pub(super) fn last_batch_end(bytes: &[u8]) -> usize {
    let mut end = 0;
    while let Some((start, header)) = next_batch(bytes, end, |_| true) {
        end = start + header.size();
    }
    end
}

/// The offsets that damage makes unreadable: from `expected` to before the next batch that can be read, as
/// [`resync`] found it.
pub(super) fn damaged_offsets(
    expected: Offset,
    found: Option<(u64, Offset)>,
    end: SegmentEnd,
) -> RangeInclusive<Offset> {
    let next = found.map_or(end.next_offset, |(_, base_offset)| base_offset);
    expected..=(next - 1).max(expected)
}
