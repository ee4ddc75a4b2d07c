//! Consumers of one process that share topics: who reads what, what happens when they come, go, and stall, and that
//! nothing is lost by it. Time stands still unless a test moves it.
#![cfg(all(feature = "coordinator", feature = "sim"))]
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

#[path = "../common/mod.rs"]
mod common;

mod behaviour;
mod crash;
#[cfg(feature = "net")]
mod mixed;
mod pause;
mod schedule;
mod threads;
mod waking;

use std::sync::Arc;
use std::time::Duration;

use esker::sim::{FaultStorage, ManualClock};
use esker::{
    AutoOffsetReset, Consumer, ConsumerConfig, ConsumerRecord, Error, GroupError, Maintenance, ProducerConfig, Record,
    Store, StoreConfig, TopicConfig,
};

const GROUP: &str = "g";
/// The default of `max.poll.interval.ms`.
const MAX_POLL_INTERVAL: Duration = Duration::from_secs(300);

/// A store on a simulated disk, which nobody drives but those who use it.
struct Fixture {
    disk: FaultStorage,
    clock: ManualClock,
    store: Store,
}

impl Fixture {
    /// With a topic "t" of that many partitions.
    fn new(partitions: i32) -> Self {
        let clock = ManualClock::new(1_700_000_000_000);
        let disk = FaultStorage::with_clock(1, clock.clone());
        let store = open(&disk, &clock).unwrap();
        store.create_topic("t", TopicConfig::new().partitions(partitions)).unwrap();
        Self { disk, clock, store }
    }

    fn consumer(&self) -> Consumer {
        self.consumer_with(config())
    }

    /// One that subscribes to "t".
    fn consumer_with(&self, config: ConsumerConfig) -> Consumer {
        let mut consumer = self.store.consumer(config).unwrap();
        consumer.subscribe(["t"]).unwrap();
        consumer
    }
}

/// Groups begin at once.
fn open(disk: &FaultStorage, clock: &ManualClock) -> esker::Result<Store> {
    let config =
        StoreConfig { group_initial_rebalance_delay_ms: 0, offsets_topic_num_partitions: 1, ..StoreConfig::default() };
    let options = Store::options().storage(Arc::new(disk.clone())).clock(Arc::new(clock.clone())).config(config);
    options.maintenance(Maintenance::Manual).open("data")
}

fn config() -> ConsumerConfig {
    ConsumerConfig::from(GROUP).auto_offset_reset(AutoOffsetReset::Earliest)
}

fn cooperative() -> ConsumerConfig {
    let mut config = config();
    config.set("partition.assignment.strategy", "cooperative-sticky").unwrap();
    config
}

/// What there is now.
fn poll(consumer: &mut Consumer) -> Vec<ConsumerRecord> {
    consumer.poll(Duration::ZERO).unwrap()
}

/// Lets all poll until nothing changes any more, and returns which partitions each reads.
fn settle(consumers: &mut [&mut Consumer]) -> Vec<Vec<i32>> {
    for _ in 0..12 {
        consumers.iter_mut().for_each(|consumer| drop(poll(consumer)));
    }
    consumers.iter().map(|consumer| partitions(consumer)).collect()
}

/// The partitions that a consumer reads.
fn partitions(consumer: &Consumer) -> Vec<i32> {
    let mut partitions: Vec<i32> = consumer.assignment().iter().map(|at| at.partition).collect();
    partitions.sort_unstable();
    partitions
}

fn send(store: &Store, partition: i32, value: impl Into<Vec<u8>>) {
    let producer = store.producer(ProducerConfig::new()).unwrap();
    producer.send(Record::to("t").partition(partition).value(value.into())).unwrap();
}

fn refusal<T: std::fmt::Debug>(result: esker::Result<T>) -> GroupError {
    match result.unwrap_err() {
        Error::Group { group, error } if group == GROUP => error,
        other => panic!("{other:?}"),
    }
}
