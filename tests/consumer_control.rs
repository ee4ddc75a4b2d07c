//! Holding a consumer up through the public API: partitions that are paused, and polls that are woken.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod api;

use std::thread;
use std::time::Duration;

use api::{FOREVER, NOW_MS, append, manual_store};
use esker::{
    Acks, AutoOffsetReset, CommittedOffset, Consumer, ConsumerConfig, Error, IsolationLevel, Log, ProducerConfig,
    Store, TopicConfig, TopicPartition,
};

/// A topic "t" of so many partitions.
fn create(store: &Store, partitions: i32) -> Vec<Log> {
    store.create_topic("t", TopicConfig::new().partitions(partitions)).unwrap();
    (0..partitions).map(|partition| store.partition("t", partition).unwrap()).collect()
}

/// A consumer of the whole topic, which starts at the beginning.
fn consumer(store: &Store, config: ConsumerConfig) -> Consumer {
    let mut consumer = store.consumer(config.auto_offset_reset(AutoOffsetReset::Earliest)).unwrap();
    consumer.assign_topics(["t"]).unwrap();
    consumer
}

fn poll(consumer: &mut Consumer, timeout: Duration) -> Vec<String> {
    let values = consumer.poll(timeout).unwrap().into_iter().map(|record| record.value.unwrap().to_vec());
    values.map(|value| String::from_utf8(value).unwrap()).collect()
}

/// What a poll finds without waiting. It would never end where something counts as there and isn't returned.
fn poll_now(consumer: &mut Consumer) -> Vec<String> {
    poll(consumer, Duration::ZERO)
}

// Pausing

#[test]
fn what_is_paused_returns_nothing_and_loses_nothing() {
    let store = manual_store();
    let logs = create(&store, 2);
    append(&logs[0], NOW_MS, &["0", "1", "2", "3"]);
    let mut consumer = consumer(&store, ConsumerConfig::from("g").max_poll_records(3));
    assert_eq!(poll_now(&mut consumer), ["0", "1", "2"]);

    consumer.pause([("t", 0)]).unwrap();
    assert_eq!(consumer.paused(), [TopicPartition::new("t", 0)]);
    assert!(poll_now(&mut consumer).is_empty(), "not what was read before either");
    append(&logs[0], NOW_MS, &["4"]);
    append(&logs[1], NOW_MS, &["other"]);
    assert_eq!(poll_now(&mut consumer), ["other"]);
    assert_eq!(consumer.position(("t", 0)).unwrap(), 3);
    consumer.commit().unwrap();
    assert_eq!(consumer.committed(("t", 0)).unwrap().unwrap().offset, 3);

    consumer.pause([("t", 0)]).unwrap();
    consumer.resume([("t", 0), ("t", 1)]).unwrap();
    assert!(consumer.paused().is_empty(), "however often it was paused");
    assert_eq!([poll_now(&mut consumer), poll_now(&mut consumer)].concat(), ["3", "4"]);
}

#[test]
fn a_poll_waits_for_what_is_not_paused_alone() {
    let store = manual_store();
    let logs = create(&store, 2);
    append(&logs[0], NOW_MS, &["paused"]);
    let mut consumer = consumer(&store, ConsumerConfig::new());
    consumer.pause([("t", 0)]).unwrap();
    thread::scope(|scope| {
        let polled = scope.spawn(|| poll(&mut consumer, FOREVER));
        // Whether it waits by then or not, it sees the second one and not the first.
        append(&logs[0], NOW_MS, &["paused too"]);
        append(&logs[1], NOW_MS, &["awaited"]);
        assert_eq!(polled.join().unwrap(), ["awaited"]);
    });
}

