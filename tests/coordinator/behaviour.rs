//! Who may do what with a transactional id, and what comes of it.

use std::thread;

use esker::record::{EndTransactionMarker, TransactionResult};
use esker::{Acks, CommittedOffset, Error, ProducerIdAndEpoch, TopicConfig, TopicPartition, TransactionState};

use super::*;

const ALL: [(&str, i32); 3] = [("a", 0), ("a", 1), ("b", 0)];

#[test]
fn a_transaction_counts_in_all_of_its_partitions_or_in_none() {
    let fixture = Fixture::new();
    let producer = fixture.init("tx");
    assert_eq!(producer.producer_epoch, 0);
    fixture.begin("tx", producer, 0, &ALL, "first");
    assert!(fixture.committed().is_empty(), "nothing is decided");
    fixture.store.end_transaction("tx", producer, TransactionResult::Commit).unwrap();
    assert_eq!(fixture.committed(), in_all(&ALL, &["first"]));

    fixture.begin("tx", producer, 1, &ALL, "void");
    fixture.store.end_transaction("tx", producer, TransactionResult::Abort).unwrap();
    fixture.begin("tx", producer, 2, &ALL, "second");
    fixture.store.end_transaction("tx", producer, TransactionResult::Commit).unwrap();
    assert_eq!(fixture.committed(), in_all(&ALL, &["first", "second"]));
}

#[test]
fn whoever_initializes_an_id_fences_who_had_it() {
    let mut fixture = Fixture::new();
    let zombie = fixture.init("tx");
    fixture.begin("tx", zombie, 0, &ALL, "left open");
    let producer = fixture.init("tx");
    assert_eq!(producer.producer_id, zombie.producer_id);
    assert!(producer.producer_epoch > zombie.producer_epoch + 1, "the epoch between fenced, and is nobody's");
    let described = fixture.store.describe_transaction("tx").unwrap();
    assert_eq!((described.state, described.producer), (TransactionState::Empty, producer));

    for refused in [
        fixture.add("tx", zombie, &[("a", 0)]),
        fixture.store.add_offsets_to_transaction("tx", zombie, "group"),
        fixture.store.end_transaction("tx", zombie, TransactionResult::Commit),
        fixture.store.end_transaction("tx", zombie, TransactionResult::Abort),
    ] {
        let Err(Error::ProducerFenced { transactional_id, producer: by, current }) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!((&*transactional_id, by, current), ("tx", zombie, producer));
    }
    let late = fixture.append(zombie, 1, ("a", 0), "late");
    assert!(matches!(late, Err(Error::InvalidProducerEpoch { .. })), "{late:?}");

    fixture.begin("tx", producer, 0, &ALL, "new");
    fixture.reopen();
    fixture.store.end_transaction("tx", producer, TransactionResult::Commit).unwrap();
    assert_eq!(fixture.committed(), in_all(&ALL, &["new"]));
}

