//! What a batch must be to enter the log. Only this file makes a [`ValidatedBatch`], and only appending takes one.
//!
//! The checks and their order are Kafka's (`LogValidator`), and so is what becomes of a batch that is not as it should
//! be stored: its header gets the right timestamps, its records another codec. A batch that this process built needs no
//! look at its records: the builder makes only batches that pass.

use crate::clock::Clock;
use crate::config::{BrokerCompressionType, LogConfig};
use crate::error::{Error, Result};
use crate::log::active::StampedBatch;
use crate::log::append::AppendOrigin;
use crate::record::{
    BatchBuilder, BatchHeader, BatchRef, BatchView, Compression, RecordData, RecordView, TimestampType,
};
use crate::sync::atomic::{AtomicI64, Ordering};
use crate::types::{LeaderEpoch, NO_TIMESTAMP, Offset};

/// A batch that may be appended.
#[derive(Clone, Copy, Debug)]
pub(super) struct ValidatedBatch<'a> {
    batch: &'a BatchRef<'a>,
    timestamps: Timestamps,
}

/// What the header is to say of the timestamps.
#[derive(Clone, Copy, Debug)]
enum Timestamps {
    /// What it says already.
    Kept,
    /// That the records have their producers' timestamps, of which this is the largest.
    Corrected(i64),
    /// That all records have the time of the append.
    LogAppendTime,
}

/// Checks a batch against the format's rules and the topic's.
// To hand the result back through memory takes as long as the checks of a header do.
#[inline(always)]
pub(super) fn validate<'a>(
    batch: &'a BatchRef<'a>,
    config: &LogConfig,
    origin: AppendOrigin,
    now: &Now<'_>,
) -> Result<ValidatedBatch<'a>> {
    let header = batch.header();
    check_size(batch, config)?;
    if header.attributes.is_control() {
        return Err(invalid("a control batch is written by the coordinator alone"));
    }
    if header.records_count < 1 || i64::from(header.last_offset_delta) + 1 != i64::from(header.records_count) {
        return Err(not_consecutive(header.records_count, header.last_offset_delta));
    }
    if header.producer_id >= 0 && header.base_sequence < 0 && origin.is_numbered() {
        return Err(invalid("a batch with a producer id needs a base sequence"));
    }
    if header.producer_id < 0 && header.is_transactional() {
        return Err(invalid("a batch of a transaction needs a producer id"));
    }
    let stamps_time = config.message_timestamp_type == TimestampType::LogAppendTime;
    let comes_stamped = header.timestamp_type() == TimestampType::LogAppendTime;
    let mut largest = header.max_timestamp;
    let records_to_check = !batch.is_built()
        || config.cleanup_policy.compact
        || (!stamps_time && config.message_timestamp_before_max_ms < i64::MAX);
    if records_to_check {
        largest = check_records(batch, &RecordChecks::new(config, now))?;
    } else if !stamps_time && header.max_timestamp.saturating_sub(now.recent()) > config.message_timestamp_after_max_ms
    {
        // The builder knows the largest timestamp. One that a clock of a while ago allows, today's allows too.
        TimestampWindow::new(config, now.fresh()).check(header.max_timestamp)?;
    }
    // Kafka takes a batch that comes with the log's timestamps for one with its producer's, if there are any.
    if comes_stamped && (stamps_time || largest == NO_TIMESTAMP) {
        return Err(Error::InvalidTimestampType);
    }
    let timestamps = match stamps_time {
        true => Timestamps::LogAppendTime,
        false if comes_stamped || largest != header.max_timestamp => Timestamps::Corrected(largest),
        false => Timestamps::Kept,
    };
    Ok(ValidatedBatch { batch, timestamps })
}

#[inline]
fn check_size(batch: &BatchRef<'_>, config: &LogConfig) -> Result<()> {
    let size = batch.bytes().len() as u64;
    let max = u64::from(config.max_message_bytes.unsigned_abs());
    if size > max {
        return Err(Error::MessageTooLarge { size, max, limit: "max.message.bytes" });
    }
    if size > config.segment_size() {
        return Err(Error::MessageTooLarge { size, max: config.segment_size(), limit: "segment.bytes" });
    }
    Ok(())
}

