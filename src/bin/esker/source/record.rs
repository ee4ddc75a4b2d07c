//! Records on their way in and out, wherever they are kept.

use std::sync::Arc;

use bytes::Bytes;
use esker::record::{Header, RecordData, TimestampType};
use esker::{ConsumerRecord, LeaderEpoch, Offset, Record};

/// A header's key and value.
pub(crate) type OwnedHeader = (String, Option<Bytes>);

/// A record to be written.
#[derive(Clone, Debug, Default)]
pub(crate) struct NewRecord {
    pub(crate) partition: Option<i32>,
    pub(crate) timestamp: Option<i64>,
    pub(crate) key: Option<Bytes>,
    pub(crate) value: Option<Bytes>,
    pub(crate) headers: Vec<OwnedHeader>,
}

/// A record that was read.
#[derive(Clone, Debug)]
pub(crate) struct ReadRecord {
    pub(crate) topic: Arc<str>,
    pub(crate) partition: i32,
    pub(crate) offset: Offset,
    pub(crate) timestamp: i64,
    pub(crate) timestamp_type: TimestampType,
    pub(crate) key: Option<Bytes>,
    pub(crate) value: Option<Bytes>,
    pub(crate) headers: Vec<OwnedHeader>,
    pub(crate) leader_epoch: LeaderEpoch,
}

impl NewRecord {
    /// The record, to be sent to this topic.
    pub(crate) fn to(self, topic: Arc<str>) -> Record {
        let mut record = Record::to(topic);
        if let Some(partition) = self.partition {
            record = record.partition(partition);
        }
        if let Some(timestamp) = self.timestamp {
            record = record.timestamp(timestamp);
        }
        if let Some(key) = self.key {
            record = record.key(key);
        }
        if let Some(value) = self.value {
            record = record.value(value);
        }
        for (key, value) in self.headers {
            record = match value {
                Some(value) => record.header(key, value),
                None => record.null_header(key),
            };
        }
        record
    }

    /// Its headers, to be packed into a batch.
    pub(crate) fn headers(&self) -> Vec<Header<'_>> {
        self.headers.iter().map(|(key, value)| Header { key, value: value.as_deref() }).collect()
    }

    /// What is packed into a batch, at this time if it has none.
    pub(crate) fn data<'a>(&'a self, headers: &'a [Header<'a>], now_ms: i64) -> RecordData<'a> {
        RecordData {
            timestamp: self.timestamp.unwrap_or(now_ms),
            key: self.key.as_deref(),
            value: self.value.as_deref(),
            headers,
        }
    }
}

impl From<ConsumerRecord> for ReadRecord {
    fn from(record: ConsumerRecord) -> Self {
        Self {
            topic: record.topic,
            partition: record.partition,
            offset: record.offset,
            timestamp: record.timestamp,
            timestamp_type: record.timestamp_type,
            key: record.key,
            value: record.value,
            headers: record.headers,
            leader_epoch: record.leader_epoch,
        }
    }
}
