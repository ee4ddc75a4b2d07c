//! Packs records into a batch, byte for byte as Kafka's `MemoryRecordsBuilder` does.
//!
//! Records are written straight behind room for the header, which is filled in when the batch is built. The buffer is
//! kept from batch to batch, so that a builder that is reused allocates nothing (unless a codec does).

use crate::error::{Error, Result};
use crate::record::attributes::Attributes;
use crate::record::batch::BatchRef;
use crate::record::batch_header::{BATCH_HEADER_BYTES, BatchHeader, LOG_OVERHEAD};
use crate::record::compression::Compression;
use crate::record::record::Header;
use crate::record::record_data::RecordData;
use crate::record::varint::{VARINT_BYTES_MAX, VARLONG_BYTES_MAX, VarintWriter, varint_len, varlong_len};
use crate::types::{LeaderEpoch, NO_PRODUCER_ID, NO_TIMESTAMP, Offset, ProducerId, ProducerIdAndEpoch, TimestampType};

/// The most bytes that a batch has: its length field is an i32.
const BATCH_BYTES_MAX: usize = i32::MAX as usize;

/// Builds batches.
///
/// ```
/// use esker::record::{BatchBuilder, RecordData};
///
/// let mut builder = BatchBuilder::new(16 * 1024);
/// for value in ["one", "two"] {
///     let record = RecordData::of(value.as_bytes()).at(1_700_000_000_000);
///     if !builder.has_room_for(&record) {
///         // Send what is there, then builder.clear().
///     }
///     builder.push(&record)?;
/// }
/// assert_eq!(builder.build()?.header().records_count, 2);
/// # Ok::<(), esker::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    size_limit: usize,
    compression: Compression,
    compression_level: Option<i32>,
    attributes: Attributes,
    base_offset: Offset,
    leader_epoch: LeaderEpoch,
    log_append_time: Option<i64>,
    producer: ProducerIdAndEpoch,
    base_sequence: i32,

    /// Room for the header, then the records.
    buffer: Vec<u8>,
    /// Room for the header, then the compressed records, from `build` to `clear`.
    compressed: Vec<u8>,
    records_count: i32,
    base_timestamp: i64,
    max_timestamp: i64,
}

impl BatchBuilder {
    /// A builder of batches that [have room](Self::has_room_for) for `size_limit` bytes.
    pub fn new(size_limit: usize) -> Self {
        Self {
            size_limit,
            compression: Compression::None,
            compression_level: None,
            attributes: Attributes::default(),
            base_offset: 0,
            leader_epoch: -1,
            log_append_time: None,
            producer: ProducerIdAndEpoch::new(NO_PRODUCER_ID, -1),
            base_sequence: -1,
            buffer: Vec::new(),
            compressed: Vec::new(),
            records_count: 0,
            base_timestamp: NO_TIMESTAMP,
            max_timestamp: NO_TIMESTAMP,
        }
    }

    /// From now on the batch [has room](Self::has_room_for) for `size_limit` bytes.
    #[inline]
    pub(crate) fn set_size_limit(&mut self, size_limit: usize) {
        self.size_limit = size_limit;
    }