#[test]
fn to_end_a_transaction_again_does_no_harm_and_to_end_it_otherwise_is_refused() {
    let mut fixture = Fixture::new();
    let producer = fixture.init("tx");
    let none = fixture.store.end_transaction("tx", producer, TransactionResult::Commit);
    assert!(matches!(none, Err(Error::InvalidTransactionTransition { state: TransactionState::Empty, .. })));
    let (commit, abort) = (TransactionResult::Commit, TransactionResult::Abort);
    for (sequence, result, other, value) in [(0, commit, abort, "kept"), (1, abort, commit, "void")] {
        fixture.begin("tx", producer, sequence, &ALL, value);
        fixture.store.end_transaction("tx", producer, result).unwrap();
        let ends = ALL.map(|(topic, partition)| fixture.store.partition(topic, partition).unwrap().log_end());
        for _ in 0..2 {
            fixture.store.end_transaction("tx", producer, result).unwrap();
            let otherwise = fixture.store.end_transaction("tx", producer, other);
            assert!(matches!(otherwise, Err(Error::InvalidTransactionTransition { .. })), "{otherwise:?}");
            fixture.reopen();
        }
        let ends_now = ALL.map(|(topic, partition)| fixture.store.partition(topic, partition).unwrap().log_end());
        assert_eq!(ends, ends_now, "no marker comes twice");
    }
    assert_eq!(fixture.committed(), in_all(&ALL, &["kept"]));
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_happens() {
    let fixture = Fixture::new();
    let init = |id: &str, timeout_ms| fixture.store.init_transactional_id(id, Duration::from_millis(timeout_ms));
    for id in ["", &"x".repeat(32_768)] {
        assert!(matches!(init(id, 1), Err(Error::InvalidTransactionalId { .. })));
    }
    for timeout_ms in [0, 900_001, u64::MAX] {
        assert!(matches!(init("tx", timeout_ms), Err(Error::InvalidTransactionTimeout { max_ms: 900_000, .. })));
    }
    let stranger = ProducerIdAndEpoch::new(7, 0);
    for refused in [
        fixture.add("tx", stranger, &[("a", 0)]),
        fixture.store.end_transaction("tx", stranger, TransactionResult::Commit),
    ] {
        assert!(matches!(refused, Err(Error::InvalidProducerIdMapping { .. })), "{refused:?}");
    }
    assert!(!fixture.store.topics().contains(&"__transaction_state".to_owned()));

    let producer = init("tx", 900_000).unwrap();
    for partition in [("a", 2), ("c", 0), ("a", -1)] {
        let unknown = fixture.add("tx", producer, &[("a", 0), partition]);
        assert!(matches!(unknown, Err(Error::UnknownTopicOrPartition { .. })));
    }
    let no_group = fixture.store.add_offsets_to_transaction("tx", producer, "");
    assert!(matches!(no_group, Err(Error::InvalidGroupId { .. })));
    let not_its_own = fixture.add("tx", stranger, &[("a", 0)]);
    assert!(matches!(not_its_own, Err(Error::InvalidProducerIdMapping { .. })));
    assert_eq!(fixture.store.describe_transaction("tx").unwrap().state, TransactionState::Empty);
    let unknown = fixture.store.describe_transaction("ty");
    assert!(matches!(unknown, Err(Error::TransactionalIdNotFound { .. })));
}

#[test]
fn ids_of_any_length_and_script_are_kept() {
    let mut fixture = Fixture::new();
    let ids = ["x".repeat(32_767), "zählwerk-日本-🦀".to_owned(), " ".to_owned(), "a\0b".to_owned()];
    let producers: Vec<_> = ids.iter().map(|id| fixture.init(id)).collect();
    fixture.reopen();
    for (id, producer) in ids.iter().zip(producers) {
        assert_eq!(fixture.store.describe_transaction(id).unwrap().producer, producer);
        assert_eq!(fixture.init(id), ProducerIdAndEpoch::new(producer.producer_id, 1));
    }
}

#[test]
fn an_open_transaction_outlives_its_store() {
    let mut fixture = Fixture::new();
    let producer = fixture.init("tx");
    fixture.begin("tx", producer, 0, &ALL, "kept");
    let before = fixture.store.describe_transaction("tx").unwrap();
    for _ in 0..2 {
        fixture.reopen();
        assert_eq!(fixture.store.describe_transaction("tx").unwrap(), before);
    }
    assert!(fixture.committed().is_empty());
    fixture.append(producer, 1, ("a", 0), "and more").unwrap();
    fixture.store.end_transaction("tx", producer, TransactionResult::Commit).unwrap();
    assert_eq!(fixture.committed()[&("a".to_owned(), 0)], ["kept", "and more"]);
}

#[test]
fn a_commit_makes_its_records_durable_whatever_acks_they_had() {
    let fixture = Fixture::new();
    let producer = fixture.init("tx");
    fixture.add("tx", producer, &[("a", 0)]).unwrap();
    let mut batch =
        BatchBuilder::new(1000).producer(producer.producer_id, producer.producer_epoch, 0).transactional(true);
    batch.push(&RecordData::new(None, Some(b"kept"))).unwrap();
    fixture.store.partition("a", 0).unwrap().append(batch.build().unwrap(), Acks::None).unwrap();
    fixture.store.end_transaction("tx", producer, TransactionResult::Commit).unwrap();
    for seed in 0..10 {
        let disk = fixture.disk.after_crash(esker::sim::Crash::Power, seed);
        assert_eq!(committed(&open(&disk, &fixture.clock)), in_all(&[("a", 0)], &["kept"]));
    }
}

#[test]
fn the_offsets_of_a_group_end_with_the_transaction() {
    let fixture = Fixture::new();
    let at = TopicPartition::new("a", 0);
    fixture.store.commit_offsets("group", [(at, CommittedOffset::new(0))], Acks::All).unwrap();
    let producer = fixture.init("tx");
    fixture.store.add_offsets_to_transaction("tx", producer, "group").unwrap();
    let described = fixture.store.describe_transaction("tx").unwrap();
    assert_eq!(described.partitions, [TopicPartition::new("__consumer_offsets", 0)]);
    let log = fixture.store.partition("__consumer_offsets", 0).unwrap();
    let end = log.log_end();
    fixture.store.end_transaction("tx", producer, TransactionResult::Commit).unwrap();
    assert_eq!(log.log_end(), end + 1, "there is its marker");
}

#[test]
fn a_topic_that_is_deleted_holds_nobody_up() {
    let mut fixture = Fixture::new();
    let producer = fixture.init("tx");
    fixture.begin("tx", producer, 0, &ALL, "kept");
    fixture.store.delete_topic("b").unwrap();
    fixture.store.end_transaction("tx", producer, TransactionResult::Commit).unwrap();
    assert!(fixture.store.take_maintenance_error().is_none());
    assert_eq!(fixture.committed(), in_all(&ALL[..2], &["kept"]));
    assert_eq!(fixture.store.describe_transaction("tx").unwrap().state, TransactionState::CompleteCommit);

    // Another of its name has nothing to do with it.
    fixture.begin("tx", producer, 1, &ALL[..1], "void");
    fixture.store.create_topic("b", TopicConfig::new()).unwrap();
    fixture.reopen();
    fixture.store.end_transaction("tx", producer, TransactionResult::Abort).unwrap();
    assert_eq!(fixture.store.partition("b", 0).unwrap().log_end(), 0);
}

#[test]
fn a_coordinator_before_this_one_is_overruled() {
    let fixture = Fixture::new();
    let producer = fixture.init("tx");
    fixture.begin("tx", producer, 0, &ALL, "void");
    let marker = EndTransactionMarker { result: TransactionResult::Abort, coordinator_epoch: 9 };
    let log = fixture.store.partition("a", 0).unwrap();
    log.append_end_transaction_marker(producer, marker, Acks::All).unwrap();
    fixture.store.end_transaction("tx", producer, TransactionResult::Abort).unwrap();
    assert!(fixture.store.take_maintenance_error().is_none());
    fixture.begin("tx", producer, 1, &ALL, "kept");
    fixture.store.end_transaction("tx", producer, TransactionResult::Commit).unwrap();
    assert_eq!(fixture.committed(), in_all(&ALL, &["kept"]));
}

#[test]
fn ids_take_turns_with_themselves_alone() {
    let fixture = Fixture::new();
    const EACH: i32 = 30;
    thread::scope(|scope| {
        for index in 0..4 {
            let fixture = &fixture;
            scope.spawn(move || {
                let id = format!("tx-{index}");
                let producer = fixture.init(&id);
                for sequence in 0..EACH {
                    fixture.begin(&id, producer, sequence, &ALL, &format!("{id} {sequence}"));
                    let result = [TransactionResult::Abort, TransactionResult::Commit][(sequence % 3).min(1) as usize];
                    fixture.store.end_transaction(&id, producer, result).unwrap();
                }
            });
        }
        // Somebody looks, and the maintenance does what it does.
        scope.spawn(|| {
            for _ in 0..50 {
                fixture.store.tick().unwrap();
                assert!(fixture.store.transactions(&esker::TransactionFilter::new()).unwrap().len() <= 4);
            }
        });
    });
    let committed = fixture.committed();
    for at in ALL {
        let mut values = committed[&(at.0.to_owned(), at.1)].clone();
        values.sort();
        let mut expected: Vec<String> =
            (0..4).flat_map(|id| (0..EACH).filter(|n| n % 3 != 0).map(move |n| format!("tx-{id} {n}"))).collect();
        expected.sort();
        assert_eq!(values, expected);
    }
}

#[test]
fn of_many_who_want_an_id_at_once_one_has_it_in_the_end() {
    let fixture = Fixture::new();
    let producers: Vec<ProducerIdAndEpoch> = thread::scope(|scope| {
        let threads: Vec<_> = (0..6)
            .map(|_| {
                scope.spawn(|| {
                    let producer = fixture.init("tx");
                    // Whoever is fenced here is told so.
                    let begun = fixture.add("tx", producer, &ALL);
                    assert!(matches!(begun, Ok(()) | Err(Error::ProducerFenced { .. })), "{begun:?}");
                    producer
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut epochs: Vec<i16> = producers.iter().map(|producer| producer.producer_epoch).collect();
    epochs.sort_unstable();
    epochs.dedup();
    assert_eq!(epochs.len(), producers.len(), "no epoch is given out twice");
    let current = fixture.store.describe_transaction("tx").unwrap().producer;
    assert_eq!(Some(&current.producer_epoch), epochs.last());
}
