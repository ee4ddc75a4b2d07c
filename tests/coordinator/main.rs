//! The transaction coordinator through the public API: what it promises, and that it keeps that whatever fails.
#![cfg(feature = "sim")]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

#[path = "../common/mod.rs"]
mod common;

mod behaviour;
mod crash;
mod faults;
mod upkeep;
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use esker::record::{BatchBuilder, RecordData, TransactionResult};
use esker::sim::{FaultStorage, ManualClock};
use esker::{
    Acks, Appended, AutoOffsetReset, ConsumerConfig, IsolationLevel, Maintenance, ProducerIdAndEpoch, Result, Store,
    StoreConfig, TopicConfig, TopicPartition,
};

const START_MS: i64 = 1_700_000_000_000;
const TIMEOUT: Duration = Duration::from_secs(60);

/// A store on a simulated disk, with a clock that stands.
struct Fixture {
    disk: FaultStorage,
    clock: ManualClock,
    store: Store,
}

impl Fixture {
    /// With the topics `a` and `b` of two partitions each.
    fn new() -> Self {
        let clock = ManualClock::new(START_MS);
        let disk = FaultStorage::with_clock(1, clock.clone());
        let store = open(&disk, &clock);
        for topic in ["a", "b"] {
            store.create_topic(topic, TopicConfig::new().partitions(2)).unwrap();
        }
        Self { disk, clock, store }
    }

    fn reopen(&mut self) {
        self.store.close().unwrap();
        self.store = open(&self.disk, &self.clock);
    }

    /// Time passes, and the maintenance runs.
    fn pass(&self, time: Duration) {
        self.clock.advance(time);
        self.store.tick().unwrap();
    }

    fn init(&self, id: &str) -> ProducerIdAndEpoch {
        self.store.init_transactional_id(id, TIMEOUT).unwrap()
    }

    fn add(&self, id: &str, producer: ProducerIdAndEpoch, partitions: &[(&str, i32)]) -> Result<()> {
        self.store.add_partitions_to_transaction(id, producer, partitions.iter().map(|at| TopicPartition::from(*at)))
    }

    /// Appends a record of the producer's transaction, without adding its partition.
    fn append(&self, producer: ProducerIdAndEpoch, sequence: i32, at: (&str, i32), value: &str) -> Result<Appended> {
        let mut batch = BatchBuilder::new(1000)
            .producer(producer.producer_id, producer.producer_epoch, sequence)
            .transactional(true);
        batch.push(&RecordData::new(None, Some(value.as_bytes())).at(START_MS))?;
        self.store.partition(at.0, at.1)?.append(batch.build()?, Acks::All)
    }

    /// A transaction of one record in each of these partitions, which is not ended.
    fn begin(&self, id: &str, producer: ProducerIdAndEpoch, sequence: i32, partitions: &[(&str, i32)], value: &str) {
        self.add(id, producer, partitions).unwrap();
        for at in partitions {
            self.append(producer, sequence, *at, value).unwrap();
        }
    }

    /// What a reader of committed records gets, by partition.
    fn committed(&self) -> BTreeMap<(String, i32), Vec<String>> {
        committed(&self.store)
    }
}

fn open(disk: &FaultStorage, clock: &ManualClock) -> Store {
    options(disk, clock).open("data").unwrap()
}

fn options(disk: &FaultStorage, clock: &ManualClock) -> esker::StoreOptions {
    let config = StoreConfig {
        transaction_state_log_num_partitions: 3,
        offsets_topic_num_partitions: 1,
        ..StoreConfig::default()
    };
    Store::options()
        .storage(Arc::new(disk.clone()))
        .clock(Arc::new(clock.clone()))
        .config(config)
        .maintenance(Maintenance::Manual)
}

fn committed(store: &Store) -> BTreeMap<(String, i32), Vec<String>> {
    let config = ConsumerConfig::new()
        .auto_offset_reset(AutoOffsetReset::Earliest)
        .isolation_level(IsolationLevel::ReadCommitted);
    let mut consumer = store.consumer(config).unwrap();
    consumer.assign_topics(store.topics().iter().map(String::as_str).filter(|topic| !topic.starts_with("__"))).unwrap();
    let mut read: BTreeMap<_, Vec<String>> = BTreeMap::new();
    loop {
        let records = consumer.poll(Duration::ZERO).unwrap();
        if records.is_empty() {
            return read;
        }
        for record in records {
            let value = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
            read.entry((record.topic.to_string(), record.partition)).or_default().push(value);
        }
    }
}

/// The same records in each of these partitions.
fn in_all(partitions: &[(&str, i32)], values: &[&str]) -> BTreeMap<(String, i32), Vec<String>> {
    let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
    partitions.iter().map(|(topic, partition)| (((*topic).to_owned(), *partition), values.clone())).collect()
}
