//! The transactional producer: all or nothing for readers of committed records, fencing of those who are not the last
//! one under their name, and what is left to do after each kind of failure.
#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

mod api;

use std::sync::Arc;
use std::time::Duration;

use api::{FOREVER, TestClock, batches, block_on, manual, values};
use esker::io::MemoryStorage;
use esker::{
    Acks, AutoOffsetReset, CommittedOffset, ConsumerConfig, Error, IsolationLevel, Log, Maintenance, Producer,
    ProducerConfig, ProducerIdAndEpoch, Record, Store, StoreConfig, StoreOptions, TopicConfig, Transaction,
};

struct World {
    options: StoreOptions,
    clock: TestClock,
    store: Store,
}

impl World {
    /// A store with the topics `a` and `b` of a partition each.
    fn new() -> Self {
        let (options, clock) = manual();
        let config = StoreConfig {
            offsets_topic_num_partitions: 1,
            transaction_state_log_num_partitions: 1,
            ..StoreConfig::default()
        };
        let options = options.config(config).storage(Arc::new(MemoryStorage::new()));
        let store = options.clone().open("data").unwrap();
        store.create_topic("a", TopicConfig::new()).unwrap();
        store.create_topic("b", TopicConfig::new()).unwrap();
        Self { options, clock, store }
    }

    fn producer(&self, transactional_id: &str) -> Producer {
        self.store.producer(config(transactional_id)).unwrap()
    }

    fn log(&self, topic: &str) -> Log {
        self.store.partition(topic, 0).unwrap()
    }

    /// The values that a consumer of committed records gets from a topic.
    fn committed(&self, topic: &str) -> Vec<String> {
        let config = ConsumerConfig::new().isolation_level(IsolationLevel::ReadCommitted);
        let mut consumer = self.store.consumer(config.auto_offset_reset(AutoOffsetReset::Earliest)).unwrap();
        consumer.assign([(topic, 0)]).unwrap();
        let mut values = Vec::new();
        while consumer.position((topic, 0)).unwrap() < self.log(topic).last_stable_offset() {
            let records = consumer.poll(Duration::ZERO).unwrap();
            values.extend(
                records.iter().map(|record| String::from_utf8(record.value.as_ref().unwrap().to_vec()).unwrap()),
            );
        }
        values
    }

    /// The offset that the group `g` has committed for `a`.
    fn committed_offset(&self) -> Option<i64> {
        self.store.committed_offset("g", ("a", 0)).unwrap().map(|committed| committed.offset)
    }
}

fn config(transactional_id: &str) -> ProducerConfig {
    ProducerConfig::new().transactional_id(transactional_id).linger(FOREVER)
}

fn send(transaction: &Transaction, topic: &str, value: &str) {
    transaction.send(Record::to(topic).value(value.to_owned())).unwrap();
}

fn send_offset(transaction: &Transaction, offset: i64) -> esker::Result<()> {
    transaction.send_offsets("g", [(("a", 0).into(), CommittedOffset::new(offset))])
}

#[track_caller]
fn is_fenced<T>(result: esker::Result<T>) {
    match result {
        Err(error @ Error::ProducerFenced { .. }) => assert!(!error.is_retriable()),
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it is not fenced"),
    }
}

#[test]
fn a_commit_makes_all_of_it_count_at_once() {
    let world = World::new();
    let producer = world.producer("t");
    let transaction = producer.begin_transaction().unwrap();
    send(&transaction, "a", "1");
    let lingering = transaction.send_async(Record::to("b").value("2")).unwrap();
    send_offset(&transaction, 7).unwrap();
    assert!(!lingering.is_appended());
    assert_eq!((world.committed("a"), world.committed("b"), world.committed_offset()), (vec![], vec![], None));
    transaction.commit().unwrap();
    assert_eq!(lingering.wait().unwrap().offset, Some(0));
    assert_eq!((world.committed("a"), world.committed("b")), (vec!["1".into()], vec!["2".into()]));
    assert_eq!(world.committed_offset(), Some(7));
}

