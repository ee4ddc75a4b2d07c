//! The attributes of a batch: codec, timestamp type, transactional, control, delete horizon.

use std::fmt;

use crate::error::{Corruption, Error, Result};
use crate::record::compression::Compression;
use crate::types::TimestampType;

const CODEC: i16 = 0x07;
const LOG_APPEND_TIME: i16 = 0x08;
const TRANSACTIONAL: i16 = 0x10;
const CONTROL: i16 = 0x20;
const DELETE_HORIZON: i16 = 0x40;

/// Where the attributes stand in a batch, for errors.
const POSITION: usize = 21;

/// The attribute bits of a batch. Bits that have no meaning are kept as they are.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Default)]
pub struct Attributes(i16);

impl Attributes {
    /// Attributes as they stand in a batch.
    pub const fn from_bits(bits: i16) -> Self {
        Self(bits)
    }

    /// As they stand in a batch.
    pub const fn bits(self) -> i16 {
        self.0
    }

    /// The codec's number, 0 to 7, whether it names a codec or not.
    pub const fn codec_id(self) -> u8 {
        (self.0 & CODEC) as u8
    }

    /// The codec of the records.
    ///
    /// # Errors
    ///
    /// `CorruptRecord` with [`Corruption::Codec`] if the number names none.
    #[inline]
    pub fn compression(self) -> Result<Compression> {
        Compression::from_id(self.codec_id())
            .ok_or_else(|| Error::corrupt(POSITION, Corruption::Codec(self.codec_id())))
    }

    /// What the timestamps mean.
    #[inline]
    pub const fn timestamp_type(self) -> TimestampType {
        if self.0 & LOG_APPEND_TIME == 0 { TimestampType::CreateTime } else { TimestampType::LogAppendTime }
    }

    /// Whether the batch belongs to a transaction.
    #[inline]
    pub const fn is_transactional(self) -> bool {
        self.0 & TRANSACTIONAL != 0
    }

    /// Whether the batch holds control records, which consumers never see.
    #[inline]
    pub const fn is_control(self) -> bool {
        self.0 & CONTROL != 0
    }

    /// Whether the base timestamp is the time from which compaction may drop the batch's tombstones.
    #[inline]
    pub const fn has_delete_horizon(self) -> bool {
        self.0 & DELETE_HORIZON != 0
    }

    /// The same with this codec.
    #[must_use]
    pub const fn with_compression(self, compression: Compression) -> Self {
        Self(self.0 & !CODEC | compression.id() as i16)
    }

    /// The same with this timestamp type.
    #[must_use]
    pub const fn with_timestamp_type(self, timestamp_type: TimestampType) -> Self {
        self.with(LOG_APPEND_TIME, matches!(timestamp_type, TimestampType::LogAppendTime))
    }

    /// The same, belonging to a transaction or not.
    #[must_use]
    pub const fn with_transactional(self, transactional: bool) -> Self {
        self.with(TRANSACTIONAL, transactional)
    }

    /// The same, for control records or not.
    #[must_use]
    pub const fn with_control(self, control: bool) -> Self {
        self.with(CONTROL, control)
    }

    /// The same, with a delete horizon or not.
    #[must_use]
    pub const fn with_delete_horizon(self, delete_horizon: bool) -> Self {
        self.with(DELETE_HORIZON, delete_horizon)
    }

    const fn with(self, mask: i16, set: bool) -> Self {
        Self(if set { self.0 | mask } else { self.0 & !mask })
    }
}

impl fmt::Debug for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Attributes({:#06x})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bit_is_set_cleared_and_read_on_its_own() {
        let none = Attributes::default();
        assert_eq!(none.with_compression(Compression::Zstd).bits(), 4);
        assert_eq!(none.with_timestamp_type(TimestampType::LogAppendTime).bits(), 8);
        assert_eq!(none.with_transactional(true).bits(), 0x10);
        assert_eq!(none.with_control(true).bits(), 0x20);
        assert_eq!(none.with_delete_horizon(true).bits(), 0x40);

        let all = Attributes::from_bits(-1);
        assert_eq!(all.with_compression(Compression::None).bits(), !7);
        assert_eq!(all.with_timestamp_type(TimestampType::CreateTime).timestamp_type(), TimestampType::CreateTime);
        assert!(!all.with_transactional(false).is_transactional() && all.is_transactional());
        assert!(!all.with_control(false).is_control() && all.is_control());
        assert!(!all.with_delete_horizon(false).has_delete_horizon() && all.has_delete_horizon());
    }

    #[test]
    fn numbers_above_four_name_no_codec() {
        for id in 0..8u8 {
            let attributes = Attributes::from_bits(i16::from(id) | 0x70);
            match attributes.compression() {
                Ok(compression) => assert_eq!(compression.id(), id),
                Err(error) => {
                    assert!(id > 4);
                    assert!(
                        matches!(error, Error::CorruptRecord { reason: Corruption::Codec(found), .. } if found == id)
                    );
                }
            }
        }
    }
}