    /// How the records are compressed. Not at all if this is not called.
    #[must_use]
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self
    }

    /// How hard the codec tries, on Kafka's scale for it. `None`, if this is not called, is Kafka's default.
    #[must_use]
    pub fn compression_level(mut self, level: Option<i32>) -> Self {
        self.compression_level = level;
        self
    }

    /// The first record's offset. 0 if this is not called; a log puts its own there.
    #[must_use]
    pub fn base_offset(mut self, base_offset: Offset) -> Self {
        self.base_offset = base_offset;
        self
    }

    /// The partition leader epoch. −1 if this is not called; a log puts its own there.
    #[must_use]
    pub fn leader_epoch(mut self, leader_epoch: LeaderEpoch) -> Self {
        self.leader_epoch = leader_epoch;
        self
    }

    /// What the timestamps mean. With `LogAppendTime`, all records have the greatest timestamp among those pushed,
    /// or the one given to [`log_append_time`](Self::log_append_time).
    #[must_use]
    pub fn timestamp_type(mut self, timestamp_type: TimestampType) -> Self {
        self.attributes = self.attributes.with_timestamp_type(timestamp_type);
        if timestamp_type == TimestampType::CreateTime {
            self.log_append_time = None;
        }
        self
    }

    /// Makes the batch one of `LogAppendTime`, at this time.
    #[must_use]
    pub fn log_append_time(mut self, now_ms: i64) -> Self {
        self.attributes = self.attributes.with_timestamp_type(TimestampType::LogAppendTime);
        self.log_append_time = Some(now_ms);
        self
    }

    /// The idempotent producer that the batch comes from, and the sequence number of its first record.
    #[must_use]
    pub fn producer(mut self, producer_id: ProducerId, producer_epoch: i16, base_sequence: i32) -> Self {
        self.set_producer(producer_id, producer_epoch, base_sequence);
        self
    }

    /// As [`producer`](Self::producer), for a builder in use: producers number a batch when they send it.
    pub fn set_producer(&mut self, producer_id: ProducerId, producer_epoch: i16, base_sequence: i32) {
        self.producer = ProducerIdAndEpoch::new(producer_id, producer_epoch);
        self.base_sequence = base_sequence;
    }

    /// Whether the batch belongs to a transaction.
    #[must_use]
    pub fn transactional(mut self, transactional: bool) -> Self {
        self.attributes = self.attributes.with_transactional(transactional);
        self
    }

    /// Whether the batch holds control records.
    #[must_use]
    pub(crate) fn control(mut self, control: bool) -> Self {
        self.attributes = self.attributes.with_control(control);
        self
    }

    /// Adds a record at the next offset. The size limit is not looked at: that is [`has_room_for`](Self::has_room_for).
    ///
    /// # Errors
    ///
    /// `InvalidRecord` if the timestamp is below −1; `MessageTooLarge` if the format can't hold the record. The batch
    /// is then as it was.
    #[inline]
    pub fn push(&mut self, record: &RecordData<'_>) -> Result<()> {
        if record.timestamp < NO_TIMESTAMP {
            return Err(negative_timestamp(record.timestamp));
        }
        if self.buffer.is_empty() {
            self.buffer.extend_from_slice(&[0; BATCH_HEADER_BYTES]);
        }
        let base_timestamp = if self.records_count == 0 { record.timestamp } else { self.base_timestamp };
        // Wraps only if one has no timestamp and the other the last there is; reading wraps back.
        let timestamp_delta = record.timestamp.wrapping_sub(base_timestamp);
        let offset_delta = self.records_count;
        let (body, size) = record_size(record, timestamp_delta, offset_delta);
        let total = size.saturating_add(self.buffer.len() as u64);
        // Bounds the count as well: no record is so small that 2³¹ of them fit.
        if total > BATCH_BYTES_MAX as u64 {
            return Err(too_large(total));
        }

        let out = &mut self.buffer;
        out.reserve(size as usize + VarintWriter::SLACK_BYTES);
        let mut before_key = VarintWriter::new(out);
        before_key.put(body as i32);
        before_key.put_byte(0);
        before_key.put_long(timestamp_delta);
        before_key.put(offset_delta);
        before_key.put(nullable_length(record.key));
        before_key.finish();
        out.extend_from_slice(record.key.unwrap_or_default());
        write_nullable(out, record.value);
        write_varint(out, record.headers.len() as i32);
        for Header { key, value } in record.headers {
            write_nullable(out, Some(key.as_bytes()));
            write_nullable(out, *value);
        }
        debug_assert_eq!(out.len() as u64, total);

        self.base_timestamp = base_timestamp;
        self.max_timestamp = self.max_timestamp.max(record.timestamp);
        self.records_count += 1;
        Ok(())
    }

    /// Whether the batch stays within the size limit with this record, by an upper bound and before compression.
    /// The first record always fits.
    #[inline]
    pub fn has_room_for(&self, record: &RecordData<'_>) -> bool {
        if self.is_empty() {
            return true;
        }
        let (_, size) = record_size(record, i64::MIN, i32::MIN);
        let bound = size.saturating_add(self.buffer.len() as u64);
        bound <= self.size_limit as u64
    }

    /// Whether no record has been added since the last [`clear`](Self::clear).
    #[inline]
    pub const fn is_empty(&self) -> bool {
        self.records_count == 0
    }

    /// How many records have been added.
    #[inline]
    pub const fn len(&self) -> usize {
        // Counts up from 0.
        self.records_count as usize
    }

    /// The size of the batch in bytes, before compression.
    #[inline]
    pub fn size_in_bytes(&self) -> usize {
        self.buffer.len().max(BATCH_HEADER_BYTES)
    }

    /// Finishes the batch and lends it. More records may be pushed afterwards, and the batch built again.
    ///
    /// # Errors
    ///
    /// `InvalidRecord` if there is no record or its offset is none; `UnsupportedCompressionType` if the codec is not
    /// built in; `InvalidConfig` if the level is not one of the codec's; `MessageTooLarge` if compression made the
    /// records larger than a batch can be.
    #[inline]
    pub fn build(&mut self) -> Result<BatchRef<'_>> {
        if self.is_empty() {
            return Err(empty());
        }
        if self.compression != Compression::None {
            self.compress()?;
        }
        let size = if self.compression == Compression::None { self.buffer.len() } else { self.compressed.len() };
        let header = self.header(size);
        if !header.offsets_agree() {
            return Err(bad_base_offset(self.base_offset));
        }
        let batch = if self.compression == Compression::None { &mut self.buffer } else { &mut self.compressed };
        Ok(BatchRef::seal(header, batch))
    }

    /// Forgets the records. Keeps settings and buffers.
    #[inline]
    pub fn clear(&mut self) {
        self.buffer.truncate(BATCH_HEADER_BYTES);
        self.compressed.clear();
        self.records_count = 0;
        self.base_timestamp = NO_TIMESTAMP;
        self.max_timestamp = NO_TIMESTAMP;
    }

    fn compress(&mut self) -> Result<()> {
        self.compressed.clear();
        self.compressed.extend_from_slice(&[0; BATCH_HEADER_BYTES]);
        let records = self.buffer.get(BATCH_HEADER_BYTES..).unwrap_or_default();
        self.compression.compress(self.compression_level, records, &mut self.compressed)?;
        if self.compressed.len() > BATCH_BYTES_MAX {
            return Err(too_large(self.compressed.len() as u64));
        }
        Ok(())
    }

    #[inline]
    fn header(&self, size: usize) -> BatchHeader {
        BatchHeader {
            base_offset: self.base_offset,
            batch_length: (size - LOG_OVERHEAD) as i32,
            partition_leader_epoch: self.leader_epoch,
            crc: 0,
            attributes: self.attributes.with_compression(self.compression),
            last_offset_delta: self.records_count - 1,
            base_timestamp: self.base_timestamp,
            max_timestamp: self.log_append_time.unwrap_or(self.max_timestamp),
            producer_id: self.producer.producer_id,
            producer_epoch: self.producer.producer_epoch,
            base_sequence: self.base_sequence,
            records_count: self.records_count,
        }
    }
}

