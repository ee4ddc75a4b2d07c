//! The producer through the public API: order, placement, batching, acknowledgements, bounded memory, and what becomes
//! of records when something ends or goes wrong.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod api;

use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use api::{FOREVER, batch_counts, block_on, manual_store, poll_once, store, values};
use esker::{Acks, Error, Pending, Producer, ProducerConfig, Record, Store, TopicConfig};

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
        drop(producer.send_async(Record::to("t").value(format!("{index:0100}"))).unwrap());
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
                    drop(producer.send_async(Record::to("t").partition(index % 3).value(value)).unwrap());
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
    drop(producer.send_async(Record::to("t").value(vec![b'a'; 100])).unwrap());
    drop(producer.send_async(Record::to("t").value(vec![b'b'; 100])).unwrap());
    assert_eq!(log.log_end(), 1, "the second needed the room of the first");
    producer.send(Record::to("t").value("c")).unwrap();
    assert_eq!(batch_counts(&log), [1, 1, 1], "nothing lingers beside the memory that it would fill");
}

// Topics that go

/// A producer that only appends when it is told to, or has to.
fn lingering(store: &Store) -> Producer {
    store.producer(ProducerConfig::new().acks(Acks::Leader).linger(FOREVER)).unwrap()
}

fn is_unknown<T: Debug>(result: Result<T, Error>) -> bool {
    match result {
        Err(Error::UnknownTopicOrPartition { .. }) => true,
        other => panic!("{other:?}"),
    }
}

#[test]
fn records_for_a_deleted_topic_are_refused() {
    let store = manual_store();
    create(&store, "t");
    let producer = lingering(&store);
    producer.send(Record::to("t").value("before")).unwrap();
    store.delete_topic("t").unwrap();
    assert!(is_unknown(producer.send_async(Record::to("t").value("after"))));
    assert!(is_unknown(producer.send(Record::to("t").value("after"))));
}

#[test]
fn a_topic_that_was_created_again_takes_records_at_once() {
    let store = manual_store();
    create(&store, "t");
    let producer = lingering(&store);
    producer.send(Record::to("t").value("of the first topic")).unwrap();
    store.delete_topic("t").unwrap();
    let again = create(&store, "t");
    // Lingering, so that no append tells the producer that its log is gone.
    let pending = producer.send_async(Record::to("t").value("of the second topic")).unwrap();
    producer.flush().unwrap();
    assert_eq!(pending.wait().unwrap().offset, Some(0));
    assert_eq!(values(&again), ["of the second topic"]);
}

#[test]
fn what_lingers_for_a_deleted_topic_fails_in_all_partitions_and_gives_its_memory_back() {
    let store = manual_store();
    store.create_topic("t", TopicConfig::new().partitions(2)).unwrap();
    let config = ProducerConfig::new().acks(Acks::Leader).linger(FOREVER).buffer_memory(1000).max_block(Duration::ZERO);
    let producer = store.producer(config).unwrap();
    let send = |partition, value| producer.send_async(Record::to("t").partition(partition).value(value));
    let (mut first, mut second) = (send(0, "first").unwrap(), send(1, "second").unwrap());
    store.delete_topic("t").unwrap();
    create(&store, "t");
    drop(send(0, "of another topic").unwrap());
    for pending in [&mut first, &mut second] {
        assert!(poll_once(pending).map(is_unknown).is_ready(), "nobody would ever append it");
    }
    let whole_memory = vec![0; 1000 - 64];
    assert!(producer.send_async(Record::to("t").value(whole_memory)).is_ok());
}

#[test]
fn the_maintenance_fails_what_lingers_for_a_deleted_topic() {
    let store = manual_store();
    create(&store, "t");
    let producer = lingering(&store);
    let mut pending = producer.send_async(Record::to("t").value("early")).unwrap();
    store.delete_topic("t").unwrap();
    assert!(poll_once(&mut pending).is_pending());
    store.tick().unwrap();
    assert!(poll_once(&mut pending).map(is_unknown).is_ready());
}

