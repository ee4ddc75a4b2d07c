//! One whole batch whose header, length and CRC have been checked: borrowed ([`BatchRef`]) or owning a slice of
//! [`Bytes`] ([`BatchView`]).

use bytes::Bytes;

use crate::error::{Corruption, Error, Result};
use crate::record::batch_header::{
    BATCH_HEADER_BYTES, BATCH_PREFIX_BYTES, BatchHeader, CRC_POSITION, CRC_START, truncated,
};
use crate::record::checksum::{crc32c, crc32c_append};
use crate::record::compression::Compression;
use crate::record::decompressed::Decompressed;
use crate::record::record::RecordView;
use crate::record::record_set::{BatchFacts, RecordIter, RecordSet};
use crate::record::shifted;
use crate::types::{LeaderEpoch, Offset, TimestampType};

/// The most bytes that [`BatchView::records`] lets the records of one compressed batch become: 128 MiB.
///
/// Kafka has no such bound. Its batches are 1 MiB at most unless configured otherwise, compressed, so this leaves
/// room for records that shrink to a hundredth, and a small machine can still bear it. Use
/// [`records_within`](BatchView::records_within) to choose another.
pub const DECOMPRESSED_BYTES_MAX: usize = 128 * 1024 * 1024;

/// One whole batch, borrowed. Its CRC is right.
#[derive(Copy, Clone, Debug)]
pub struct BatchRef<'a> {
    header: BatchHeader,
    bytes: &'a [u8],
    is_built: bool,
}

/// The part of a batch that a log writes itself; the rest follows as it is.
#[derive(Debug)]
pub(crate) enum StampedHead {
    /// Offset, length and leader epoch.
    Prefix([u8; BATCH_PREFIX_BYTES]),
    /// The whole header.
    Header([u8; BATCH_HEADER_BYTES]),
}

impl AsRef<[u8]> for StampedHead {
    #[inline]
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Prefix(bytes) => bytes,
            Self::Header(bytes) => bytes,
        }
    }
}

/// Whether what should be one batch has the CRC that it says, whatever else its header says.
#[cfg(feature = "net")]
pub(crate) fn crc_is_right(bytes: &[u8]) -> bool {
    let covered = bytes.get(CRC_START..).unwrap_or_default();
    bytes.get(CRC_POSITION..CRC_START) == Some(&crc32c(covered).to_be_bytes()[..])
}