#[test]
fn what_an_aborted_transaction_was_made_from_is_read_again() {
    let world = World::new();
    let plain = world.store.producer(ProducerConfig::new()).unwrap();
    let order = |value: &'static str| drop(plain.send(Record::to("a").value(value)).unwrap());
    let config = ConsumerConfig::from("g").isolation_level(IsolationLevel::ReadCommitted);
    let mut consumer = world.store.consumer(config.auto_offset_reset(AutoOffsetReset::Earliest)).unwrap();
    consumer.assign([("a", 0)]).unwrap();
    let producer = world.producer("t");

    // Twice, for what is committed differs.
    for (offset, value) in ["1", "2"].into_iter().enumerate() {
        order(value);
        for is_done in [false, false, true] {
            let orders = consumer.poll(Duration::ZERO).unwrap();
            let found: Vec<_> = orders.iter().map(|order| (order.offset, order.value.as_deref().unwrap())).collect();
            assert_eq!(found, [(offset as i64, value.as_bytes())]);
            let transaction = producer.begin_transaction().unwrap();
            transaction.send(orders[0].forward_to("b")).unwrap();
            transaction.send_offsets(consumer.group_metadata().unwrap(), consumer.positions()).unwrap();
            if is_done {
                transaction.commit().unwrap();
            } else {
                drop(transaction);
                assert!(consumer.poll(Duration::ZERO).unwrap().is_empty(), "it has moved past it");
                consumer.seek_to_committed().unwrap();
                assert_eq!(consumer.positions(), [], "the next poll finds it");
            }
        }
    }
    assert_eq!(world.committed("b"), ["1", "2"]);
    assert_eq!(world.committed_offset(), Some(2));
}

#[test]
fn a_commit_has_everything_on_the_device() {
    let world = World::new();
    let producer = world.producer("t");
    let transaction = producer.begin_transaction().unwrap();
    send(&transaction, "a", "1");
    drop(transaction.send_async(Record::to("b").value("2")).unwrap());
    send_offset(&transaction, 7).unwrap();
    transaction.commit().unwrap();
    for (topic, end) in [("a", 2), ("b", 2), ("__consumer_offsets", 2)] {
        let log = world.log(topic);
        assert_eq!((log.log_end(), log.recovery_point()), (end, end), "{topic}: a record and a marker");
    }
}

#[test]
fn nothing_of_an_abort_counts_and_what_lingers_is_not_even_appended() {
    for explicitly in [true, false] {
        let world = World::new();
        let producer = world.producer("t");
        let transaction = producer.begin_transaction().unwrap();
        send(&transaction, "a", "1");
        send_offset(&transaction, 7).unwrap();
        let lingering = transaction.send_async(Record::to("b").value("2")).unwrap();
        match explicitly {
            true => transaction.abort().unwrap(),
            false => drop(transaction),
        }
        assert!(matches!(lingering.wait(), Err(Error::TransactionAborted { .. })));
        assert_eq!((world.committed("a"), world.committed("b"), world.committed_offset()), (vec![], vec![], None));
        assert_eq!(world.log("a").last_stable_offset(), 2, "the marker decides it");
        assert_eq!(values(&world.log("b")).len(), 1, "the marker alone");

        let transaction = producer.begin_transaction().unwrap();
        send(&transaction, "a", "3");
        send(&transaction, "b", "4");
        transaction.commit().unwrap();
        assert_eq!((world.committed("a"), world.committed("b")), (vec!["3".into()], vec!["4".into()]));
        let sequences: Vec<_> = batches(&world.log("a")).iter().map(|batch| batch.base_sequence).collect();
        assert_eq!(sequences, [0, -1, 1, -1], "sequences go on, and markers have none");
    }
}

#[test]
fn an_empty_transaction_writes_nothing() {
    let world = World::new();
    let producer = world.producer("t");
    let ends = || world.store.topics().iter().map(|topic| world.log(topic).log_end()).collect::<Vec<_>>();
    let before = ends();
    producer.begin_transaction().unwrap().commit().unwrap();
    producer.begin_transaction().unwrap().abort().unwrap();
    drop(producer.begin_transaction().unwrap());
    assert_eq!(ends(), before);
}