/// The value of a record's length field, and the size with that field. Never wraps: the parts are in memory.
#[inline]
fn record_size(record: &RecordData<'_>, timestamp_delta: i64, offset_delta: i32) -> (u64, u64) {
    let mut body = 1
        + varlong_len(timestamp_delta) as u64
        + varint_len(offset_delta) as u64
        + nullable_size(record.key)
        + nullable_size(record.value)
        + length_size(record.headers.len());
    for Header { key, value } in record.headers {
        body = body.saturating_add(nullable_size(Some(key.as_bytes())) + nullable_size(*value));
    }
    let prefix = i32::try_from(body).map_or(VARLONG_BYTES_MAX, varint_len);
    (body, body.saturating_add(prefix as u64))
}

#[inline]
fn nullable_size(bytes: Option<&[u8]>) -> u64 {
    bytes.map_or(1, |bytes| length_size(bytes.len()) + bytes.len() as u64)
}

/// The size of a length field. What does not fit into one is refused for its size anyway.
#[inline]
fn length_size(length: usize) -> u64 {
    i32::try_from(length).map_or(VARINT_BYTES_MAX, varint_len) as u64
}

#[inline]
fn write_varint(out: &mut Vec<u8>, value: i32) {
    let mut writer = VarintWriter::new(out);
    writer.put(value);
    writer.finish();
}

#[inline]
fn write_nullable(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    write_varint(out, nullable_length(bytes));
    out.extend_from_slice(bytes.unwrap_or_default());
}

#[inline]
fn nullable_length(bytes: Option<&[u8]>) -> i32 {
    bytes.map_or(-1, |bytes| bytes.len() as i32)
}

#[cold]
fn negative_timestamp(timestamp: i64) -> Error {
    Error::InvalidRecord { reason: format!("timestamp {timestamp} is negative and not -1 for none") }
}

#[cold]
fn bad_base_offset(base_offset: Offset) -> Error {
    Error::InvalidRecord { reason: format!("a batch can't begin at offset {base_offset}") }
}

#[cold]
fn too_large(size: u64) -> Error {
    Error::MessageTooLarge { size, max: BATCH_BYTES_MAX as u64, limit: "the record format's maximum" }
}

#[cold]
fn empty() -> Error {
    Error::InvalidRecord { reason: "a batch needs at least one record".into() }
}
