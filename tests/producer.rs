//! The producer through the public API: order, placement, batching, acknowledgements, bounded memory, and what becomes
//! of records when something ends or goes wrong.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod api;

use std::thread;
use std::time::Duration;

use api::{FOREVER, batch_counts, manual_store, values};
use esker::{Acks, Error, ProducerConfig, Record, Store, TopicConfig};

fn create(store: &Store, topic: &str) -> esker::Log {
    store.create_topic(topic, TopicConfig::new()).unwrap();
    store.partition(topic, 0).unwrap()
}

// Bounded memory

#[test]
fn a_full_buffer_is_made_room_in_by_appending_what_lingers() {
    let store = manual_store();
    let log = create(&store, "t");
    let config = ProducerConfig::new().acks(Acks::Leader).linger(FOREVER).buffer_memory(10_000).max_block(FOREVER);
    let producer = store.producer(config).unwrap();
    for index in 0..1000 {
        let _ = producer.send_async(Record::to("t").value(format!("{index:0100}"))).unwrap();
    }
    assert!(values(&log).len() > 900, "a hundred records fill the memory: {} were appended", values(&log).len());
    producer.flush().unwrap();
    assert_eq!(values(&log), (0..1000).map(|index| format!("{index:0100}")).collect::<Vec<_>>());
}

#[test]
fn many_threads_share_little_memory_without_a_maintenance_thread() {
    let store = manual_store();
    store.create_topic("t", TopicConfig::new().partitions(3)).unwrap();
    let config = ProducerConfig::new().acks(Acks::Leader).linger(FOREVER).buffer_memory(500).max_block(FOREVER);
    let producer = store.producer(config).unwrap();
    thread::scope(|scope| {
        for thread in 0..8 {
            let producer = &producer;
            scope.spawn(move || {
                for index in 0..500 {
                    // Sizes differ, so that large records queue behind small ones.
                    let value = "x".repeat(if (thread + index) % 5 == 0 { 400 } else { 10 });
                    let _ = producer.send_async(Record::to("t").partition(index % 3).value(value)).unwrap();
                }
            });
        }
    });
    producer.close().unwrap();
    let count: usize = (0..3).map(|partition| values(&store.partition("t", partition).unwrap()).len()).sum();
    assert_eq!(count, 8 * 500);
}

#[test]
fn a_record_larger_than_the_memory_is_refused_at_once() {
    let store = manual_store();
    let log = create(&store, "t");
    let config = ProducerConfig::new().linger(FOREVER).buffer_memory(1000).max_block(FOREVER);
    let producer = store.producer(config).unwrap();
    match producer.send_async(Record::to("t").value(vec![0; 1000])) {
        Err(error @ Error::BufferExhausted { size, buffer_memory: 1000 }) => {
            assert!(size > 1000);
            assert!(error.is_retriable());
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(log.log_end(), 0);
    assert_eq!(producer.send(Record::to("t").value("small")).unwrap().offset, Some(0));
}

#[test]
fn waits_too_long_for_any_clock_are_as_good_as_forever() {
    let store = manual_store();
    let log = create(&store, "t");
    let config = ProducerConfig::new().linger(Duration::MAX).max_block(Duration::MAX).buffer_memory(200);
    let producer = store.producer(config).unwrap();
    let _ = producer.send_async(Record::to("t").value(vec![b'a'; 100])).unwrap();
    let _ = producer.send_async(Record::to("t").value(vec![b'b'; 100])).unwrap();
    assert_eq!(log.log_end(), 1, "the second needed the room of the first");
    producer.send(Record::to("t").value("c")).unwrap();
    assert_eq!(batch_counts(&log), [1, 1, 1], "nothing lingers beside the memory that it would fill");
}
