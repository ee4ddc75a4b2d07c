//! The header of a batch: 61 bytes, big-endian, never compressed.
//!
//! ```text
//!  at size field                    at size field
//!   0  8   base offset              27  8   base timestamp, or the delete horizon
//!   8  4   batch length (from 12)   35  8   max timestamp
//!  12  4   partition leader epoch   43  8   producer id
//!  16  1   magic = 2                51  2   producer epoch
//!  17  4   CRC-32C of all from 21   53  4   base sequence
//!  21  2   attributes               57  4   record count
//!  23  4   last offset delta        61      records
//! ```

use crate::error::{Corruption, Error, Result};
use crate::record::attributes::Attributes;
use crate::record::compression::Compression;
use crate::types::{LeaderEpoch, NO_PRODUCER_ID, Offset, ProducerId, TimestampType};

/// The size of a batch's header: the smallest batch there is.
pub const BATCH_HEADER_BYTES: usize = 61;

/// The size of what lies before the magic, and so outside of what a producer vouches for.
pub(crate) const BATCH_PREFIX_BYTES: usize = 16;

/// The bytes that the batch length does not count: base offset and the length itself.
pub const LOG_OVERHEAD: usize = 12;

/// Where the CRC stands.
pub(super) const CRC_POSITION: usize = 17;

/// Where the part that it covers begins.
pub(super) const CRC_START: usize = 21;

/// The format version. It stands at the same place in all versions.
const MAGIC: u8 = 2;

/// The smallest value that the length field can have.
const BATCH_LENGTH_MIN: i32 = (BATCH_HEADER_BYTES - LOG_OVERHEAD) as i32;

/// "No sequence": the batch comes from a producer that is not idempotent, or is a control batch.
const NO_SEQUENCE: i32 = -1;

/// The header of a batch.
///
/// [`parse`](Self::parse) accepts only values that can go together; the fields are public for those who build and
/// inspect headers.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// The offset of a record with offset delta 0. Compaction keeps it even if that record is gone.
    pub base_offset: Offset,
    /// How many bytes follow the length field.
    pub batch_length: i32,
    /// The tenure of leadership that appended the batch, −1 before that.
    pub partition_leader_epoch: LeaderEpoch,
    /// CRC-32C of everything from the attributes to the end of the batch.
    pub crc: u32,
    /// Codec, timestamp type and the other flags.
    pub attributes: Attributes,
    /// The last offset minus the base offset. Compaction keeps it even if the last record is gone.
    pub last_offset_delta: i32,
    /// The first record's timestamp, which the records' deltas count from; or the delete horizon.
    pub base_timestamp: i64,
    /// The greatest timestamp of the records; with log append time, the timestamp of all of them.
    pub max_timestamp: i64,
    /// The idempotent producer's id, −1 for a plain producer.
    pub producer_id: ProducerId,
    /// The idempotent producer's epoch, −1 for a plain producer.
    pub producer_epoch: i16,
    /// The sequence number of a record with offset delta 0, −1 if the batch has none.
    pub base_sequence: i32,
    /// How many records the batch holds: less than the offsets it spans once compaction took some.
    pub records_count: i32,
}

