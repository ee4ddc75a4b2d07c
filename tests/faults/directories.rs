//! What is in a data directory besides its topics: somebody else's directories, and what crashes and Kafka leave. None
//! of it is removed unless it is known to be left over from something that was begun here.

use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use esker::io::Storage;
use esker::record::{BatchBuilder, TransactionResult};
use esker::sim::{Crash, Fault, FaultStorage, Operation};
use esker::{Acks, Error, ProducerIdAndEpoch, Store, TopicConfig, TopicPartition};

use super::{START_MS, fill, open, read_all};
use crate::common::{Sent, append_built, append_value};

/// A closed store with the topic `t` of two partitions, the first of which has records.
fn disk_with_topic() -> FaultStorage {
    let disk = FaultStorage::new(1);
    let store = open(&disk).unwrap();
    store.create_topic("t", TopicConfig::new().partitions(2)).unwrap();
    fill(&store.partition("t", 0).unwrap(), 3);
    store.close().unwrap();
    disk
}

fn has_files_in(disk: &FaultStorage, dir: &str) -> bool {
    disk.files().iter().any(|file| file.starts_with(dir))
}

#[test]
fn a_directory_of_somebody_else_is_left_alone_whatever_its_name() {
    let disk = FaultStorage::new(1);
    open(&disk).unwrap().close().unwrap();
    for dir in ["exports-0", "exports-2", "backup-2024-01"] {
        disk.create_dir_all(&Path::new("/data").join(dir)).unwrap();
        disk.set_contents(format!("/data/{dir}/precious.csv"), b"precious").unwrap();
    }
    let store = open(&disk).unwrap();
    store.tick().unwrap();
    assert!(store.topics().is_empty() && store.recovery_report().is_healthy());
    let created = store.create_topic("exports", TopicConfig::new().partitions(3));
    assert!(matches!(created, Err(Error::TopicAlreadyExists { .. })), "{created:?}");
    store.close().unwrap();
    for dir in ["exports-0", "exports-2", "backup-2024-01"] {
        assert_eq!(disk.contents(format!("/data/{dir}/precious.csv")).unwrap(), b"precious");
    }
}

#[test]
fn a_partition_that_kafka_moved_away_does_not_take_its_topic_along() {
    let disk = disk_with_topic();
    let moved = "/data/t-1.0123456789abcdef0123456789abcdef-delete";
    disk.rename(Path::new("/data/t-1"), Path::new(moved)).unwrap();
    let store = open(&disk).unwrap();
    store.tick().unwrap();
    assert_eq!(read_all(&store.partition("t", 0).unwrap()).len(), 6);
    assert!(!has_files_in(&disk, moved));
}

#[test]
fn a_partition_without_the_first_of_its_topic_goes_only_if_its_creation_was_interrupted_here() {
    let segment = |suffix: &str| format!("/data/t-1/00000000000000000000{suffix}");
    let others: [&dyn Fn(&FaultStorage); 4] = [
        &|disk| disk.set_contents(segment(".log.0.cut"), b"kept").unwrap(),
        &|disk| disk.set_contents("/data/t-1/00000000000000000500.log", b"").unwrap(),
        &|disk| disk.set_contents("/data/t-1/notes", b"not ours").unwrap(),
        // As if another broker had created it.
        &|disk| disk.erase("/data/topic-config-checkpoint").unwrap(),
    ];
    for change in others {
        let disk = disk_with_topic();
        disk.remove_dir_all(Path::new("/data/t-0")).unwrap();
        change(&disk);
        for _ in 0..2 {
            let store = open(&disk).unwrap();
            store.tick().unwrap();
            assert_eq!(store.recovery_report().incomplete, [TopicPartition::new("t", 1)]);
            assert!(store.recovery_report().leftovers.is_empty() && !store.recovery_report().is_healthy());
            store.close().unwrap();
        }
        assert!(has_files_in(&disk, "/data/t-1"));
    }

    let disk = disk_with_topic();
    disk.remove_dir_all(Path::new("/data/t-0")).unwrap();
    let store = open(&disk).unwrap();
    store.tick().unwrap();
    assert_eq!(store.recovery_report().leftovers, [TopicPartition::new("t", 1)]);
    assert!(!has_files_in(&disk, "/data/t-1"));
}

#[test]
fn a_partition_of_an_earlier_topic_does_not_continue_a_later_one() {
    let disk = FaultStorage::new(1);
    let store = open(&disk).unwrap();
    store.create_topic("t", TopicConfig::new().partitions(3)).unwrap();
    fill(&store.partition("t", 2).unwrap(), 3);
    store.close().unwrap();
    for lost in ["/data/t-0", "/data/t-1"] {
        disk.remove_dir_all(Path::new(lost)).unwrap();
    }
    let store = open(&disk).unwrap();
    store.create_topic("t", TopicConfig::new().partitions(2)).unwrap();
    store.close().unwrap();
    let store = open(&disk).unwrap();
    assert_eq!(store.partition_count("t").unwrap(), 2);
    assert_eq!(store.recovery_report().incomplete, [TopicPartition::new("t", 2)]);
    assert!(has_files_in(&disk, "/data/t-2"));
}