#[test]
fn with_everything_paused_a_poll_ends_with_its_time_the_topic_or_the_store() {
    type End = fn(&Store);
    type IsSaid = fn(&Error) -> bool;
    let ends: [(End, IsSaid); 2] = [
        (|store| store.delete_topic("t").unwrap(), |error| matches!(error, Error::UnknownTopicOrPartition { .. })),
        (|store| store.close().unwrap(), |error| matches!(error, Error::Closed { .. })),
    ];
    for isolation in [IsolationLevel::ReadUncommitted, IsolationLevel::ReadCommitted] {
        for (end, is_said) in ends {
            let store = manual_store();
            append(&create(&store, 1)[0], NOW_MS, &["paused"]);
            let mut consumer = consumer(&store, ConsumerConfig::new().isolation_level(isolation));
            consumer.pause(consumer.assignment()).unwrap();
            for timeout in [Duration::ZERO, Duration::from_millis(1)] {
                assert!(poll(&mut consumer, timeout).is_empty());
            }
            thread::scope(|scope| {
                let polled = scope.spawn(|| consumer.poll(FOREVER));
                end(&store);
                let ended = polled.join().unwrap().unwrap_err();
                assert!(is_said(&ended), "{ended:?}");
            });
        }
    }
}

#[test]
fn a_pause_outlasts_seeks_and_assignments_that_keep_the_partition() {
    let store = manual_store();
    append(&create(&store, 2)[0], NOW_MS, &["0", "1"]);
    let mut consumer = consumer(&store, ConsumerConfig::from("g"));
    let paused = [TopicPartition::new("t", 0)];
    consumer.pause(paused.clone()).unwrap();
    consumer.seek(("t", 0), 1).unwrap();
    assert!(poll_now(&mut consumer).is_empty());
    assert_eq!(consumer.position(("t", 0)).unwrap(), 1);
    consumer.seek_to_beginning().unwrap();
    consumer.seek_to_committed().unwrap();
    assert!(poll_now(&mut consumer).is_empty());
    consumer.assign([("t", 0)]).unwrap();
    assert_eq!(consumer.paused(), paused);

    consumer.assign([("t", 1)]).unwrap();
    consumer.assign([("t", 0)]).unwrap();
    assert!(consumer.paused().is_empty(), "it was given up in between");
    assert_eq!(poll_now(&mut consumer), ["0", "1"]);

    consumer.pause(paused).unwrap();
    store.delete_topic("t").unwrap();
    create(&store, 1);
    consumer.assign([("t", 0)]).unwrap();
    assert!(consumer.paused().is_empty(), "it is another topic");
}

#[test]
fn only_what_is_assigned_can_be_paused_and_all_or_none_is() {
    let store = manual_store();
    create(&store, 2);
    let mut consumer = store.consumer(ConsumerConfig::new()).unwrap();
    consumer.assign([("t", 0)]).unwrap();
    match consumer.pause([("t", 0), ("t", 1)]) {
        Err(Error::NotAssigned { topic_partition }) => assert_eq!(topic_partition, TopicPartition::new("t", 1)),
        other => panic!("{other:?}"),
    }
    assert!(consumer.paused().is_empty());
    consumer.pause([("t", 0)]).unwrap();
    assert!(matches!(consumer.resume([("t", 0), ("none", 0)]), Err(Error::NotAssigned { .. })));
    assert_eq!(consumer.paused(), [TopicPartition::new("t", 0)]);
}

#[test]
fn where_a_paused_partition_begins_is_found_out_by_the_first_poll() {
    let store = manual_store();
    let logs = create(&store, 1);
    append(&logs[0], NOW_MS, &["old"]);
    let mut consumer = store.consumer(ConsumerConfig::from("g")).unwrap();
    consumer.assign([("t", 0)]).unwrap();
    consumer.pause([("t", 0)]).unwrap();
    assert!(poll_now(&mut consumer).is_empty());
    append(&logs[0], NOW_MS, &["new"]);
    consumer.resume([("t", 0)]).unwrap();
    assert_eq!(poll_now(&mut consumer), ["new"], "with auto.offset.reset=latest");
}

