//! Everything that there is to know about a log, in the same words from both engines.

use serde::{Deserialize, Serialize};
use serde_json::Value;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Description {
    pub log_start: i64,
    pub high_watermark: i64,
    pub log_end: i64,
    pub recovery_point: i64,
    pub topic_id: String,
    pub segments: Vec<Segment>,
    pub leader_epochs: Vec<LeaderEpoch>,
    /// For each epoch from 0 on, up to one that there is not, which epoch is known in its place and where it ends.
    pub end_offsets_for_epochs: Vec<Option<(i32, i64)>>,
    pub batches: Vec<Batch>,
    /// What was found for the timestamps that were asked for.
    pub offsets_for_timestamps: Vec<Option<OffsetAndTimestamp>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Segment {
    pub base_offset: i64,
    pub size: u64,
    /// Offsets and positions.
    pub offset_index: Vec<(i64, i32)>,
    /// Timestamps and offsets.
    pub time_index: Vec<(i64, i64)>,
    pub transaction_index: Vec<AbortedTransaction>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LeaderEpoch {
    pub epoch: i32,
    pub start_offset: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Batch {
    pub base_offset: i64,
    pub last_offset: i64,
    pub size: u64,
    pub leader_epoch: i32,
    pub crc: u32,
    pub codec: String,
    pub log_append_time: bool,
    pub max_timestamp: i64,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub base_sequence: i32,
    pub is_transactional: bool,
    pub is_control: bool,
    pub delete_horizon_ms: Option<i64>,
    pub records: Vec<Record>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    pub offset: i64,
    pub timestamp: i64,
    /// In hexadecimal, as all bytes here.
    pub key: Option<String>,
    pub value: Option<String>,
    pub headers: Vec<(String, Option<String>)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AbortedTransaction {
    pub producer_id: i64,
    pub first_offset: i64,
    pub last_offset: i64,
    pub last_stable_offset: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct OffsetAndTimestamp {
    pub offset: i64,
    pub timestamp: i64,
}

impl Description {
    /// Where the other description differs first, leaving out what the two engines may see differently: indexes are
    /// sparse, and a recovery point is what was last written down of it.
    pub fn difference(&self, other: &Self) -> Option<String> {
        let comparable = |description: &Self| {
            let mut comparable = description.clone();
            comparable.recovery_point = 0;
            for segment in &mut comparable.segments {
                segment.offset_index.clear();
                segment.time_index.clear();
            }
            serde_json::to_value(comparable).expect("a description is plain data")
        };
        difference(&comparable(self), &comparable(other), String::new())
    }

    /// All records, of data and of control batches.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.batches.iter().flat_map(|batch| &batch.records)
    }

    /// The timestamps at which a lookup may change its mind: those of the records, and one to either side.
    pub fn interesting_timestamps(&self) -> Vec<i64> {
        let mut timestamps: Vec<i64> = self
            .records()
            .flat_map(|record| [record.timestamp - 1, record.timestamp, record.timestamp + 1])
            // Below 0 Kafka has special meanings.
            .filter(|timestamp| *timestamp >= 0)
            .collect();
        timestamps.sort_unstable();
        timestamps.dedup();
        timestamps
    }
}

/// Where two values differ first.
fn difference(one: &Value, other: &Value, path: String) -> Option<String> {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            // A checksum differs because something else does, which says more.
            let (last, first): (Vec<_>, Vec<_>) = one.iter().partition(|(key, _)| *key == "crc");
            let mut fields = first.into_iter().chain(last);
            fields.find_map(|(key, value)| difference(value, &other[key], format!("{path}.{key}")))
        }
        (Value::Array(one), Value::Array(other)) => {
            let pairs = one.iter().zip(other).enumerate();
            pairs
                .map(|(index, (one, other))| difference(one, other, format!("{path}[{index}]")))
                .find_map(|found| found)
                .or_else(|| {
                    let differ = one.len() != other.len();
                    differ.then(|| format!("{path} has {} here and {} there", one.len(), other.len()))
                })
        }
        _ => (one != other).then(|| format!("{path} is {one} here and {other} there")),
    }
}
