//! Esker, as an engine.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use esker::io::FsStorage;
use esker::record::{RecordView, TimestampType};
use esker::sim::ManualClock;
use esker::{
    Acks, CommittedOffset, Log, Maintenance, ReadLimits, Result, Store, StoreConfig, StoreOptions, TopicConfig,
    TopicPartition,
};

use crate::batch::{Batch, hex};
use crate::description::{self, Description, LeaderEpoch, OffsetAndTimestamp, Segment};
use crate::engine::{Engine, Topics, partition};
use crate::files;

/// All epochs of the tests are below.
const EPOCHS: i32 = 30;

/// A data directory that esker has open.
#[derive(Debug)]
pub struct Esker {
    pub store: Store,
    clock: ManualClock,
    topics: Topics,
}

impl Esker {
    /// Opens the directory, creating it if it is not there.
    pub fn open(dir: &Path, now_ms: i64, topics: &Topics) -> Self {
        Self::open_by(StoreOptions::open, dir, now_ms, topics)
    }

    /// Opens a directory that somebody else has open.
    pub fn open_read_only(dir: &Path, now_ms: i64, topics: &Topics) -> Self {
        Self::open_by(StoreOptions::open_read_only, dir, now_ms, topics)
    }

    fn open_by(open: fn(StoreOptions, PathBuf) -> Result<Store>, dir: &Path, now_ms: i64, topics: &Topics) -> Self {
        let clock = ManualClock::new(now_ms);
        let config = StoreConfig {
            offsets_topic_num_partitions: 1,
            transaction_state_log_num_partitions: 1,
            log_flush_offset_checkpoint_interval_ms: 1,
            log_retention_check_interval_ms: 1,
            ..StoreConfig::default()
        };
        let options = Store::options()
            .storage(Arc::new(FsStorage::new()))
            .clock(Arc::new(clock.clone()))
            .config(config)
            .maintenance(Maintenance::Manual);
        let store =
            open(options, dir.to_owned()).unwrap_or_else(|error| panic!("esker opens {}: {error}", dir.display()));
        Self { store, clock, topics: topics.clone() }
    }

    pub fn log(&self, at: &TopicPartition) -> Log {
        self.store.partition(&at.topic, at.partition).expect("the partition exists")
    }

    fn dir_of(&self, at: &TopicPartition) -> PathBuf {
        self.store.dir().join(at.to_string())
    }
}

impl Engine for Esker {
    fn complaints(&self) -> Vec<String> {
        let report = self.store.recovery_report();
        if report.is_healthy() { Vec::new() } else { vec![format!("{report:?}")] }
    }

    fn create_topic(&self, topic: &str) {
        let mut config = TopicConfig::new();
        for (key, value) in &self.topics[topic] {
            config.set(key, value).expect("the config has a meaning here");
        }
        self.store.create_topic(topic, config).expect("the topic can be created");
    }

    fn set_time(&self, now_ms: i64) {
        self.clock.set_ms(now_ms);
    }

    fn try_append(&self, at: &TopicPartition, batch: &Batch) -> Result<i64, String> {
        let batch = batch.build();
        let appended = self.log(at).append(batch.as_ref(), Acks::Leader);
        appended.map(|appended| appended.base_offset).map_err(|error| error.to_string())
    }

    fn set_leader_epoch(&self, at: &TopicPartition, epoch: i32) {
        self.log(at).set_leader_epoch(epoch).expect("the epoch is accepted");
    }

    fn delete_records(&self, at: &TopicPartition, offset: i64) {
        self.log(at).delete_records(offset).expect("the records can be deleted");
    }

    fn truncate(&self, at: &TopicPartition, offset: i64) {
        self.log(at).truncate_to(offset).expect("the log can be truncated");
    }

    fn commit_offset(&self, group: &str, topic: &str, offset: i64, metadata: &str) {
        let commit = CommittedOffset::new(offset).metadata(metadata);
        self.store.commit_offsets(group, [(partition(topic), commit)], Acks::Leader).expect("the commit is accepted");
    }

    fn maintain(&self) {
        self.clock.advance(std::time::Duration::from_millis(1));
        self.store.tick().expect("the maintenance has nothing to complain about");
    }