#[test]
fn a_deletion_that_a_crash_interrupts_has_not_begun_or_is_finished_by_the_next_open() {
    let mut seen = [false; 2];
    for mutation in 0.. {
        let disk = disk_with_topic();
        let store = open(&disk).unwrap();
        let kept = read_all(&store.partition("t", 0).unwrap());
        disk.crash_at(disk.mutations() + mutation);
        let deleted = store.delete_topic("t");
        drop(store);
        if !disk.has_crashed() {
            deleted.unwrap();
            break;
        }
        for (crash, seed) in [(Crash::Process, 0), (Crash::Power, 1), (Crash::Power, 2), (Crash::Power, 3)] {
            let disk = disk.after_crash(crash, seed);
            let store = open(&disk).unwrap();
            store.tick().unwrap();
            assert!(store.recovery_report().is_healthy(), "{mutation}: {:?}", store.recovery_report());
            let is_there = store.partition("t", 0).is_ok();
            seen[usize::from(is_there)] = true;
            if is_there {
                assert_eq!(read_all(&store.partition("t", 0).unwrap()), kept);
                assert_eq!(store.partition_count("t").unwrap(), 2);
            } else {
                assert!(!has_files_in(&disk, "/data/t-0") && !has_files_in(&disk, "/data/t-1"), "{:?}", disk.files());
                store.create_topic("t", TopicConfig::new().partitions(2)).unwrap();
                store.close().unwrap();
                let store = open(&disk).unwrap();
                let log = store.partition("t", 0).unwrap();
                assert_eq!(append_value(&log, START_MS, b"of the new topic", Acks::All).unwrap(), 0);
            }
        }
    }
    assert_eq!(seen, [true; 2]);
}

#[test]
fn a_creation_that_fails_takes_back_what_it_did_and_nothing_else() {
    let started = FaultStorage::new(1);
    open(&started).unwrap().close().unwrap();
    // An empty directory of somebody else, and one that is not a partition of the new topic.
    started.create_dir_all(Path::new("/data/t-1")).unwrap();
    started.create_dir_all(Path::new("/data/t-9")).unwrap();
    started.set_contents("/data/t-9/notes", b"not ours").unwrap();
    let config = || TopicConfig::new().partitions(3);
    let mut failures = 0;
    for nth in 0.. {
        let disk = started.after_crash(Crash::Process, 0);
        let store = open(&disk).unwrap();
        disk.inject(Fault::io_error().on_mutations().nth(nth).times(1));
        let created = store.create_topic("t", config());
        disk.clear_faults();
        if created.is_ok() {
            break;
        }
        failures += 1;
        assert!(store.topics().is_empty());
        assert!(disk.list(Path::new("/data/t-1")).unwrap().iter().all(|file| file.name.ends_with(".tmp")));
        assert_eq!(disk.contents("/data/t-9/notes").unwrap(), b"not ours");
        assert!(!has_files_in(&disk, "/data/t-0") && !has_files_in(&disk, "/data/t-2"), "{nth}: {:?}", disk.files());
        store.create_topic("t", config()).unwrap();
        append_value(&store.partition("t", 0).unwrap(), START_MS, b"of the second attempt", Acks::All).unwrap();
        store.close().unwrap();
        let store = open(&disk).unwrap();
        assert!(store.recovery_report().is_healthy() && store.partition_count("t").unwrap() == 3);
    }
    assert!(failures > 10, "{failures}");
}

#[test]
fn a_deletion_that_fails_can_be_repeated_or_left_to_the_next_open() {
    let mut failures = 0;
    for nth in 0.. {
        let disk = disk_with_topic();
        let store = open(&disk).unwrap();
        let log = store.partition("t", 0).unwrap();
        let kept = read_all(&log);
        disk.inject(Fault::io_error().on_mutations().nth(nth).times(1));
        let deleted = store.delete_topic("t");
        disk.clear_faults();
        if deleted.is_ok() {
            break;
        }
        failures += 1;
        // Unless the deletion has not even begun.
        let is_in_use = append_value(&log, START_MS, b"late", Acks::Leader).is_ok();
        let kept = if is_in_use { read_all(&log) } else { kept };
        let is_known = store.describe_topic("t").is_ok();
        assert!(is_known || !has_files_in(&disk, "/data/t-0"), "its files are live and it is unknown");

        let left = disk.after_crash(Crash::Process, 0);
        let reopened = open(&left).unwrap();
        assert!(reopened.recovery_report().is_healthy());
        match reopened.partition("t", 0) {
            Ok(log) => assert_eq!(read_all(&log), kept),
            Err(_) => assert!(!has_files_in(&left, "/data/t-0") && !has_files_in(&left, "/data/t-1")),
        }

        if is_known {
            assert!(matches!(store.create_topic("t", TopicConfig::new()), Err(Error::TopicAlreadyExists { .. })));
            store.delete_topic("t").unwrap();
        }
        store.create_topic("t", TopicConfig::new()).unwrap();
        let log = store.partition("t", 0).unwrap();
        assert_eq!(append_value(&log, START_MS, b"of the new topic", Acks::All).unwrap(), 0);
        store.close().unwrap();
        let store = open(&disk).unwrap();
        assert!(store.recovery_report().clean_shutdown);
        assert_eq!(read_all(&store.partition("t", 0).unwrap()).len(), 1);
    }
    assert!(failures > 5, "{failures}");
}