/// Packs the records of a batch again, if the topic takes what comes of that.
fn pack(batch: &BatchRef<'_>, codec: Compression, level: Option<i32>, config: &LogConfig) -> Result<BatchView> {
    let header = batch.header();
    batch.look_at_records(|records| {
        // The builder holds as much again, and goes with the records.
        let mut builder = BatchBuilder::new(0)
            .compression(codec)
            .compression_level(level)
            .transactional(header.attributes.is_transactional())
            .producer(header.producer_id, header.producer_epoch, header.base_sequence);
        for record in records {
            let record = record?;
            let headers = record.headers().collect::<Result<Vec<_>>>()?;
            let RecordView { timestamp, key, value, .. } = record;
            builder.push(&RecordData { timestamp, key, value, headers: &headers })?;
        }
        let packed = builder.build()?;
        check_size(&packed, config)?;
        Ok(packed.into())
    })
}

/// A marker that the log itself has built.
pub(super) fn marker<'a>(batch: &'a BatchRef<'a>, config: &LogConfig) -> ValidatedBatch<'a> {
    let stamps_time = config.message_timestamp_type == TimestampType::LogAppendTime;
    let timestamps = if stamps_time { Timestamps::LogAppendTime } else { Timestamps::Kept };
    ValidatedBatch { batch, timestamps }
}

/// The time, read only where it matters: reading the clock costs as much as the rest of a small append.
pub(super) struct Now<'a> {
    clock: &'a dyn Clock,
    last_read: &'a AtomicI64,
}

impl<'a> Now<'a> {
    pub(super) fn new(clock: &'a dyn Clock, last_read: &'a AtomicI64) -> Self {
        Self { clock, last_read }
    }

    /// The time now, in milliseconds.
    pub(super) fn fresh(&self) -> i64 {
        let now_ms = self.clock.now_ms();
        self.last_read.store(now_ms, Ordering::Relaxed);
        now_ms
    }

    /// The time when the clock was last read for this log, or 0.
    #[inline]
    pub(super) fn recent(&self) -> i64 {
        self.last_read.load(Ordering::Relaxed)
    }
}

/// What a topic asks of each record.
struct RecordChecks {
    needs_key: bool,
    /// None if the log gives records their timestamps.
    window: Option<TimestampWindow>,
}

impl RecordChecks {
    fn new(config: &LogConfig, now: &Now<'_>) -> Self {
        let stamps_time = config.message_timestamp_type == TimestampType::LogAppendTime;
        let window = (!stamps_time).then(|| TimestampWindow::new(config, now.fresh()));
        Self { needs_key: config.cleanup_policy.compact, window }
    }

    #[inline]
    fn check(&self, record: &RecordView<'_>) -> Result<()> {
        if self.needs_key && record.key.is_none() {
            return Err(invalid("a compacted topic takes no record without a key"));
        }
        self.window.as_ref().map_or(Ok(()), |window| window.check(record.timestamp))
    }
}

/// Looks at each record of a batch, which needs its codec. Returns the largest timestamp.
#[inline(never)]
fn check_records(batch: &BatchRef<'_>, checks: &RecordChecks) -> Result<i64> {
    let header = batch.header();
    batch.look_at_records(|records| {
        let (mut largest, mut next_offset) = (NO_TIMESTAMP, header.base_offset);
        for record in records {
            let record = record?;
            if record.offset != next_offset {
                return Err(invalid(&format!("record offset {} where {next_offset} should be", record.offset)));
            }
            next_offset += 1;
            checks.check(&record)?;
            largest = largest.max(record.timestamp);
        }
        Ok(largest)
    })
}

