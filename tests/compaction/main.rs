//! Compaction through the public API: what stays, what goes, and when.
#![cfg(feature = "sim")]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]
#![allow(missing_docs, reason = "a test has no users")]

mod changes;
#[path = "../common/mod.rs"]
mod common;
mod faults;
mod history;
mod model;
mod passes;
mod transactions;

use std::sync::Arc;
use std::time::Duration;

use esker::io::Storage;
use esker::record::{BatchBuilder, RecordData};
use esker::sim::ManualClock;
use esker::{Acks, CleanupPolicy, Log, Maintenance, Offset, Store, StoreConfig, TopicConfig};

pub const START_MS: i64 = 1_700_000_000_000;
pub const TOPIC: &str = "prices";

/// A store with one compacted topic of small segments, driven by hand.
pub struct World {
    pub store: Store,
    pub clock: ManualClock,
}

impl World {
    pub fn new(storage: Arc<dyn Storage>, store: StoreConfig, topic: TopicConfig) -> Self {
        let clock = ManualClock::new(START_MS);
        let world = Self { store: open(storage, clock.clone(), store).unwrap(), clock };
        world.store.create_topic(TOPIC, topic).unwrap();
        world
    }

    pub fn log(&self) -> Log {
        self.store.partition(TOPIC, 0).unwrap()
    }

    pub fn advance(&self, ms: u64) {
        self.clock.advance(Duration::from_millis(ms));
    }

    /// Appends a batch of puts and tombstones, now. Returns the first offset.
    pub fn append(&self, records: &[(&str, Option<&str>)]) -> Offset {
        use esker::clock::Clock;
        let now_ms = self.clock.now_ms();
        let mut builder = BatchBuilder::new(1 << 20);
        for (key, value) in records {
            builder.push(&RecordData::new(Some(key.as_bytes()), value.map(str::as_bytes)).at(now_ms)).unwrap();
        }
        self.log().append(builder.build().unwrap(), Acks::Leader).unwrap().base_offset
    }

    pub fn put(&self, key: &str, value: &str) -> Offset {
        self.append(&[(key, Some(value))])
    }

    /// All records, as offset, key and value.
    pub fn records(&self) -> Vec<(Offset, String, Option<String>)> {
        records(&self.log())
    }
}

/// Appends a batch of one record.
pub fn put(log: &Log, key: &str, value: &str) -> Offset {
    let mut builder = BatchBuilder::new(1 << 20);
    builder.push(&RecordData::new(Some(key.as_bytes()), Some(value.as_bytes())).at(START_MS)).unwrap();
    log.append(builder.build().unwrap(), Acks::Leader).unwrap().base_offset
}

pub fn open(storage: Arc<dyn Storage>, clock: ManualClock, config: StoreConfig) -> esker::Result<Store> {
    Store::options()
        .storage(storage)
        .clock(Arc::new(clock))
        .config(config)
        .maintenance(Maintenance::Manual)
        .open("/data")
}

pub fn records(log: &Log) -> Vec<(Offset, String, Option<String>)> {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let all = common::read_all(log, esker::ReadLimits::new()).unwrap();
    all.into_iter().map(|(offset, sent)| (offset, text(sent.key.unwrap()), sent.value.map(text))).collect()
}

pub fn compacted() -> TopicConfig {
    TopicConfig::new()
        .cleanup_policy(CleanupPolicy::COMPACT)
        .internal_segment_bytes(400)
        .index_interval_bytes(0)
        .file_delete_delay_ms(0)
        .delete_retention_ms(10_000)
}