#[test]
fn a_paused_partition_begins_where_a_transaction_ends_that_it_waits_for() {
    let store = manual_store();
    append(&create(&store, 1)[0], NOW_MS, &["0", "1", "2"]);
    let producer = store.producer(ProducerConfig::new().transactional_id("id")).unwrap();
    let transaction = producer.begin_transaction().unwrap();
    transaction.send_offsets("g", [(("t", 0).into(), CommittedOffset::new(2))]).unwrap();

    let mut consumer = consumer(&store, ConsumerConfig::from("g").isolation_level(IsolationLevel::ReadCommitted));
    consumer.pause([("t", 0)]).unwrap();
    assert!(poll_now(&mut consumer).is_empty());
    transaction.commit().unwrap();
    assert!(poll_now(&mut consumer).is_empty());
    store.commit_offsets("g", [(("t", 0).into(), CommittedOffset::new(0))], Acks::Leader).unwrap();
    assert_eq!(consumer.position(("t", 0)).unwrap(), 2, "it was known by the second poll");
    consumer.resume([("t", 0)]).unwrap();
    assert_eq!(poll_now(&mut consumer), ["2"]);
}

#[cfg(feature = "sim")]
#[test]
fn what_is_paused_is_not_looked_at_where_another_process_writes() {
    use esker::Maintenance;
    use esker::sim::{Fault, FaultStorage};

    let disk = FaultStorage::new(1);
    let options = || Store::options().storage(std::sync::Arc::new(disk.clone())).maintenance(Maintenance::Manual);
    let writer = options().open("data").unwrap();
    append(&create(&writer, 1)[0], NOW_MS, &["0"]);
    let reader = options().open_read_only("data").unwrap();
    let mut consumer = consumer(&reader, ConsumerConfig::new());
    assert_eq!(poll_now(&mut consumer), ["0"]);
    disk.inject(Fault::io_error());
    consumer.pause([("t", 0)]).unwrap();
    assert!(poll(&mut consumer, Duration::from_millis(1)).is_empty());
    consumer.resume([("t", 0)]).unwrap();
    assert!(matches!(consumer.poll(Duration::ZERO), Err(Error::Io { .. })));
}

// Waking

#[test]
fn a_poll_that_waits_is_woken_from_another_thread() {
    let store = manual_store();
    let logs = create(&store, 1);
    for _ in 0..300 {
        let mut consumer = consumer(&store, ConsumerConfig::new());
        consumer.seek_to_end().unwrap();
        let waker = consumer.waker().clone();
        let worker = thread::spawn(move || {
            let ended = consumer.poll(Duration::MAX);
            (consumer, ended)
        });
        // Whether it waits by then or not, it sees this.
        waker.wakeup();
        let (mut consumer, ended) = worker.join().unwrap();
        assert!(matches!(ended, Err(Error::Wakeup)), "{ended:?}");
        assert!(poll_now(&mut consumer).is_empty(), "the next one is not woken");
        append(&logs[0], NOW_MS, &["new"]);
        assert_eq!(poll(&mut consumer, FOREVER), ["new"], "it stands where it stood");
        drop(consumer);
        waker.wakeup();
    }
}

#[test]
fn who_is_woken_before_it_polls_is_woken_once_and_misses_nothing() {
    let store = manual_store();
    append(&create(&store, 1)[0], NOW_MS, &["0", "1"]);
    let mut consumer = consumer(&store, ConsumerConfig::new().max_poll_records(1));
    let waker = consumer.waker();
    waker.wakeup();
    waker.clone().wakeup();
    let woken = consumer.poll(FOREVER).unwrap_err();
    assert!(matches!(woken, Error::Wakeup) && !woken.is_retriable(), "who tries again by itself would never end");
    assert_eq!(poll_now(&mut consumer), ["0"]);
    consumer.waker().wakeup();
    assert!(matches!(consumer.poll(Duration::ZERO), Err(Error::Wakeup)));
    consumer.pause([("t", 0)]).unwrap();
    waker.wakeup();
    assert!(matches!(consumer.poll(FOREVER), Err(Error::Wakeup)), "with everything paused too");
    consumer.resume([("t", 0)]).unwrap();
    assert_eq!(poll_now(&mut consumer), ["1"]);
    consumer.assign::<(&str, i32)>([]).unwrap();
    waker.wakeup();
    assert!(matches!(consumer.poll(FOREVER), Err(Error::Wakeup)), "and with nothing assigned");
}
