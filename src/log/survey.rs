//! What a log file holds, from its first byte to its last: whole batches, damage, and what is behind the last whole
//! one.
//!
//! Looking for damage and mending it both go by this walk, which is that of the loader and of readers: what is found
//! here is what they meet.

use std::ops::{Range, RangeInclusive};

use bytes::Bytes;

use super::scan::{BatchScan, resync};
use super::segment::Segment;
use crate::error::{Corruption, Error, Result};
use crate::record::{BatchHeader, BatchView};
use crate::types::Offset;

/// Something that a log file holds.
#[derive(Debug)]
pub(super) enum Found {
    /// A batch that is whole, and every record of which can be read.
    Whole(BatchHeader),
    /// Bytes that can't be read, and after them something that can.
    Damaged {
        /// Where what can be read begins.
        resumes_at: u64,
        /// The offsets that are missing between the two.
        offsets: Range<Offset>,
        /// What is wrong.
        error: Error,
    },
    /// Bytes after which no batch is whole.
    Tail {
        /// The offset that would come next.
        expected: Offset,
        /// What is wrong.
        error: Error,
    },
}

/// Shows `each` what is in the file of `segment`, up to its end, with the positions where that begins. Returns the
/// offset after the last one.
pub(super) fn survey(segment: &Segment, mut each: impl FnMut(u64, Found) -> Result<()>) -> Result<Offset> {
    let end = segment.end();
    let mut scan = BatchScan::new(segment, 0, end, segment.base_offset())?;
    loop {
        let (position, expected) = (scan.position(), scan.expected());
        match scan.next() {
            None => break,
            Some(Ok(batch)) => {
                let (header, bytes) = (batch.header, scan.bytes(&batch)?);
                let found = match decode(&bytes) {
                    Ok(()) => Found::Whole(header),
                    Err(error @ Error::CorruptRecord { .. }) => Found::Damaged {
                        resumes_at: scan.position(),
                        offsets: header.base_offset..header.next_offset(),
                        error,
                    },
                    Err(error) => return Err(error),
                };
                each(position, found)?;
            }
            Some(Err(error @ Error::CorruptRecord { .. })) => match resync(segment, position, end, expected)? {
                Some((resumes_at, base_offset)) => {
                    each(position, Found::Damaged { resumes_at, offsets: expected..base_offset, error })?;
                    scan.resume(resumes_at, base_offset);
                }
                None => {
                    each(position, Found::Tail { expected, error })?;
                    break;
                }
            },
            Some(Err(error)) => return Err(error),
        }
    }
    Ok(scan.expected())
}

/// Whether a batch is whole, and every record in it can be read and is where its batch says.
fn decode(bytes: &Bytes) -> Result<()> {
    let batch = BatchView::parse(bytes)?;
    let records = match batch.records() {
        // Its CRC is right; more can't be told in this build.
        Err(Error::UnsupportedCompressionType { .. }) => return Ok(()),
        records => records?,
    };
    let offsets: RangeInclusive<Offset> = batch.header().base_offset..=batch.header().last_offset();
    let mut expected = *offsets.start();
    for record in &records {
        let record = record?;
        if record.offset < expected || record.offset > *offsets.end() {
            let reason = Corruption::OffsetOrder { expected, found: record.offset };
            return Err(Error::corrupt(0, reason));
        }
        expected = record.offset + 1;
    }
    Ok(())
}