#[test]
fn records_belong_to_the_transaction_that_is_open_and_there_is_one_at_a_time() {
    let world = World::new();
    let producer = world.producer("t");
    let outside = producer.send(Record::to("a").value("0"));
    assert!(matches!(outside, Err(Error::InvalidTransactionTransition { .. })), "{outside:?}");
    let transaction = producer.clone().begin_transaction().unwrap();
    assert!(matches!(producer.begin_transaction(), Err(Error::InvalidTransactionTransition { .. })));
    producer.send(Record::to("a").value("1")).unwrap();
    transaction.commit().unwrap();
    assert!(producer.send(Record::to("a").value("2")).is_err());
    assert_eq!(world.committed("a"), ["1"]);
    assert!(producer.begin_transaction().is_ok());
    let plain = world.store.producer(ProducerConfig::new()).unwrap();
    assert!(matches!(plain.begin_transaction(), Err(Error::InvalidConfig { key, .. }) if key == "transactional.id"));
}

#[test]
fn two_producers_share_a_partition() {
    let world = World::new();
    let (one, other) = (world.producer("one"), world.producer("other"));
    let plain = world.store.producer(ProducerConfig::new()).unwrap();
    let (first, second) = (one.begin_transaction().unwrap(), other.begin_transaction().unwrap());
    for index in 0..3 {
        send(&first, "a", &format!("one {index}"));
        send(&second, "a", &format!("other {index}"));
        plain.send(Record::to("a").value(format!("plain {index}"))).unwrap();
    }
    second.commit().unwrap();
    assert_eq!(world.committed("a"), [""; 0], "the first one is open");
    first.abort().unwrap();
    let expected: Vec<_> = (0..3).flat_map(|index| [format!("other {index}"), format!("plain {index}")]).collect();
    assert_eq!(world.committed("a"), expected);
}

/// What a producer may be in the middle of, and then does, when another one takes over.
type Attempt = fn(&Producer, Option<Transaction>);