impl<'a> BatchRef<'a> {
    /// Checks the batch at the start of `bytes`: header, length and CRC. What follows the batch is ignored.
    ///
    /// # Errors
    ///
    /// `CorruptRecord`, as [`BatchHeader::parse`], or with `Truncated` or `Crc`.
    #[inline]
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let header = BatchHeader::parse(bytes)?;
        let Some(bytes) = bytes.get(..header.size()) else {
            return Err(truncated(header.size(), bytes.len()));
        };
        let computed = crc32c(bytes.get(CRC_START..).unwrap_or_default());
        if computed != header.crc {
            return Err(Error::corrupt(0, Corruption::Crc { stored: header.crc, computed }));
        }
        Ok(Self { header, bytes, is_built: false })
    }

    /// Puts a header and its CRC before records that [`BatchBuilder`](crate::record::BatchBuilder) has just written.
    #[inline]
    pub(super) fn seal(mut header: BatchHeader, batch: &'a mut [u8]) -> Self {
        debug_assert_eq!(header.size(), batch.len());
        if let Some(room) = batch.first_chunk_mut() {
            *room = header.to_bytes();
        }
        header.crc = crc32c(batch.get(CRC_START..).unwrap_or_default());
        if let Some(room) = batch.get_mut(CRC_POSITION..CRC_START) {
            room.copy_from_slice(&header.crc.to_be_bytes());
        }
        Self { header, bytes: batch, is_built: true }
    }

    /// The header.
    #[inline]
    pub const fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The whole batch.
    #[inline]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Whether the batch was built in this process and not parsed, so that its records need no checking.
    #[inline]
    pub(crate) const fn is_built(&self) -> bool {
        self.is_built
    }

    /// The records, at most `limit` bytes of them if they are compressed. Copies them if they are not; to avoid that,
    /// use a [`BatchView`] or [`for_each_record`](Self::for_each_record).
    ///
    /// # Errors
    ///
    /// `UnsupportedCompressionType` if the codec is not built in; `CorruptRecord` if it is unknown, its stream is
    /// broken, or more than `limit` bytes come out.
    pub fn records_within(&self, limit: usize) -> Result<RecordSet> {
        let records = match self.decompress(limit)? {
            Some(records) => Bytes::from(records),
            None => Bytes::copy_from_slice(self.record_bytes()),
        };
        Ok(RecordSet::new(&self.header, records))
    }

    /// Calls `visit` with each record until it or a record is an error. Copies nothing that is not compressed.
    ///
    /// # Errors
    ///
    /// As [`records_within`](Self::records_within), then the first error of a record or of `visit`.
    pub fn for_each_record(&self, limit: usize, mut visit: impl FnMut(&RecordView<'_>) -> Result<()>) -> Result<()> {
        let decompressed = self.decompress(limit)?;
        let records = decompressed.as_deref().unwrap_or(self.record_bytes());
        BatchFacts::new(&self.header).iter(records).try_for_each(|record| visit(&record?))
    }

    /// Lets `look` see the records, which it must not hand on. Copies nothing that is not compressed. There is a bound
    /// to what all threads have decompressed in here, so this may wait for others in it: `look` must not wait for
    /// anybody, nor be given locks that those who append or read need.
    ///
    /// # Errors
    ///
    /// As [`records_within`](Self::records_within) [`DECOMPRESSED_BYTES_MAX`], or what `look` returns.
    pub(crate) fn look_at_records<T>(&self, look: impl FnOnce(RecordIter<'_>) -> Result<T>) -> Result<T> {
        let facts = BatchFacts::new(&self.header);
        if self.header.compression()? == Compression::None {
            return look(facts.iter(self.record_bytes()));
        }
        let records = Decompressed::new(|limit| Ok(self.decompress(limit)?.unwrap_or_default()))?;
        look(facts.iter(&records))
    }

    /// The first bytes as they go into the log: with its offset and leader epoch and, if given, what its timestamps
    /// mean and the largest of them.
    ///
    /// Offset and epoch lie outside the CRC, at the very start. Timestamps do not, so setting them takes the whole
    /// header and a pass over the records.
    #[inline]
    pub(crate) fn stamped_head(
        &self,
        base_offset: Offset,
        leader_epoch: LeaderEpoch,
        timestamps: Option<(TimestampType, i64)>,
    ) -> StampedHead {
        let mut header = BatchHeader { base_offset, partition_leader_epoch: leader_epoch, ..self.header };
        match timestamps {
            None => StampedHead::Prefix(header.prefix()),
            Some((timestamp_type, max_timestamp)) => {
                header.attributes = header.attributes.with_timestamp_type(timestamp_type);
                header.max_timestamp = max_timestamp;
                header.crc = crc32c_append(crc32c(&header.to_bytes()[CRC_START..]), self.record_bytes());
                StampedHead::Header(header.to_bytes())
            }
        }
    }

    /// What follows the header.
    #[inline]
    fn record_bytes(&self) -> &'a [u8] {
        self.bytes.get(BATCH_HEADER_BYTES..).unwrap_or_default()
    }

    /// The decompressed records; nothing if they are not compressed.
    fn decompress(&self, limit: usize) -> Result<Option<Vec<u8>>> {
        match self.header.compression()? {
            Compression::None => Ok(None),
            // Nothing is what nothing decompresses to, whatever the codec would say of an empty stream.
            _ if self.header.records_count == 0 && self.record_bytes().is_empty() => Ok(Some(Vec::new())),
            codec => match codec.decompress(self.record_bytes(), limit) {
                Ok(records) => Ok(Some(records)),
                Err(error) => {
                    let offsets = self.header.base_offset..=self.header.last_offset();
                    Err(shifted(error, BATCH_HEADER_BYTES).with_offsets(offsets))
                }
            },
        }
    }
}

/// One whole batch that keeps its bytes alive. Its CRC is right.
#[derive(Clone, Debug)]
pub struct BatchView {
    header: BatchHeader,
    bytes: Bytes,
    is_built: bool,
}

impl BatchView {
    /// Checks the batch at the start of `bytes`: header, length and CRC. What follows the batch is ignored.
    ///
    /// # Errors
    ///
    /// `CorruptRecord`, as [`BatchHeader::parse`], or with `Truncated` or `Crc`.
    pub fn parse(bytes: &Bytes) -> Result<Self> {
        Self::parse_at(bytes, 0)
    }