impl BatchHeader {
    /// Reads the header at the start of `bytes`, which may end where the header ends.
    ///
    /// Says nothing about the records: neither the CRC nor whether they are all there.
    ///
    /// # Errors
    ///
    /// `CorruptRecord` with, in the order of the checks, `Truncated`, `BatchLength`, `Magic` or `Offsets`.
    #[inline]
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let Some(raw) = bytes.first_chunk::<BATCH_HEADER_BYTES>() else {
            return Err(truncated(BATCH_HEADER_BYTES, bytes.len()));
        };
        let header = Self {
            base_offset: i64::from_be_bytes(field::<0, 8>(raw)),
            batch_length: i32::from_be_bytes(field::<8, 4>(raw)),
            partition_leader_epoch: i32::from_be_bytes(field::<12, 4>(raw)),
            crc: u32::from_be_bytes(field::<17, 4>(raw)),
            attributes: Attributes::from_bits(i16::from_be_bytes(field::<21, 2>(raw))),
            last_offset_delta: i32::from_be_bytes(field::<23, 4>(raw)),
            base_timestamp: i64::from_be_bytes(field::<27, 8>(raw)),
            max_timestamp: i64::from_be_bytes(field::<35, 8>(raw)),
            producer_id: i64::from_be_bytes(field::<43, 8>(raw)),
            producer_epoch: i16::from_be_bytes(field::<51, 2>(raw)),
            base_sequence: i32::from_be_bytes(field::<53, 4>(raw)),
            records_count: i32::from_be_bytes(field::<57, 4>(raw)),
        };
        if header.is_sound(raw[16]) { Ok(header) } else { Err(header.damage(raw[16])) }
    }

    #[inline]
    fn is_sound(&self, magic: u8) -> bool {
        self.batch_length >= BATCH_LENGTH_MIN && magic == MAGIC && self.offsets_agree()
    }

    /// Whether base offset, last offset delta and count can go together.
    #[inline]
    pub(super) fn offsets_agree(&self) -> bool {
        self.last_offset_delta >= 0
            && self.records_count >= 0
            && i64::from(self.records_count) <= i64::from(self.last_offset_delta) + 1
            && self.base_offset >= 0
            // The offset after the last one must be a number too: it is the next batch's, or the log's end.
            && self.base_offset < i64::MAX - i64::from(self.last_offset_delta)
    }

    #[cold]
    fn damage(&self, magic: u8) -> Error {
        if self.batch_length < BATCH_LENGTH_MIN {
            return Error::corrupt(8, Corruption::BatchLength(self.batch_length));
        }
        if magic != MAGIC {
            return Error::corrupt(16, Corruption::Magic(magic as i8));
        }
        let &Self { base_offset, last_offset_delta, records_count: records, .. } = self;
        Error::corrupt(0, Corruption::Offsets { base_offset, last_offset_delta, records })
    }

    /// What comes before the CRC and the magic: offset, length and leader epoch.
    #[inline]
    pub(crate) fn prefix(&self) -> [u8; BATCH_PREFIX_BYTES] {
        let length_and_epoch =
            (u64::from(self.batch_length as u32) << 32) | u64::from(self.partition_leader_epoch as u32);
        ((u128::from(self.base_offset as u64) << 64) | u128::from(length_and_epoch)).to_be_bytes()
    }

    /// The header as it stands in a batch.
    #[inline]
    pub fn to_bytes(&self) -> [u8; BATCH_HEADER_BYTES] {
        let mut raw = [0; BATCH_HEADER_BYTES];
        put::<0, 8>(&mut raw, self.base_offset.to_be_bytes());
        put::<8, 4>(&mut raw, self.batch_length.to_be_bytes());
        put::<12, 4>(&mut raw, self.partition_leader_epoch.to_be_bytes());
        put::<16, 1>(&mut raw, [MAGIC]);
        put::<17, 4>(&mut raw, self.crc.to_be_bytes());
        put::<21, 2>(&mut raw, self.attributes.bits().to_be_bytes());
        put::<23, 4>(&mut raw, self.last_offset_delta.to_be_bytes());
        put::<27, 8>(&mut raw, self.base_timestamp.to_be_bytes());
        put::<35, 8>(&mut raw, self.max_timestamp.to_be_bytes());
        put::<43, 8>(&mut raw, self.producer_id.to_be_bytes());
        put::<51, 2>(&mut raw, self.producer_epoch.to_be_bytes());
        put::<53, 4>(&mut raw, self.base_sequence.to_be_bytes());
        put::<57, 4>(&mut raw, self.records_count.to_be_bytes());
        raw
    }

    /// The size of the whole batch in bytes.
    #[inline]
    pub const fn size(&self) -> usize {
        // A header that was put together by hand can have a negative length: then the batch is empty, not huge.
        let length = if self.batch_length < 0 { 0 } else { self.batch_length as usize };
        length + LOG_OVERHEAD
    }

    /// The offset of the last record, or of the last that there was before compaction.
    #[inline]
    pub const fn last_offset(&self) -> Offset {
        self.base_offset.saturating_add(self.last_offset_delta as i64)
    }

    /// The offset after the last one.
    #[inline]
    pub const fn next_offset(&self) -> Offset {
        self.last_offset().saturating_add(1)
    }

    /// Whether an idempotent or transactional producer wrote the batch.
    #[inline]
    pub const fn has_producer_id(&self) -> bool {
        self.producer_id > NO_PRODUCER_ID
    }

    /// Whether the batch carries sequence numbers.
    #[inline]
    pub const fn has_sequence(&self) -> bool {
        self.base_sequence > NO_SEQUENCE
    }

    /// The sequence number of the last record, −1 if the batch has none. After 2147483647 comes 0.
    #[inline]
    pub const fn last_sequence(&self) -> i32 {
        if !self.has_sequence() {
            return NO_SEQUENCE;
        }
        self.base_sequence.wrapping_add(self.last_offset_delta) & i32::MAX
    }

    /// What the timestamps mean.
    #[inline]
    pub const fn timestamp_type(&self) -> TimestampType {
        self.attributes.timestamp_type()
    }

    /// From when on compaction may drop the batch's tombstones, in milliseconds; `None` before a first pass has kept
    /// one. The base timestamp then holds it.
    #[inline]
    pub const fn delete_horizon(&self) -> Option<i64> {
        if self.attributes.has_delete_horizon() { Some(self.base_timestamp) } else { None }
    }

    /// The codec of the records.
    ///
    /// # Errors
    ///
    /// `CorruptRecord` with [`Corruption::Codec`] if its number names none.
    #[inline]
    pub fn compression(&self) -> Result<Compression> {
        self.attributes.compression()
    }

    /// Whether the batch belongs to a transaction.
    #[inline]
    pub const fn is_transactional(&self) -> bool {
        self.attributes.is_transactional()
    }

    /// Whether the batch holds control records, which consumers never see.
    #[inline]
    pub const fn is_control(&self) -> bool {
        self.attributes.is_control()
    }
}

