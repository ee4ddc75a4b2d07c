//! The producers in a snapshot: what a log knew of them from everything below the offset in its name.
//!
//! ```text
//!   .snapshot   version 2 | CRC-32C of all that follows 4 | number of entries 4 | entries of 46 bytes
//! ```

use std::fs;
use std::path::Path;

use super::Dump;
use super::json::{LastBatch, Object, Producer};
use crate::failure::{Failure, Result};

const VERSION: i16 = 1;
const CRC_POSITION: usize = 2;
const CRC_START: usize = 6;
const HEADER_BYTES: usize = 10;
const ENTRY_BYTES: usize = 46;

impl Dump<'_> {
    pub(super) fn snapshot(&mut self, path: &Path) -> Result {
        let bytes = fs::read(path).map_err(|error| Failure::cannot_read(path, error))?;
        self.print(format_args!("Dumping {}", path.display()))?;
        let Some((header, entries)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
            return self.damage(0, format_args!("{} bytes are no snapshot", bytes.len()));
        };
        let [v0, v1, crc @ .., a, b, c, d] = *header;
        let (version, count) = (i16::from_be_bytes([v0, v1]), i32::from_be_bytes([a, b, c, d]));
        if version != VERSION {
            return self.damage(0, format_args!("a snapshot of version {version}"));
        }
        let (stored, computed) = (u32::from_be_bytes(crc), crc32c::crc32c(&bytes[CRC_START..]));
        if stored != computed {
            let reason = format_args!("the CRC is {stored:#010x} and should be {computed:#010x}");
            self.damage(CRC_POSITION as u64, reason)?;
        }
        let (entries, rest) = entries.as_chunks::<ENTRY_BYTES>();
        for (index, entry) in entries.iter().enumerate() {
            let producer = Producer::new((HEADER_BYTES + index * ENTRY_BYTES) as u64, entry);
            let line = line(&producer);
            self.show(Object::Producer(producer), format_args!("{line}"))?;
        }
        if i32::try_from(entries.len()) != Ok(count) || !rest.is_empty() {
            let bytes = bytes.len() - HEADER_BYTES;
            self.damage(CRC_START as u64, format_args!("{bytes} bytes are not {count} entries"))?;
        }
        Ok(())
    }
}

impl Producer {
    fn new(position: u64, entry: &[u8; ENTRY_BYTES]) -> Self {
        let (last_offset, offset_delta) = (i64::from_be_bytes(field(entry, 14)), i32::from_be_bytes(field(entry, 22)));
        let (last_sequence, timestamp) = (i32::from_be_bytes(field(entry, 10)), i64::from_be_bytes(field(entry, 26)));
        let last_batch = LastBatch {
            // After 2147483647 comes 0.
            first_sequence: last_sequence.wrapping_sub(offset_delta) & i32::MAX,
            last_sequence,
            last_offset,
            offset_delta,
            timestamp,
        };
        Self {
            position,
            producer_id: i64::from_be_bytes(field(entry, 0)),
            producer_epoch: i16::from_be_bytes(field(entry, 8)),
            coordinator_epoch: i32::from_be_bytes(field(entry, 34)),
            current_transaction_first_offset: Some(i64::from_be_bytes(field(entry, 38))).filter(|first| *first >= 0),
            last_timestamp: timestamp,
            last_batch: Some(last_batch).filter(|last| last.last_offset >= 0),
        }
    }
}

/// The `SIZE` bytes at `at`.
fn field<const SIZE: usize>(entry: &[u8; ENTRY_BYTES], at: usize) -> [u8; SIZE] {
    entry[at..at + SIZE].try_into().expect("an entry is as long")
}

fn line(producer: &Producer) -> String {
    let first = producer.current_transaction_first_offset;
    let current = first.map_or_else(|| "OptionalLong.empty".to_owned(), |first| format!("OptionalLong[{first}]"));
    let last = producer.last_batch.as_ref().map_or_else(String::new, |last| {
        format!(
            "firstSequence: {} lastSequence: {} lastOffset: {} offsetDelta: {} timestamp: {}",
            last.first_sequence, last.last_sequence, last.last_offset, last.offset_delta, last.timestamp
        )
    });
    format!(
        "producerId: {} producerEpoch: {} coordinatorEpoch: {} currentTxnFirstOffset: {current} lastTimestamp: {} {last}",
        producer.producer_id, producer.producer_epoch, producer.coordinator_epoch, producer.last_timestamp
    )
}
