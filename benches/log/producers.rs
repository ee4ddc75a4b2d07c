//! What idempotence and transactions cost, against the same without them.

use std::time::Instant;

use esker::record::{BatchBuilder, RecordData};
use esker::{Acks, CommittedOffset, Log, Producer, ProducerConfig, Record, Store, TopicConfig};

use crate::harness::{VALUE, compare, with_log};

/// Appends batches, numbered as those of a producer or not, and returns how many records that were a second, in
/// thousands.
fn append(log: &Log, batches: usize, records: usize, idempotent: bool) -> f64 {
    let mut builder = BatchBuilder::new(1 << 20);
    let start = Instant::now();
    for batch in 0..batches {
        for _ in 0..records {
            builder.push(&RecordData::of(&VALUE).at(1_700_000_000_000)).unwrap();
        }
        if idempotent {
            builder.set_producer(1, 0, (batch * records) as i32);
        }
        log.append(builder.build().unwrap(), Acks::Leader).unwrap();
        builder.clear();
    }
    (batches * records) as f64 / start.elapsed().as_secs_f64() / 1e3
}

pub fn idempotent() {
    for (records, batches) in [(1, 1_000_000), (100, 30_000)] {
        let run = |idempotent| with_log(|log| append(log, batches, records, idempotent));
        let name = format!("append {records} × 100 B, idempotent; limit plain");
        compare(&name, "k/s", "0.90", || run(true), || run(false));
    }
    const COUNT: usize = 300_000;
    let run = |idempotent| {
        with_producer(ProducerConfig::new().enable_idempotence(idempotent), |producer| {
            send(producer, COUNT);
            producer.flush().unwrap();
            COUNT as f64
        })
    };
    compare("producer, idempotent; limit plain", "k/s", "0.90", || run(true), || run(false));
}

/// Transactions against as many records of an idempotent producer, flushed as often.
pub fn transactional() {
    for (records, count, goal) in [(1, 300, "-"), (100, 300, "-"), (10_000, 30, "-")] {
        let transactions = || {
            with_producer(ProducerConfig::new().transactional_id("bench"), |producer| {
                for _ in 0..count {
                    let transaction = producer.begin_transaction().unwrap();
                    send(producer, records);
                    transaction.commit().unwrap();
                }
                (count * records) as f64
            })
        };
        let plain = || {
            with_producer(ProducerConfig::new(), |producer| {
                for _ in 0..count {
                    send(producer, records);
                    producer.flush().unwrap();
                }
                (count * records) as f64
            })
        };
        let name = format!("transactions of {records}; limit plain, flushed");
        compare(&name, "k/s", goal, transactions, plain);
    }
}

/// Committed offsets, against an append of as many bytes.
pub fn offsets() {
    const COUNT: i64 = 100_000;
    let commits = || {
        let store = Store::temporary().unwrap();
        store.create_topic("t", TopicConfig::new()).unwrap();
        let commit = |offset| {
            let commit = (("t", 0).into(), CommittedOffset::new(offset));
            store.commit_offsets("g", [commit], Acks::Leader).unwrap();
        };
        commit(0); // creates __consumer_offsets
        let start = Instant::now();
        (1..=COUNT).for_each(commit);
        COUNT as f64 / start.elapsed().as_secs_f64() / 1e3
    };
    let appends = || {
        with_log(|log| {
            let mut builder = BatchBuilder::new(1 << 20);
            let start = Instant::now();
            for _ in 0..COUNT {
                builder.push(&RecordData::new(Some(&[0; 12]), Some(&[0; 24])).at(1_700_000_000_000)).unwrap();
                log.append(builder.build().unwrap(), Acks::Leader).unwrap();
                builder.clear();
            }
            COUNT as f64 / start.elapsed().as_secs_f64() / 1e3
        })
    };
    compare("commit an offset, Leader; limit append", "k/s", "-", commits, appends);
}

fn send(producer: &Producer, count: usize) {
    for _ in 0..count {
        drop(producer.send_async(Record::to("t").value(&VALUE[..])).unwrap());
    }
}

/// Runs something that sends records, and returns how many that were a second, in thousands.
fn with_producer(config: ProducerConfig, run: impl FnOnce(&Producer) -> f64) -> f64 {
    let store = Store::temporary().unwrap();
    store.create_topic("t", TopicConfig::new()).unwrap();
    let producer = store.producer(config).unwrap();
    let start = Instant::now();
    run(&producer) / start.elapsed().as_secs_f64() / 1e3
}
