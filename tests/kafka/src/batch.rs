//! Records as they are handed to either engine.

use esker::record::{BatchBuilder, BatchView, Compression, Header, RecordData};
use serde::Serialize;
use serde_json::{Value, json};

/// A record to append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub timestamp: i64,
    pub key: Option<Vec<u8>>,
    pub value: Option<Vec<u8>>,
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

/// Who sends a batch, if it is an idempotent producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Producer {
    pub id: i64,
    pub epoch: i16,
    pub sequence: i32,
    pub transactional: bool,
}

/// Records to append together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    pub records: Vec<Record>,
    pub codec: Compression,
    pub producer: Option<Producer>,
}

impl Batch {
    pub fn plain(records: Vec<Record>) -> Self {
        Self { records, codec: Compression::None, producer: None }
    }

    /// The batch as esker builds it.
    pub fn build(&self) -> BatchView {
        let mut builder = BatchBuilder::new(1 << 20).compression(self.codec);
        if let Some(producer) = self.producer {
            builder =
                builder.producer(producer.id, producer.epoch, producer.sequence).transactional(producer.transactional);
        }
        for record in &self.records {
            let headers: Vec<Header<'_>> =
                record.headers.iter().map(|(key, value)| Header { key, value: value.as_deref() }).collect();
            let data = RecordData {
                timestamp: record.timestamp,
                key: record.key.as_deref(),
                value: record.value.as_deref(),
                headers: &headers,
            };
            builder.push(&data).expect("the records can be built");
        }
        builder.build().expect("a batch of at least one record").into()
    }

    /// What Kafka builds the batch from.
    pub fn to_json(&self) -> Value {
        let records: Vec<Value> = self.records.iter().map(Record::to_json).collect();
        json!({ "codec": self.codec.to_string(), "producer": self.producer, "records": records })
    }
}

impl Record {
    pub fn to_json(&self) -> Value {
        let headers: Vec<Value> =
            self.headers.iter().map(|(key, value)| json!([key, value.as_deref().map(hex)])).collect();
        json!({
            "timestamp": self.timestamp,
            "key": self.key.as_deref().map(hex),
            "value": self.value.as_deref().map(hex),
            "headers": headers,
        })
    }
}

/// Bytes as text.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