/// Which records of a batch the topic does not take, by their index in it, and why; the first `max` of them.
#[cfg(feature = "net")]
pub(super) fn rejected_records(
    batch: &BatchRef<'_>,
    config: &LogConfig,
    now: &Now<'_>,
    max: usize,
) -> Vec<(i32, Error)> {
    let checks = RecordChecks::new(config, now);
    let rejected = batch.look_at_records(|records| {
        // Behind what is no record there are none.
        let rejected = (0..).zip(records.map_while(Result::ok)).filter_map(|(index, record)| {
            let error = checks.check(&record).err()?;
            Some((index, error))
        });
        Ok(rejected.take(max).collect())
    });
    rejected.unwrap_or_default()
}

/// The timestamps that a topic accepts now (KIP-937).
struct TimestampWindow {
    earliest: i64,
    latest: i64,
}

impl TimestampWindow {
    fn new(config: &LogConfig, now_ms: i64) -> Self {
        Self {
            earliest: now_ms.saturating_sub(config.message_timestamp_before_max_ms),
            latest: now_ms.saturating_add(config.message_timestamp_after_max_ms),
        }
    }

    #[inline]
    fn check(&self, timestamp: i64) -> Result<()> {
        if timestamp != NO_TIMESTAMP && !(self.earliest..=self.latest).contains(&timestamp) {
            return Err(Error::InvalidTimestamp { timestamp, earliest: self.earliest, latest: self.latest });
        }
        Ok(())
    }
}

impl ValidatedBatch<'_> {
    #[inline]
    pub(super) fn header(&self) -> &BatchHeader {
        self.batch.header()
    }

    /// The batch in the codec that the topic asks for, unless it has that already.
    pub(super) fn recode(self, config: &LogConfig) -> Result<Option<BatchView>> {
        let (codec, level) = match config.compression_type {
            BrokerCompressionType::Producer => return Ok(None),
            BrokerCompressionType::Uncompressed => (Compression::None, None),
            BrokerCompressionType::Gzip => (Compression::Gzip, Some(config.compression_gzip_level)),
            BrokerCompressionType::Snappy => (Compression::Snappy, None),
            BrokerCompressionType::Lz4 => (Compression::Lz4, Some(config.compression_lz4_level)),
            BrokerCompressionType::Zstd => (Compression::Zstd, Some(config.compression_zstd_level)),
        };
        if self.batch.header().compression()? == codec {
            return Ok(None);
        }
        pack(self.batch, codec, level, config).map(Some)
    }

    /// The same in the other codec.
    pub(super) fn recoded<'a>(self, recoded: &'a BatchRef<'a>) -> ValidatedBatch<'a> {
        ValidatedBatch { batch: recoded, timestamps: self.timestamps }
    }

    /// The batch as it is written at `base_offset` under `leader_epoch`: only its header differs. To be called in the
    /// writer's turn, so that the log's own timestamps are in the order of offsets.
    #[inline]
    pub(super) fn stamp(&self, base_offset: Offset, leader_epoch: LeaderEpoch, now: &Now<'_>) -> StampedBatch<'_> {
        let timestamps = match self.timestamps {
            Timestamps::Kept => None,
            Timestamps::Corrected(largest) => Some((TimestampType::CreateTime, largest)),
            Timestamps::LogAppendTime => Some((TimestampType::LogAppendTime, now.fresh())),
        };
        let batch = self.batch;
        let head = batch.stamped_head(base_offset, leader_epoch, timestamps);
        StampedBatch {
            rest: &batch.bytes()[head.as_ref().len()..],
            head,
            base_offset,
            last_offset: base_offset + Offset::from(batch.header().last_offset_delta),
            max_timestamp: timestamps.map_or(batch.header().max_timestamp, |(_, max_timestamp)| max_timestamp),
            log_append_time: timestamps.and_then(|(of, now_ms)| (of == TimestampType::LogAppendTime).then_some(now_ms)),
        }
    }
}

#[cold]
fn not_consecutive(count: i32, last_offset_delta: i32) -> Error {
    invalid(&format!("{count} records with last offset delta {last_offset_delta}: a new batch has consecutive offsets"))
}

#[cold]
fn invalid(reason: &str) -> Error {
    Error::InvalidRecord { reason: reason.to_owned() }
}
