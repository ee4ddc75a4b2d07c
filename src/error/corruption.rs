//! What can be wrong with bytes that should be a batch, a record or an index entry.

use crate::types::Offset;

/// What is wrong with bytes that should be a batch, a record or an index entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Corruption {
    /// The bytes end before the structure does.
    #[error("{needed} bytes are needed and {available} are there")]
    Truncated {
        /// How many bytes the structure needs from this position.
        needed: u64,
        /// How many there are.
        available: u64,
    },
    /// A batch's length field is below the smallest batch or beyond the largest.
    #[error("a batch can't have length {0}")]
    BatchLength(i32),
    /// The record format version is not one that is read here.
    #[error("unsupported magic {0}")]
    Magic(i8),
    /// The CRC-32C over the batch does not match its contents.
    #[error("the CRC is {stored:#010x} and should be {computed:#010x}")]
    Crc {
        /// The checksum that the batch carries.
        stored: u32,
        /// The checksum of its bytes.
        computed: u32,
    },
    /// The codec bits of the attributes name no codec.
    #[error("unknown compression codec {0}")]
    Codec(u8),
    /// The compressed bytes can't be decompressed.
    #[error("the {codec} stream is invalid")]
    Compressed {
        /// The codec.
        codec: &'static str,
    },
    /// Decompression would yield more than the limit.
    #[error("more than {limit} bytes come out of the compressed records")]
    DecompressedSize {
        /// The limit in bytes.
        limit: usize,
    },
    /// A variable-length integer is longer than its type allows.
    #[error("a variable-length integer is too long")]
    Varint,
    /// A length inside a record is negative where it must not be, or beyond the record's end.
    #[error("a {field} can't have length {length}")]
    FieldLength {
        /// Which field.
        field: &'static str,
        /// The length that it claims.
        length: i64,
    },
    /// A header's key is not UTF-8.
    #[error("a header's key is not UTF-8")]
    HeaderKey,
    /// A record is longer or shorter than its length field says.
    #[error("a record of length {declared} has {actual} bytes")]
    RecordLength {
        /// The length field.
        declared: u64,
        /// What its fields add up to.
        actual: u64,
    },
    /// Bytes are left after the last record.
    #[error("{0} bytes are left after the last record")]
    TrailingBytes(u64),
    /// The offsets or the record count of a batch contradict each other.
    #[error("base offset {base_offset}, last offset delta {last_offset_delta} and {records} records can't go together")]
    Offsets {
        /// The batch's base offset.
        base_offset: Offset,
        /// The batch's last offset delta.
        last_offset_delta: i32,
        /// The batch's record count.
        records: i32,
    },
    /// A batch's offset does not follow from the batch before it.
    #[error("base offset {found} where {expected} or more should be")]
    OffsetOrder {
        /// The lowest offset that could be here.
        expected: Offset,
        /// The offset that is.
        found: Offset,
    },
    /// Records that were there are not, and nothing is in their place.
    #[error("nothing is left of them")]
    Missing,
    /// A log file is larger than positions in it can be.
    #[error("a log file of {len} bytes is over the {max} that positions reach")]
    FileLength {
        /// The length of the file in bytes.
        len: u64,
        /// The largest that can be read.
        max: u64,
    },
    /// A control record's key or value is too short or has a negative version.
    #[error("malformed control record")]
    ControlRecord,
}
