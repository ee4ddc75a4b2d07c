//! The consumer through the public API: positions, waiting, batching of polls, fairness, resets, groups, and what it
//! makes of topics that go and bytes that are damaged.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod api;

use std::thread;

use api::{FOREVER, append, store};
use esker::{Consumer, ConsumerConfig, ConsumerRecord, Error, Store, TopicConfig};

/// A consumer without a group, at the beginning of these partitions.
fn consumer_of<const N: usize>(store: &Store, partitions: [(&str, i32); N]) -> Consumer {
    let mut consumer = store.consumer(ConsumerConfig::new()).unwrap();
    consumer.assign(partitions).unwrap();
    consumer.seek_to_beginning().unwrap();
    consumer
}

fn text(record: &ConsumerRecord) -> String {
    String::from_utf8(record.value.as_deref().unwrap_or_default().to_vec()).unwrap()
}

// Waiting

#[test]
fn closing_the_store_ends_every_poll() {
    for _ in 0..100 {
        let store = store();
        store.create_topic("t", TopicConfig::new()).unwrap();
        append(&store.partition("t", 0).unwrap(), 0, &["one", "two"]);
        let mut consumer = consumer_of(&store, [("t", 0)]);
        thread::scope(|scope| {
            let poller = scope.spawn(move || {
                let mut records: Vec<String> = Vec::new();
                loop {
                    match consumer.poll(FOREVER) {
                        Ok(polled) => records.extend(polled.iter().map(text)),
                        Err(error) => break (records, error),
                    }
                }
            });
            store.close().unwrap();
            let (records, ended) = poller.join().unwrap();
            assert!(records.is_empty() || records == ["one", "two"], "{records:?}");
            assert!(matches!(ended, Error::Closed { what: "the store" }));
        });
    }
}