#[test]
fn zombies_are_fenced_in_whatever_state_they_are() {
    let begun = |producer: &Producer| Some(producer.begin_transaction().unwrap());
    type Preparation<'a> = &'a dyn Fn(&Producer) -> Option<Transaction>;
    let prepare: [(&str, Preparation<'_>); 4] = [
        ("between transactions", &|producer| {
            let transaction = producer.begin_transaction().unwrap();
            send(&transaction, "a", "before");
            transaction.commit().unwrap();
            None
        }),
        ("in an empty transaction", &begun),
        ("after a record", &|producer| {
            let transaction = begun(producer).unwrap();
            send(&transaction, "a", "zombie's");
            send_offset(&transaction, 5).unwrap();
            Some(transaction)
        }),
        ("with a record that lingers", &|producer| {
            let transaction = begun(producer).unwrap();
            drop(transaction.send_async(Record::to("a").value("zombie's")).unwrap());
            Some(transaction)
        }),
    ];
    let attempts: [(&str, Attempt); 6] = [
        ("a record", |producer, open| {
            let transaction = open.unwrap_or_else(|| producer.begin_transaction().unwrap());
            is_fenced(transaction.send(Record::to("a").value("zombie's")));
        }),
        ("a record elsewhere", |producer, open| {
            let transaction = open.unwrap_or_else(|| producer.begin_transaction().unwrap());
            is_fenced(transaction.send(Record::to("b").value("zombie's")));
        }),
        ("offsets", |producer, open| {
            let transaction = open.unwrap_or_else(|| producer.begin_transaction().unwrap());
            is_fenced(send_offset(&transaction, 6));
        }),
        ("a record that lingers, and the commit", |producer, open| {
            let transaction = open.unwrap_or_else(|| producer.begin_transaction().unwrap());
            match transaction.send_async(Record::to("a").value("zombie's")) {
                Ok(pending) => {
                    is_fenced(transaction.commit());
                    is_fenced(pending.wait());
                }
                refused => is_fenced(refused),
            }
        }),
        ("the commit", |producer, open| {
            let Some(transaction) = open else { return };
            match transaction.commit() {
                // There was nothing to commit, and nobody to ask. The next one is told.
                Ok(()) => is_fenced(producer.begin_transaction().unwrap().send(Record::to("a").value("zombie's"))),
                refused => is_fenced(refused),
            }
        }),
        ("the abort", |producer, open| {
            let Some(transaction) = open else { return };
            match transaction.abort() {
                Ok(()) => is_fenced(producer.begin_transaction().unwrap().send(Record::to("a").value("zombie's"))),
                refused => is_fenced(refused),
            }
        }),
    ];
    for (state, prepare) in prepare {
        for (attempted, attempt) in attempts {
            let world = World::new();
            let zombie = world.producer("t");
            let open = prepare(&zombie);
            let before = world.committed("a");
            let successor = world.producer("t");
            let is_idle = open.is_none() && ["the commit", "the abort"].contains(&attempted);
            attempt(&zombie, open);
            let transaction = successor.begin_transaction().unwrap();
            send(&transaction, "a", "successor's");
            send_offset(&transaction, 9).unwrap();
            transaction.commit().unwrap();
            assert_eq!(
                world.committed("a"),
                [&before[..], &["successor's".to_owned()]].concat(),
                "{state}: {attempted}"
            );
            assert_eq!(world.committed("b"), [""; 0], "{state}: {attempted}");
            assert_eq!(world.committed_offset(), Some(9), "{state}: {attempted}");
            if !is_idle {
                is_fenced(zombie.begin_transaction());
                is_fenced(zombie.send(Record::to("a").value("zombie's")));
            }
            assert!(matches!(world.store.stable_committed_offset("g", ("a", 0)), Ok(Some(_))));
        }
    }
}

#[test]
fn a_fenced_producer_is_told_by_whom() {
    let world = World::new();
    let zombie = world.producer("t");
    let transaction = zombie.begin_transaction().unwrap();
    send(&transaction, "a", "1");
    let _successor = world.producer("t");
    let fenced = transaction.send(Record::to("a").value("2")).unwrap_err();
    let Error::ProducerFenced { transactional_id, producer, current } = &fenced else { panic!("{fenced:?}") };
    let id = producer.producer_id;
    assert_eq!((&**transactional_id, producer.producer_epoch), ("t", 0));
    assert!(*current > ProducerIdAndEpoch::new(id, 0) && current.producer_id == id);
}

#[test]
fn after_a_failure_only_an_abort_is_left_and_then_the_next_transaction() {
    type Failure = fn(&Transaction);
    let failures: [(&str, Failure); 5] = [
        ("a topic that does not exist", |transaction| {
            let unknown = transaction.send(Record::to("nowhere").value("1"));
            assert!(matches!(unknown, Err(Error::UnknownTopicOrPartition { .. })));
        }),
        ("a partition that does not exist", |transaction| {
            assert!(transaction.send_async(Record::to("a").partition(3).value("1")).is_err());
        }),
        ("a record that the topic is too small for", |transaction| {
            let pending = transaction.send_async(Record::to("small").value(vec![0; 500])).unwrap();
            assert!(matches!(pending.wait(), Err(Error::MessageTooLarge { .. })));
        }),
        ("a record that nobody waits for", |transaction| {
            drop(transaction.send_async(Record::to("small").value(vec![0; 500])).unwrap());
        }),
        ("offsets of a topic that does not exist", |transaction| {
            let offset = (("nowhere", 0).into(), CommittedOffset::new(1));
            let unknown = transaction.send_offsets("g", [offset]);
            assert!(matches!(unknown, Err(Error::UnknownTopicOrPartition { .. })));
        }),
    ];
    for (what, fail) in failures {
        let world = World::new();
        world.store.create_topic("small", TopicConfig::new().max_message_bytes(200)).unwrap();
        let producer = world.producer("t");
        let transaction = producer.begin_transaction().unwrap();
        send(&transaction, "a", "void");
        send_offset(&transaction, 5).unwrap();
        fail(&transaction);
        if what != "a record that nobody waits for" {
            for refused in [
                transaction.send(Record::to("a").value("void")).map(drop),
                transaction.send_async(Record::to("a").value("void")).map(drop),
                send_offset(&transaction, 6),
            ] {
                let Err(Error::TransactionAbortable { transactional_id, cause }) = refused else {
                    panic!("{refused:?}")
                };
                assert_eq!(transactional_id, "t", "{what}: {cause}");
            }
        }
        let refused = transaction.commit();
        assert!(matches!(refused, Err(Error::TransactionAbortable { .. })), "{what}: {refused:?}");
        assert_eq!((world.committed("a"), world.committed_offset()), (vec![], None), "{what}");
        assert_eq!(world.log("a").last_stable_offset(), world.log("a").log_end(), "it was aborted");

        let transaction = producer.begin_transaction().unwrap();
        send(&transaction, "a", "1");
        send_offset(&transaction, 6).unwrap();
        transaction.commit().unwrap();
        assert_eq!((world.committed("a"), world.committed_offset()), (vec!["1".into()], Some(6)), "{what}");
    }
}

#[test]
fn a_transaction_of_which_records_were_cut_off_is_aborted_and_the_next_one_goes_on() {
    let world = World::new();
    let producer = world.producer("t");
    let transaction = producer.begin_transaction().unwrap();
    send(&transaction, "a", "1");
    transaction.commit().unwrap();

    let transaction = producer.begin_transaction().unwrap();
    send(&transaction, "a", "void");
    let kept = world.log("a").log_end();
    send(&transaction, "a", "cut off");
    assert_eq!(world.log("a").truncate_to(kept).unwrap(), kept);
    let refused = transaction.send(Record::to("a").value("void"));
    assert!(matches!(refused, Err(Error::OutOfOrderSequenceNumber { .. })), "{refused:?}");
    assert!(matches!(transaction.commit(), Err(Error::TransactionAbortable { .. })));
    assert_eq!(world.log("a").last_stable_offset(), world.log("a").log_end(), "it was aborted");

    let transaction = producer.begin_transaction().unwrap();
    send(&transaction, "a", "2");
    transaction.commit().unwrap();
    assert_eq!(world.committed("a"), ["1", "2"]);
}

#[test]
fn a_topic_that_is_deleted_takes_its_records_along() {
    let world = World::new();
    let producer = world.producer("t");
    let transaction = producer.begin_transaction().unwrap();
    send(&transaction, "a", "1");
    send(&transaction, "b", "1");
    world.store.delete_topic("b").unwrap();
    transaction.commit().unwrap();
    assert_eq!(world.committed("a"), ["1"]);

    world.store.create_topic("b", TopicConfig::new()).unwrap();
    let transaction = producer.begin_transaction().unwrap();
    let lingering = transaction.send_async(Record::to("b").value("2")).unwrap();
    world.store.delete_topic("b").unwrap();
    assert!(matches!(transaction.commit(), Err(Error::TransactionAbortable { .. })));
    assert!(matches!(lingering.wait(), Err(Error::UnknownTopicOrPartition { .. })));
}

#[test]
fn a_transaction_that_takes_too_long_is_aborted_and_its_producer_fenced() {
    let world = World::new();
    let slow = world.store.producer(config("t").transaction_timeout(Duration::from_secs(20))).unwrap();
    let transaction = slow.begin_transaction().unwrap();
    send(&transaction, "a", "void");
    send_offset(&transaction, 5).unwrap();
    world.clock.advance(15_000);
    world.store.tick().unwrap();
    send(&transaction, "a", "void");
    world.clock.advance(15_000);
    world.store.tick().unwrap();
    assert_eq!(world.log("a").last_stable_offset(), 3, "the marker decides it");
    is_fenced(transaction.send(Record::to("a").value("void")));
    is_fenced(send_offset(&transaction, 6));
    is_fenced(transaction.commit());
    is_fenced(slow.begin_transaction());
    assert_eq!((world.committed("a"), world.committed_offset()), (vec![], None));
}

#[test]
fn configs_in_conflict_are_refused() {
    let world = World::new();
    let refused = |config: ProducerConfig| world.store.producer(config).map(drop).unwrap_err();
    let key_of = |error: Error| match error {
        Error::InvalidConfig { key, .. } => key,
        other => panic!("{other:?}"),
    };
    assert_eq!(key_of(refused(config("t").acks(Acks::Leader))), "acks");
    assert_eq!(key_of(refused(config("t").acks(Acks::None))), "acks");
    assert_eq!(key_of(refused(config("t").enable_idempotence(false))), "enable.idempotence");
    assert!(matches!(refused(config("")), Error::InvalidTransactionalId { .. }));
    for timeout in [Duration::ZERO, Duration::from_secs(3600)] {
        let refused = refused(config("t").transaction_timeout(timeout));
        assert!(matches!(refused, Error::InvalidTransactionTimeout { max_ms: 900_000, .. }), "{refused:?}");
    }
    let mut by_name = ProducerConfig::new();
    by_name.set("transactional.id", "t").unwrap();
    by_name.set("transaction.timeout.ms", "1000").unwrap();
    assert!(by_name.set("transaction.timeout.ms", "-1").is_err());
    let producer = world.store.producer(by_name).unwrap();
    producer.begin_transaction().unwrap().commit().unwrap();
}

#[test]
fn threads_share_a_transaction() {
    let world = World::new();
    world.store.create_topic("many", TopicConfig::new().partitions(4)).unwrap();
    let producer = world.store.producer(config("t").buffer_memory(4_000)).unwrap();
    let transaction = producer.begin_transaction().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let transaction = &transaction;
            scope.spawn(move || {
                for index in 0..100 {
                    let record = Record::to("many").key(format!("{thread} {index}")).value("1");
                    drop(transaction.send_async(record).unwrap());
                }
                send_offset(transaction, thread).unwrap();
            });
        }
    });
    transaction.commit().unwrap();
    let config = ConsumerConfig::new().isolation_level(IsolationLevel::ReadCommitted).max_poll_records(1000);
    let mut consumer = world.store.consumer(config.auto_offset_reset(AutoOffsetReset::Earliest)).unwrap();
    consumer.assign_topics(["many"]).unwrap();
    assert_eq!(consumer.poll(Duration::ZERO).unwrap().len(), 400);
}

