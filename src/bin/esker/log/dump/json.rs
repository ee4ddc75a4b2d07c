//! The objects that a dump is as JSON. Each names its type and the file that it is of.

use esker::record::{BatchHeader, EndTransactionMarker, RecordView};
use serde::Serialize;

use crate::json_record::{Blob, JsonHeader, timestamp_type};

#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Object<'a> {
    Batch(Box<Batch>),
    Reserved {
        position: u64,
        bytes: u64,
    },
    OffsetIndexEntry {
        position: u64,
        offset: i64,
        log_position: u32,
    },
    TimeIndexEntry {
        position: u64,
        timestamp: i64,
        offset: i64,
    },
    TransactionIndexEntry {
        position: u64,
        version: i16,
        producer_id: i64,
        first_offset: i64,
        last_offset: i64,
        last_stable_offset: i64,
    },
    Producer(Producer),
    Damage {
        position: u64,
        reason: &'a str,
    },
}

/// An object and the file that it is of.
#[derive(Debug, Serialize)]
pub(super) struct OfFile<'a> {
    pub(super) file: &'a str,
    #[serde(flatten)]
    pub(super) object: Object<'a>,
}

#[derive(Debug, Serialize)]
pub(super) struct Batch {
    position: u64,
    base_offset: i64,
    last_offset: i64,
    count: i32,
    base_sequence: i32,
    last_sequence: i32,
    producer_id: i64,
    producer_epoch: i16,
    partition_leader_epoch: i32,
    is_transactional: bool,
    is_control: bool,
    delete_horizon_ms: Option<i64>,
    timestamp_type: &'static str,
    max_timestamp: i64,
    size: usize,
    magic: i8,
    compression: String,
    crc: u32,
    is_valid: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    records: Option<Vec<Record>>,
}

#[derive(Debug, Serialize)]
pub(super) struct Record {
    offset: i64,
    timestamp: i64,
    sequence: i32,
    key: Blob,
    value: Blob,
    headers: Vec<JsonHeader>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end_transaction: Option<EndTransaction>,
}

/// A producer in a snapshot.
#[derive(Debug, Serialize)]
pub(super) struct Producer {
    pub(super) position: u64,
    pub(super) producer_id: i64,
    pub(super) producer_epoch: i16,
    pub(super) coordinator_epoch: i32,
    pub(super) current_transaction_first_offset: Option<i64>,
    pub(super) last_timestamp: i64,
    pub(super) last_batch: Option<LastBatch>,
}

/// The batch that a producer appended last.
#[derive(Debug, Serialize)]
pub(super) struct LastBatch {
    pub(super) first_sequence: i32,
    pub(super) last_sequence: i32,
    pub(super) last_offset: i64,
    pub(super) offset_delta: i32,
    pub(super) timestamp: i64,
}

/// What the marker at the end of a transaction says.
#[derive(Debug, Serialize)]
struct EndTransaction {
    result: String,
    coordinator_epoch: i32,
}

impl Batch {
    pub(super) fn new(header: &BatchHeader, position: u64, is_valid: bool, records: Option<Vec<Record>>) -> Self {
        Self {
            position,
            base_offset: header.base_offset,
            last_offset: header.last_offset(),
            count: header.records_count,
            base_sequence: header.base_sequence,
            last_sequence: header.last_sequence(),
            producer_id: header.producer_id,
            producer_epoch: header.producer_epoch,
            partition_leader_epoch: header.partition_leader_epoch,
            is_transactional: header.is_transactional(),
            is_control: header.is_control(),
            delete_horizon_ms: header.attributes.has_delete_horizon().then_some(header.base_timestamp),
            timestamp_type: timestamp_type(header.timestamp_type()),
            max_timestamp: header.max_timestamp,
            size: header.size(),
            magic: 2,
            compression: super::batches::codec_name(header),
            crc: header.crc,
            is_valid,
            records,
        }
    }
}

impl Record {
    pub(super) fn new(record: &RecordView<'_>, header: &BatchHeader) -> Self {
        let blob = |bytes: Option<&[u8]>| Blob(bytes.map(bytes::Bytes::copy_from_slice));
        // A header that can't be read ends the list: the batch is told to be damaged.
        let headers = record.headers().map_while(Result::ok);
        let marker = if header.is_control() { EndTransactionMarker::parse(record).ok().flatten() } else { None };
        Self {
            offset: record.offset,
            timestamp: record.timestamp,
            sequence: super::batches::sequence_of(record, header),
            key: blob(record.key),
            value: blob(record.value),
            headers: headers.map(|of| JsonHeader { key: of.key.to_owned(), value: blob(of.value) }).collect(),
            end_transaction: marker.map(|marker| EndTransaction {
                result: format!("{:?}", marker.result).to_uppercase(),
                coordinator_epoch: marker.coordinator_epoch,
            }),
        }
    }
}