/// The error for a batch that needs `needed` bytes where `available` are.
#[cold]
pub(super) fn truncated(needed: usize, available: usize) -> Error {
    Error::corrupt(0, Corruption::Truncated { needed: needed as u64, available: available as u64 })
}

#[inline(always)]
fn field<const AT: usize, const SIZE: usize>(raw: &[u8; BATCH_HEADER_BYTES]) -> [u8; SIZE] {
    const { assert!(AT + SIZE <= BATCH_HEADER_BYTES) };
    let mut bytes = [0; SIZE];
    bytes.copy_from_slice(&raw[AT..AT + SIZE]);
    bytes
}

#[inline(always)]
fn put<const AT: usize, const SIZE: usize>(raw: &mut [u8; BATCH_HEADER_BYTES], bytes: [u8; SIZE]) {
    const { assert!(AT + SIZE <= BATCH_HEADER_BYTES) };
    raw[AT..AT + SIZE].copy_from_slice(&bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: BatchHeader = BatchHeader {
        base_offset: 10,
        batch_length: 88,
        partition_leader_epoch: 3,
        crc: 0x21cb_a957,
        attributes: Attributes::from_bits(0x11),
        last_offset_delta: 2,
        base_timestamp: 1_700_000_000_000,
        max_timestamp: 1_700_000_000_005,
        producer_id: 4000,
        producer_epoch: 2,
        base_sequence: 7,
        records_count: 3,
    };

    fn reason(bytes: &[u8]) -> Corruption {
        match BatchHeader::parse(bytes) {
            Err(Error::CorruptRecord { reason, .. }) => reason,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_header_survives_the_way_out_and_back() {
        assert_eq!(BatchHeader::parse(&HEADER.to_bytes()).unwrap(), HEADER);
        assert_eq!((HEADER.size(), HEADER.last_offset(), HEADER.next_offset()), (100, 12, 13));
    }

    #[test]
    fn checks_come_in_the_documented_order() {
        let mut bytes = [0xff; BATCH_HEADER_BYTES];
        assert_eq!(reason(&bytes[..60]), Corruption::Truncated { needed: 61, available: 60 });
        assert_eq!(reason(&bytes), Corruption::BatchLength(-1));
        bytes[8..12].copy_from_slice(&49i32.to_be_bytes());
        assert_eq!(reason(&bytes), Corruption::Magic(-1));
        bytes[16] = 2;
        assert_eq!(reason(&bytes), Corruption::Offsets { base_offset: -1, last_offset_delta: -1, records: -1 });
        bytes[23..27].fill(0);
        assert!(matches!(reason(&bytes), Corruption::Offsets { records: -1, .. }));
        bytes[57..61].copy_from_slice(&2i32.to_be_bytes());
        assert!(matches!(reason(&bytes), Corruption::Offsets { records: 2, .. }));
        bytes[57..61].copy_from_slice(&1i32.to_be_bytes());
        assert!(matches!(reason(&bytes), Corruption::Offsets { base_offset: -1, .. }));
        bytes[0] = 0x7f;
        assert!(matches!(reason(&bytes), Corruption::Offsets { base_offset: i64::MAX, .. }));
        bytes[7] = 0xfe;
        assert_eq!(BatchHeader::parse(&bytes).unwrap().next_offset(), i64::MAX);
    }

    #[test]
    fn sequences_wrap_to_zero() {
        let last = |base_sequence| BatchHeader { base_sequence, ..HEADER }.last_sequence();
        assert_eq!(last(7), 9);
        assert_eq!(last(i32::MAX - 2), i32::MAX);
        assert_eq!(last(i32::MAX - 1), 0);
        assert_eq!(last(i32::MAX), 1);
        assert_eq!(last(-1), -1);
    }
}
