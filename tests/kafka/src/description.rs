//! Everything that there is to know about a log, in the same words from both engines.

use serde::Deserialize;

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Description {
    pub log_start: i64,
    pub high_watermark: i64,
    pub log_end: i64,
    pub recovery_point: i64,
    pub topic_id: String,
    pub segments: Vec<Segment>,
    pub leader_epochs: Vec<LeaderEpoch>,
    pub batches: Vec<Batch>,
    /// What was found for the timestamps that were asked for.
    pub offsets_for_timestamps: Vec<Option<OffsetAndTimestamp>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Segment {
    pub base_offset: i64,
    pub size: u64,
    /// Offsets and positions.
    pub offset_index: Vec<(i64, i32)>,
    /// Timestamps and offsets.
    pub time_index: Vec<(i64, i64)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaderEpoch {
    pub epoch: i32,
    pub start_offset: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
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

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    pub offset: i64,
    pub timestamp: i64,
    /// In hexadecimal, as all bytes here.
    pub key: Option<String>,
    pub value: Option<String>,
    pub headers: Vec<(String, Option<String>)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OffsetAndTimestamp {
    pub offset: i64,
    pub timestamp: i64,
}

impl Description {
    /// All of it but what the two engines may see differently: indexes are sparse, and a recovery point is what was
    /// last written down of it.
    pub fn comparable(&self) -> Self {
        let mut comparable = self.clone();
        comparable.recovery_point = 0;
        for segment in &mut comparable.segments {
            segment.offset_index.clear();
            segment.time_index.clear();
        }
        comparable
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