    /// As [`parse`](Self::parse), for the batch at `at`. Positions in errors count from there.
    #[inline]
    pub(crate) fn parse_at(bytes: &Bytes, at: usize) -> Result<Self> {
        let BatchRef { header, bytes: batch, is_built } = BatchRef::parse(bytes.get(at..).unwrap_or_default())?;
        Ok(Self { header, bytes: bytes.slice(at..at + batch.len()), is_built })
    }

    /// As [`parse`](Self::parse), and moves `bytes` past the batch.
    #[inline]
    pub(super) fn split_from(bytes: &mut Bytes) -> Result<Self> {
        let BatchRef { header, is_built, .. } = BatchRef::parse(bytes)?;
        Ok(Self { header, bytes: bytes.split_to(header.size()), is_built })
    }

    /// The header.
    #[inline]
    pub const fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The whole batch.
    #[inline]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The same, borrowed.
    #[inline]
    pub fn as_ref(&self) -> BatchRef<'_> {
        BatchRef { header: self.header, bytes: &self.bytes, is_built: self.is_built }
    }

    /// The records: a slice of the batch, or decompressed to at most [`DECOMPRESSED_BYTES_MAX`].
    ///
    /// # Errors
    ///
    /// As [`records_within`](Self::records_within).
    pub fn records(&self) -> Result<RecordSet> {
        self.records_within(DECOMPRESSED_BYTES_MAX)
    }

    /// The records: a slice of the batch, or decompressed to at most `limit` bytes.
    ///
    /// # Errors
    ///
    /// `UnsupportedCompressionType` if the codec is not built in; `CorruptRecord` if it is unknown, its stream is
    /// broken, or more than `limit` bytes come out.
    pub fn records_within(&self, limit: usize) -> Result<RecordSet> {
        let records = match self.as_ref().decompress(limit)? {
            Some(records) => Bytes::from(records),
            None => self.bytes.slice(BATCH_HEADER_BYTES..),
        };
        Ok(RecordSet::new(&self.header, records))
    }
}

impl<'a> From<&'a BatchView> for BatchRef<'a> {
    #[inline]
    fn from(view: &'a BatchView) -> Self {
        view.as_ref()
    }
}

impl From<BatchRef<'_>> for BatchView {
    /// Copies the batch.
    fn from(batch: BatchRef<'_>) -> Self {
        Self { header: batch.header, bytes: Bytes::copy_from_slice(batch.bytes), is_built: batch.is_built }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{BatchBuilder, Header, RecordData};

    /// The first record of the format's test vector TV1, at 2023-11-14T22:13:20Z.
    fn record<'a>(headers: &'a [Header<'a>]) -> RecordData<'a> {
        RecordData::new(Some(b"k1"), Some(b"hello")).at(1_700_000_000_000).with_headers(headers)
    }

    #[test]
    fn offset_and_epoch_are_stamped_without_touching_the_crc() {
        let headers = [Header::new("h", b"v")];
        let mut builder = BatchBuilder::new(0).producer(4000, 2, 7).transactional(true);
        builder.push(&record(&headers)).unwrap();
        let batch = builder.build().unwrap();
        assert!(batch.is_built());
        assert_eq!(batch.header().crc, 0x4e6b_e6da);
        assert_eq!(batch.header().attributes.bits(), 0x10);

        let head = batch.stamped_head(1 << 40, 9, None);
        let whole = [head.as_ref(), &batch.bytes()[head.as_ref().len()..]].concat();
        let expected = BatchHeader { base_offset: 1 << 40, partition_leader_epoch: 9, ..*batch.header() };
        let stamped = BatchRef::parse(&whole).unwrap();
        assert_eq!(*stamped.header(), expected);
        assert!(!stamped.is_built());
    }

    #[test]
    fn log_append_time_is_stamped_with_a_new_crc() {
        let headers = [Header::new("h", b"v")];
        let mut builder = BatchBuilder::new(0);
        builder.push(&record(&headers)).unwrap();
        let batch = builder.build().unwrap();

        let head = batch.stamped_head(0, 0, Some((TimestampType::LogAppendTime, 1_700_000_000_500)));
        let whole = [head.as_ref(), &batch.bytes()[head.as_ref().len()..]].concat();
        let stamped = BatchRef::parse(&whole).unwrap();
        let header = stamped.header();
        assert_eq!((header.crc, header.attributes.bits()), (0x34a5_00be, 8));
        assert_eq!(header.max_timestamp, 0x0000_018b_cfe5_69f4);

        let records = stamped.records_within(0).unwrap();
        assert_eq!(records.iter().next().unwrap().unwrap().timestamp, 1_700_000_000_500);
    }
}