#[test]
fn a_deletion_that_could_not_be_written_down_leaves_the_topic_in_use() {
    let disk = disk_with_topic();
    let store = open(&disk).unwrap();
    let log = store.partition("t", 0).unwrap();
    disk.inject(Fault::new(ErrorKind::StorageFull).on_path_suffix("topic-config-checkpoint.tmp").times(99));
    assert!(matches!(store.delete_topic("t"), Err(Error::StorageFull { .. })));
    append_value(&log, START_MS, b"after it", Acks::All).unwrap();
    let records = read_all(&log);
    disk.clear_faults();
    store.close().unwrap();

    let store = open(&disk).unwrap();
    assert!(store.recovery_report().clean_shutdown);
    assert_eq!(read_all(&store.partition("t", 0).unwrap()), records);
    store.delete_topic("t").unwrap();
}

#[test]
fn a_deletion_that_may_be_written_down_though_that_failed_takes_nothing_more() {
    let disk = disk_with_topic();
    let store = open(&disk).unwrap();
    let log = store.partition("t", 0).unwrap();
    disk.inject(Fault::io_error().on(Operation::SyncDir).times(1));
    store.delete_topic("t").unwrap_err();
    append_value(&log, START_MS, b"late", Acks::Leader).unwrap_err();
}

/// A store with an open transaction that has a record in the topics `kept` and `goes`.
fn store_with_transaction(disk: &FaultStorage) -> (Store, ProducerIdAndEpoch) {
    let store = open(disk).unwrap();
    let producer = store.init_transactional_id("id", Duration::from_secs(60)).unwrap();
    for topic in ["kept", "goes"] {
        store.create_topic(topic, TopicConfig::new()).unwrap();
        store.add_partitions_to_transaction("id", producer, [TopicPartition::new(topic, 0)]).unwrap();
        let batch = BatchBuilder::new(1000).producer(producer.producer_id, producer.producer_epoch, 0);
        let log = store.partition(topic, 0).unwrap();
        append_built(&log, batch.transactional(true), &[Sent::value(START_MS, "x")], Acks::Leader).unwrap();
        assert_eq!((log.last_stable_offset(), log.log_end()), (0, 1));
    }
    (store, producer)
}

#[test]
fn a_transaction_ends_where_the_deletion_of_its_topic_failed_halfway() {
    for result in [TransactionResult::Commit, TransactionResult::Abort] {
        let disk = FaultStorage::new(1);
        let (store, producer) = store_with_transaction(&disk);
        disk.inject(Fault::io_error().on(Operation::Rename).on_path_suffix("/goes-0").times(1));
        store.delete_topic("goes").unwrap_err();
        store.end_transaction("id", producer, result).unwrap();
        assert!(store.take_maintenance_error().is_none());
        let kept = TopicPartition::new("kept", 0);
        assert_eq!(store.partition("kept", 0).unwrap().last_stable_offset(), 2, "the record and the marker");
        store.add_partitions_to_transaction("id", producer, [kept]).expect("the next one may begin");
        store.end_transaction("id", producer, result).unwrap();
        drop(store);
        assert!(open(&disk).unwrap().partition("goes", 0).is_err(), "the deletion is finished");
    }
}

#[test]
fn a_topic_whose_deletion_was_not_written_down_is_told_how_its_transaction_ended() {
    let disk = FaultStorage::new(1);
    let (store, producer) = store_with_transaction(&disk);
    disk.inject(Fault::io_error().on_path_suffix("topic-config-checkpoint.tmp").times(1));
    store.delete_topic("goes").unwrap_err();
    store.end_transaction("id", producer, TransactionResult::Abort).unwrap();
    assert_eq!(store.partition("goes", 0).unwrap().last_stable_offset(), 2, "it is as it was, and knows");
    drop(store);
    let store = open(&disk).unwrap();
    store.tick().unwrap();
    assert_eq!(store.partition("goes", 0).unwrap().last_stable_offset(), 2);
}
