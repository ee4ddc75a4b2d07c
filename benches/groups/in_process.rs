//! The same without a wire: consumers of the process, all polled by one thread.

use std::time::{Duration, Instant};

use esker::{Acks, CommittedOffset, Consumer, ConsumerConfig, Store, StoreConfig, TopicConfig, TopicPartition};

use super::commits::PARTITIONS;
use super::{SIZES, line};

const COMMITS: i64 = 2000;

pub fn run() {
    let config = StoreConfig { group_initial_rebalance_delay_ms: 0, ..StoreConfig::default() };
    let store = Store::options().config(config).open_temporary().unwrap();
    for size in SIZES {
        rebalance(&store, size);
    }
    store.create_topic("committed", TopicConfig::new().partitions(PARTITIONS as i32)).unwrap();
    for (acks, partitions) in [(Acks::Leader, 1), (Acks::Leader, PARTITIONS), (Acks::All, 1), (Acks::All, PARTITIONS)] {
        let began = Instant::now();
        for offset in 0..COMMITS {
            let committed = |partition| (TopicPartition::new("committed", partition), CommittedOffset::new(offset));
            store.commit_offsets("commits", (0..partitions as i32).map(committed), acks).unwrap();
        }
        let offsets = COMMITS as f64 * partitions as f64 / began.elapsed().as_secs_f64();
        line(&format!("in process, {acks:?}, commits of {partitions}: offsets"), offsets, "1/s");
    }
}

fn rebalance(store: &Store, size: usize) {
    let topic = format!("topic-{size}");
    store.create_topic(&topic, TopicConfig::new().partitions(size as i32)).unwrap();
    let subscribe = |_| {
        let mut consumer = store.consumer(ConsumerConfig::from(&*format!("in-process-{size}"))).unwrap();
        consumer.subscribe([&*topic]).unwrap();
        consumer
    };
    let mut consumers: Vec<Consumer> = (0..size).map(subscribe).collect();
    let began = Instant::now();
    settle(&mut consumers, size);
    let took = began.elapsed().as_secs_f64() * 1000.0;
    line(&format!("in process, {size} members: all join"), took, "ms");
    drop(consumers.pop());
    let began = Instant::now();
    settle(&mut consumers, size);
    let took = began.elapsed().as_secs_f64() * 1000.0;
    line(&format!("in process, {size} members: one leaves"), took, "ms");
}

/// All poll until each has a partition, and nothing is left.
fn settle(consumers: &mut [Consumer], partitions: usize) {
    loop {
        for consumer in &mut *consumers {
            consumer.poll(Duration::ZERO).unwrap();
        }
        let owned: Vec<usize> = consumers.iter().map(|consumer| consumer.assignment().len()).collect();
        if owned.iter().all(|owned| *owned > 0) && owned.iter().sum::<usize>() == partitions {
            return;
        }
    }
}