    fn describe(&self, at: &TopicPartition, timestamps: &[i64]) -> Description {
        let log = self.log(at);
        let topic = self.store.describe_topic(&at.topic).expect("the topic exists");
        let lookup = |timestamp: &i64| {
            let found = log.offset_for_timestamp(*timestamp).expect("the lookup finds its way");
            found.map(|found| OffsetAndTimestamp { offset: found.offset, timestamp: found.timestamp })
        };
        Description {
            log_start: log.log_start(),
            high_watermark: log.high_watermark(),
            log_end: log.log_end(),
            recovery_point: log.recovery_point(),
            topic_id: topic.id.to_string(),
            segments: segments(&self.dir_of(at), &log),
            leader_epochs: log
                .leader_epochs()
                .iter()
                .map(|entry| LeaderEpoch { epoch: entry.epoch, start_offset: entry.start_offset })
                .collect(),
            end_offsets_for_epochs: (0..EPOCHS)
                .map(|epoch| log.end_offset_for_epoch(epoch).map(|end| (end.leader_epoch, end.end_offset)))
                .collect(),
            batches: batches(&log),
            offsets_for_timestamps: timestamps.iter().map(lookup).collect(),
        }
    }

    fn close(self) {
        self.store.close().expect("the store can be closed");
    }
}

/// The segments of a log. The last one's file may reach further than its batches do, and the only one has none before
/// the first append.
fn segments(dir: &Path, log: &Log) -> Vec<Segment> {
    let logs = files::with_suffix(dir, ".log");
    if logs.is_empty() {
        let (offset_index, time_index, transaction_index) = Default::default();
        return vec![Segment { base_offset: log.log_start(), size: 0, offset_index, time_index, transaction_index }];
    }
    let mut sizes: Vec<u64> = logs.iter().map(|path| fs::metadata(path).expect("it is there").len()).collect();
    if let Some((last, sealed)) = sizes.split_last_mut() {
        *last = log.size_in_bytes() - sealed.iter().sum::<u64>();
    }
    logs.iter()
        .zip(sizes)
        .map(|(path, size)| Segment {
            base_offset: files::base_offset(path),
            size,
            offset_index: files::offset_index(&path.with_extension("index")),
            time_index: files::time_index(&path.with_extension("timeindex")),
            transaction_index: files::transaction_index(&path.with_extension("txnindex")),
        })
        .collect()
}

fn batches(log: &Log) -> Vec<description::Batch> {
    let mut batches = Vec::new();
    let mut offset = log.log_start();
    while offset < log.log_end() {
        let fetched = log.read(offset, ReadLimits::default()).expect("the log can be read");
        for batch in fetched.batches() {
            let batch = batch.expect("the batch is whole");
            let header = *batch.header();
            let has_delete_horizon = header.attributes.has_delete_horizon();
            let records = batch.records().expect("the records can be read");
            batches.push(description::Batch {
                base_offset: header.base_offset,
                last_offset: header.last_offset(),
                size: header.size() as u64,
                leader_epoch: header.partition_leader_epoch,
                crc: header.crc,
                codec: header.compression().expect("a codec").to_string(),
                log_append_time: header.timestamp_type() == TimestampType::LogAppendTime,
                max_timestamp: header.max_timestamp,
                producer_id: header.producer_id,
                producer_epoch: header.producer_epoch,
                base_sequence: header.base_sequence,
                is_transactional: header.is_transactional(),
                is_control: header.is_control(),
                delete_horizon_ms: has_delete_horizon.then_some(header.base_timestamp),
                records: records.into_iter().map(|record| to_record(&record.expect("a record"))).collect(),
            });
        }
        offset = fetched.next_offset();
    }
    batches
}

fn to_record(record: &RecordView<'_>) -> description::Record {
    let headers = record.headers().map(|header| {
        let header = header.expect("a header");
        (header.key.to_owned(), header.value.map(hex))
    });
    description::Record {
        offset: record.offset,
        timestamp: record.timestamp,
        key: record.key.map(hex),
        value: record.value.map(hex),
        headers: headers.collect(),
    }
}
