//! What the tests of durability share: records to hand in and compare, choices by seed, and reading a log the plain
//! way.

#![allow(dead_code, reason = "each test file uses its part of this")]

pub mod cases;
pub mod forward;
#[cfg(feature = "coordinator")]
pub mod offsets_log;
pub mod random;
pub mod reserving;

use std::fmt;

use esker::record::{BatchBuilder, Compression, Header, RecordData, RecordView};
use esker::{Acks, Appended, IsolationLevel, Log, Offset, ReadLimits, Result};

use random::Random;

/// A record as it was handed in, to compare with what comes back.
#[derive(Clone, PartialEq, Eq)]
pub struct Sent {
    pub timestamp: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl Sent {
    /// A record of a value alone.
    pub fn value(timestamp: i64, value: impl Into<Vec<u8>>) -> Self {
        Self { timestamp, key: None, value: Some(value.into()), headers: Vec::new() }
    }

    /// A record like no other: `number` is in its value. The rest is chosen, with values of up to `value_bytes` more.
    pub fn random(random: &mut Random, number: u64, timestamp: i64, value_bytes: u64) -> Self {
        let mut value = format!("record {number} ").into_bytes();
        let filling = random.below(value_bytes);
        value.extend((0..filling).map(|_| random.next() as u8));
        let key = random.one_in(2).then(|| format!("key {}", random.below(5)).into_bytes());
        let headers = (0..if random.one_in(4) { random.below(3) } else { 0 })
            .map(|index| (format!("header {index}"), (!random.one_in(3)).then(|| number.to_le_bytes().to_vec())))
            .collect();
        Self { timestamp, key, value: Some(value), headers }
    }

    pub fn from_view(record: &RecordView<'_>) -> Result<Self> {
        let headers = record.headers().map(|header| {
            let header = header?;
            Ok((header.key.to_owned(), header.value.map(<[u8]>::to_vec)))
        });
        Ok(Self {
            timestamp: record.timestamp,
            key: record.key.map(<[u8]>::to_vec),
            value: record.value.map(<[u8]>::to_vec),
            headers: headers.collect::<Result<_>>()?,
        })
    }
}

impl fmt::Debug for Sent {
    /// No more of the value than it takes to know which record it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.value.as_deref().unwrap_or_default();
        write!(f, "\"{}\" ({} bytes) at {}", value[..value.len().min(24)].escape_ascii(), value.len(), self.timestamp)
    }
}

/// The codecs that this build has.
pub fn codecs() -> Vec<Compression> {
    let mut codecs = vec![Compression::None];
    for (is_built_in, codec) in [
        (cfg!(feature = "gzip"), Compression::Gzip),
        (cfg!(feature = "snappy"), Compression::Snappy),
        (cfg!(feature = "lz4"), Compression::Lz4),
        (cfg!(feature = "zstd"), Compression::Zstd),
    ] {
        if is_built_in {
            codecs.push(codec);
        }
    }
    codecs
}

/// Appends the records as one batch.
pub fn append(log: &Log, records: &[Sent], codec: Compression, acks: Acks) -> Result<Appended> {
    append_built(log, BatchBuilder::new(1 << 20).compression(codec), records, acks)
}

/// Appends the records as one batch of this builder's.
pub fn append_built(log: &Log, mut builder: BatchBuilder, records: &[Sent], acks: Acks) -> Result<Appended> {
    for record in records {
        let headers: Vec<Header<'_>> =
            record.headers.iter().map(|(key, value)| Header { key, value: value.as_deref() }).collect();
        builder.push(&RecordData {
            timestamp: record.timestamp,
            key: record.key.as_deref(),
            value: record.value.as_deref(),
            headers: &headers,
        })?;
    }
    log.append(builder.build()?, acks)
}

/// Appends a record of its own, and returns its offset.
pub fn append_value(log: &Log, timestamp: i64, value: &[u8], acks: Acks) -> Result<Offset> {
    Ok(append(log, &[Sent::value(timestamp, value)], Compression::None, acks)?.base_offset)
}

/// All records from the log's start to its end, in the order in which they are read.
pub fn read_all(log: &Log, limits: ReadLimits) -> Result<Vec<(Offset, Sent)>> {
    let mut records = Vec::new();
    let mut offset = log.log_start();
    while offset < log.high_watermark() {
        let fetched = log.read(offset, limits)?;
        assert!(fetched.next_offset() > offset, "a read at {offset} below {} gets on", log.high_watermark());
        for batch in fetched.batches() {
            for record in &batch?.records()? {
                let record = record?;
                if record.offset >= offset {
                    records.push((record.offset, Sent::from_view(&record)?));
                }
            }
        }
        offset = fetched.next_offset();
    }
    Ok(records)
}

/// The records from the log's start to its last stable offset that are not void.
pub fn read_committed(log: &Log, limits: ReadLimits) -> Result<Vec<(Offset, Sent)>> {
    let limits = limits.isolation_level(IsolationLevel::ReadCommitted);
    let mut records = Vec::new();
    let mut offset = log.log_start();
    while offset < log.last_stable_offset() {
        let fetched = log.read(offset, limits)?;
        for batch in fetched.batches() {
            let batch = batch?;
            let (id, base_offset) = (batch.header().producer_id, batch.header().base_offset);
            let is_void = batch.header().is_transactional()
                && fetched
                    .aborted_transactions()
                    .iter()
                    .any(|of| of.producer_id == id && (of.first_offset..of.last_offset).contains(&base_offset));
            if batch.header().is_control() || is_void {
                continue;
            }
            for record in &batch.records()? {
                let record = record?;
                if record.offset >= offset {
                    records.push((record.offset, Sent::from_view(&record)?));
                }
            }
        }
        offset = fetched.next_offset();
    }
    Ok(records)
}

/// What a search through the records one by one finds for a timestamp: an offset, and the timestamp there.
pub fn scan_for_timestamp(records: &[(Offset, Sent)], timestamp: i64) -> Option<(Offset, i64)> {
    let (offset, found) = records.iter().find(|(_, record)| record.timestamp >= timestamp)?;
    Some((*offset, found.timestamp))
}

/// Looks up every offset and every timestamp around those of the records, which are all there are in the log, and
/// compares the answers with those of a search one by one. Says what differs.
pub fn check_lookups(log: &Log, records: &[(Offset, Sent)]) -> Result<(), String> {
    for (offset, _) in records {
        let fetched =
            log.read(*offset, ReadLimits::new().max_bytes(1)).map_err(|error| format!("at {offset}: {error}"))?;
        let batch = fetched.batches().next().ok_or_else(|| format!("nothing at offset {offset}"))?;
        let batch = batch.map_err(|error| format!("at {offset}: {error}"))?;
        let header = batch.header();
        if !(header.base_offset..=header.last_offset()).contains(offset) {
            return Err(format!("a read at {offset} gave {}..={}", header.base_offset, header.last_offset()));
        }
    }
    let mut timestamps: Vec<i64> =
        records.iter().flat_map(|(_, record)| (-1..=1).map(|by| record.timestamp + by)).collect();
    timestamps.sort_unstable();
    timestamps.dedup();
    for timestamp in timestamps {
        let found =
            log.offset_for_timestamp(timestamp).map_err(|error| format!("at timestamp {timestamp}: {error}"))?;
        let expected = scan_for_timestamp(records, timestamp);
        if found.map(|found| (found.offset, found.timestamp)) != expected {
            return Err(format!("for timestamp {timestamp} {found:?} was found and {expected:?} is right"));
        }
    }
    Ok(())
}