#[test]
fn closing_a_producer_aborts_what_is_open() {
    let world = World::new();
    let producer = world.producer("t");
    let transaction = producer.begin_transaction().unwrap();
    send(&transaction, "a", "void");
    let lingering = transaction.send_async(Record::to("a").value("void")).unwrap();
    producer.close().unwrap();
    assert!(matches!(lingering.wait(), Err(Error::TransactionAborted { .. })));
    assert_eq!(world.log("a").last_stable_offset(), 2);
    assert!(matches!(transaction.send(Record::to("a").value("void")), Err(Error::Closed { .. })));
    assert!(transaction.commit().is_err());
    assert!(matches!(producer.begin_transaction(), Err(Error::Closed { .. })));
    producer.close().unwrap();
    assert_eq!(world.committed("a"), [""; 0]);
}

#[test]
fn what_a_closed_store_left_open_is_aborted_by_the_next_producer_of_the_name() {
    let World { options, store, clock } = World::new();
    let producer = store.producer(config("t")).unwrap();
    let transaction = producer.begin_transaction().unwrap();
    send(&transaction, "a", "void");
    send_offset(&transaction, 5).unwrap();
    store.close().unwrap();
    assert!(transaction.commit().is_err());
    drop((producer, store));
    let store = options.clone().open("data").unwrap();
    let world = World { options, store, clock };
    assert_eq!(world.log("a").last_stable_offset(), 0);
    assert!(matches!(world.store.stable_committed_offset("g", ("a", 0)), Err(Error::UnstableOffsetCommit { .. })));
    let producer = world.producer("t");
    assert_eq!(world.log("a").last_stable_offset(), 2);
    assert_eq!((world.committed("a"), world.committed_offset()), (vec![], None));
    let transaction = producer.begin_transaction().unwrap();
    send(&transaction, "a", "1");
    transaction.commit().unwrap();
    assert_eq!(world.committed("a"), ["1"]);
}

#[test]
fn a_record_of_a_transaction_can_be_awaited() {
    let world = World::new();
    world.store.close().unwrap();
    let store = world.options.clone().maintenance(Maintenance::Thread).open("other").unwrap();
    store.create_topic("a", TopicConfig::new()).unwrap();
    let producer = store.producer(ProducerConfig::new().transactional_id("t")).unwrap();
    let transaction = producer.begin_transaction().unwrap();
    let pending = transaction.send_async(Record::to("a").value("1")).unwrap();
    assert_eq!(block_on(pending).unwrap().offset, Some(0));
    transaction.commit().unwrap();
}
