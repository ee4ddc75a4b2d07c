//! What the targets share: batches whose header is sound, so that the fuzzer gets past it.

pub mod directory;
pub mod edit;
pub mod internal_topics;
pub mod session;

use bytes::Bytes;
use esker::record::{BATCH_HEADER_BYTES, EndTransactionMarker, RecordSet};

/// The most bytes that the targets let records become.
pub const LIMIT: usize = 1 << 20;

/// The base offset of the batches.
pub const BASE_OFFSET: i64 = 10;

/// The last offset delta of the batches.
pub const LAST_OFFSET_DELTA: i32 = 200;

/// A batch of these records as it lies in a log, with everything about it right that can be.
pub fn batch(attributes: u8, records_count: u8, records: &[u8]) -> Bytes {
    let records_count = i32::from(records_count).min(LAST_OFFSET_DELTA);
    batch_of(BASE_OFFSET, LAST_OFFSET_DELTA, attributes, records_count, -1, records)
}

/// The same as a producer sends it, or, for `producer_id` −1, one that is not idempotent.
pub fn produced_batch(attributes: u8, records_count: u8, producer_id: i64, records: &[u8]) -> Bytes {
    let records_count = i32::from(records_count);
    batch_of(0, records_count - 1, attributes, records_count, producer_id, records)
}

fn batch_of(
    base_offset: i64,
    last_offset_delta: i32,
    attributes: u8,
    records_count: i32,
    producer_id: i64,
    records: &[u8],
) -> Bytes {
    let mut bytes = vec![0; BATCH_HEADER_BYTES];
    bytes[..8].copy_from_slice(&base_offset.to_be_bytes());
    bytes[8..12].copy_from_slice(&(49 + records.len() as i32).to_be_bytes());
    bytes[16] = 2;
    bytes[22] = attributes;
    bytes[23..27].copy_from_slice(&last_offset_delta.to_be_bytes());
    bytes[43..51].copy_from_slice(&producer_id.to_be_bytes());
    // The epoch and the first sequence number, which begin at 0.
    bytes[51..57].fill(if producer_id < 0 { 0xff } else { 0 });
    bytes[57..61].copy_from_slice(&records_count.to_be_bytes());
    bytes.extend_from_slice(records);
    let crc = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    bytes.into()
}

/// Reads everything in a set of records and returns how many there are.
pub fn read(set: &RecordSet) -> usize {
    let mut count = 0;
    let mut last_offset = -1;
    for record in set.iter().flatten() {
        assert!(record.offset > last_offset, "offsets rise");
        last_offset = record.offset;
        assert_eq!(record.headers().count(), record.header_count());
        for part in [record.key, record.value].into_iter().flatten() {
            assert_eq!(set.slice_ref(part), part);
        }
        let _ = EndTransactionMarker::parse(&record);
        count += 1;
    }
    assert!(count <= set.records_count());
    count
}