#[test]
fn threads_go_on_while_their_topic_is_deleted_and_created_again() {
    let store = store();
    store.create_topic("t", TopicConfig::new().partitions(2)).unwrap();
    let producer = store.producer(ProducerConfig::new().acks(Acks::Leader).linger(Duration::from_millis(1))).unwrap();
    let done = AtomicBool::new(false);
    let handles: Vec<Pending> = thread::scope(|scope| {
        let senders: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut handles = Vec::new();
                    while !done.load(Ordering::Acquire) {
                        match producer.send_async(Record::to("t").value("value")) {
                            Ok(pending) => handles.push(pending),
                            Err(Error::UnknownTopicOrPartition { .. }) => {}
                            Err(error) => panic!("{error}"),
                        }
                    }
                    handles
                })
            })
            .collect();
        for _ in 0..50 {
            store.delete_topic("t").unwrap();
            store.create_topic("t", TopicConfig::new().partitions(2)).unwrap();
        }
        done.store(true, Ordering::Release);
        senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect()
    });
    for pending in handles {
        // Every handle gets an answer, also from a thread that only listens.
        match block_on(pending) {
            Ok(_) | Err(Error::UnknownTopicOrPartition { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
    producer.send(Record::to("t").value("last")).unwrap();
}

// Endings

#[test]
fn a_closed_producer_has_appended_everything_and_refuses_more() {
    let store = manual_store();
    let log = create(&store, "t");
    let producer = lingering(&store);
    let clone = producer.clone();
    let pending: Vec<_> =
        (0..10).map(|index| producer.send_async(Record::to("t").value(index.to_string())).unwrap()).collect();
    producer.close().unwrap();
    assert_eq!(values(&log).len(), 10);
    for (index, pending) in (0..).zip(pending) {
        assert_eq!(pending.wait().unwrap().offset, Some(index));
    }
    for producer in [producer, clone] {
        assert!(matches!(producer.send(Record::to("t")), Err(Error::Closed { what: "the producer" })));
        assert!(matches!(producer.send_async(Record::to("new")), Err(Error::Closed { what: "the producer" })));
        producer.close().unwrap();
    }
    assert_eq!(log.log_end(), 10);
}

#[test]
fn a_close_tells_what_failed_in_it() {
    let store = manual_store();
    create(&store, "t");
    let producer = lingering(&store);
    drop(producer.send_async(Record::to("t").timestamp(i64::MAX)).unwrap());
    assert!(matches!(producer.close(), Err(Error::InvalidTimestamp { timestamp: i64::MAX, .. })));
}

#[test]
fn what_lingers_when_the_last_handle_goes_is_appended() {
    let store = manual_store();
    let log = create(&store, "t");
    let producer = lingering(&store);
    let pending = producer.send_async(Record::to("t").value("waited for")).unwrap();
    drop(producer.send_async(Record::to("t").value("not waited for")).unwrap());
    drop(producer);
    assert_eq!(log.log_end(), 0, "a handle is a handle of the producer");
    drop(pending);
    assert_eq!(values(&log), ["waited for", "not waited for"]);
}

#[test]
fn what_lingers_when_everything_goes_is_there_on_the_next_open() {
    let dir = tempfile::tempdir().unwrap();
    let store = api::manual().0.open(dir.path()).unwrap();
    create(&store, "t");
    let producer = lingering(&store);
    drop(producer.send_async(Record::to("t").value("kept")).unwrap());
    drop(store);
    drop(producer);
    let store = Store::open(dir.path()).unwrap();
    assert!(store.recovery_report().clean_shutdown);
    assert_eq!(values(&store.partition("t", 0).unwrap()), ["kept"]);
}

#[test]
fn closing_the_store_appends_what_its_producers_hold_back() {
    let store = store();
    let log = create(&store, "t");
    let producer = lingering(&store);
    let awaited = producer.send_async(Record::to("t").value("awaited")).unwrap();
    drop(producer.send_async(Record::to("t").value("not even waited for")).unwrap());
    store.close().unwrap();
    assert_eq!(log.log_end(), 2);
    assert_eq!(block_on(awaited).unwrap().offset, Some(0));
    assert!(matches!(producer.send_async(Record::to("t")), Err(Error::Closed { what: "the store" })));
    assert!(matches!(store.producer(ProducerConfig::new()), Err(Error::Closed { what: "the store" })));
}

#[test]
fn whatever_a_send_accepts_while_another_thread_closes_is_appended() {
    for round in 0..100 {
        let store = store();
        let log = create(&store, "t");
        let producer = lingering(&store);
        let accepted = thread::scope(|scope| {
            let sender = scope.spawn(|| {
                let mut accepted = 0;
                while let Ok(pending) = producer.send_async(Record::to("t").value("value")) {
                    // The handle goes at once: nobody but the producer knows of the record.
                    drop(pending);
                    accepted += 1;
                }
                accepted
            });
            while producer.send(Record::to("t").value("value")).unwrap().offset < Some(2) {}
            if round % 2 == 0 {
                producer.close().unwrap();
            } else {
                store.close().unwrap();
            }
            let before = log.log_end();
            let accepted: i64 = sender.join().unwrap();
            assert_eq!(log.log_end(), before, "the close came back with everything appended");
            accepted
        });
        assert!(log.log_end() > accepted, "{accepted} and at least one more");
    }
}
